import Platform

/// Pillow's antialiased resize, byte for byte.
///
/// It makes one pass over the rows and one over the columns. The weights are those of a ``ResamplingFilter`` that
/// widens when the image shrinks, rounded to 22 fractional bits; each pass rounds to 8 bits (Pillow, `Resample.c`). Use
/// one instance per worker: it keeps its tables.
public final class Resampler {
    private let middle = Canvas()
    private var columns = Taps()
    private var rows = Taps()

    public init() {}

    /// Resizes the part `crop` of `source`, treated as a separate image, to `width` × `height`, and keeps the part
    /// `window` of the result.
    ///
    /// Pixels outside the window are not computed. `target` gets the size of the window.
    public func resize(
        _ source: Canvas, crop: CropBox, width: Int, height: Int, window: CropBox? = nil, filter: ResamplingFilter = .bilinear, into target: Canvas
    ) throws {
        let window = window ?? CropBox(left: 0, top: 0, width: width, height: height)
        precondition(crop.width > 0 && crop.height > 0 && crop.left >= 0 && crop.top >= 0)
        precondition(crop.left + crop.width <= source.width && crop.top + crop.height <= source.height)
        precondition(window.left >= 0 && window.top >= 0 && window.width > 0 && window.height > 0)
        precondition(window.left + window.width <= width && window.top + window.height <= height)
        columns.prepare(from: crop.width, to: width, wanted: window.left..<window.left + window.width, filter)
        rows.prepare(from: crop.height, to: height, wanted: window.top..<window.top + window.height, filter)
        try target.reshape(width: window.width, height: window.height)
        let corner = source.bytes + 4 * (crop.top * source.width + crop.left)
        if Resampler.columnsFirst(crop, width: width, height: height) {
            try middle.reshape(width: columns.end - columns.first, height: window.height)
            passColumns(corner + 4 * columns.first, stride: 4 * source.width, offset: 0, into: middle)
            passRows(middle.bytes, stride: 4 * middle.width, offset: columns.first, into: target)
        } else {
            try middle.reshape(width: window.width, height: rows.end - rows.first)
            passRows(corner + 4 * source.width * rows.first, stride: 4 * source.width, offset: 0, into: middle)
            passColumns(middle.bytes, stride: 4 * middle.width, offset: rows.first, into: target)
        }
    }

    /// Resizes all of `source` to `width` × `height`.
    public func resize(_ source: Canvas, width: Int, height: Int, filter: ResamplingFilter = .bilinear, into target: Canvas) throws {
        let whole = CropBox(left: 0, top: 0, width: source.width, height: source.height)
        try resize(source, crop: whole, width: width, height: height, filter: filter, into: target)
    }

    /// Pillow 13 starts with the columns where that saves work: where the height shrinks by more than twice as many
    /// pixels as the width.
    ///
    /// Earlier versions always start with the rows. The order affects the rounding: about one byte in twenty, by 1.
    private static func columnsFirst(_ crop: CropBox, width: Int, height: Int) -> Bool {
        crop.height > height && crop.height - height > 2 * (crop.width - width)
    }

    private static let half = Int32(1 << (Taps.precision - 1))

    /// Negative weights can lead to values below 0 and above 255.
    @inline(__always)
    private static func clipped(_ x: SIMD4<Int32>) -> SIMD4<Int32> { x.clamped(lowerBound: .zero, upperBound: SIMD4(repeating: 255)) }

    @inline(__always)
    private static func clipped(_ x: SIMD8<Int32>) -> SIMD8<Int32> { x.clamped(lowerBound: .zero, upperBound: SIMD8(repeating: 255)) }

    /// out[y][x] = Σ weight[x][i] · in[y][start[x] − offset + i], for all rows of `target`.
    private func passRows(_ source: UnsafeMutablePointer<UInt8>, stride: Int, offset: Int, into target: Canvas) {
        let source = UnsafeRawPointer(source - 4 * offset)
        let out = UnsafeMutableRawPointer(target.bytes)
        let length = 4 * target.width
        // Two rows at once for each loaded weight. A left-over row is computed twice.
        for row in Swift.stride(from: 0, to: target.height, by: 2) {
            let other = min(row + 1, target.height - 1)
            resampleRows((source + stride * row, source + stride * other), into: (out + length * row, out + length * other), count: target.width)
        }
    }

    @inline(__always)
    private func resampleRows(
        _ lines: (UnsafeRawPointer, UnsafeRawPointer), into out: (UnsafeMutableRawPointer, UnsafeMutableRawPointer), count: Int
    ) {
        let starts = columns.starts, bytes = 4 * columns.size
        var weights = UnsafeRawPointer(columns.spread)
        let start = SIMD8(lowHalf: SIMD4(repeating: Resampler.half), highHalf: .zero)
        for x in 0..<count {
            let first = 4 * Int(starts[x])
            var sums = (start, start)
            var byte = 0
            while byte < bytes {
                // Two pixels at once. The second has weight zero where there is none.
                let weight = (weights + 4 * byte).loadUnaligned(as: SIMD8<Int32>.self)
                let pair0 = (lines.0 + (first &+ byte)).loadUnaligned(as: SIMD8<UInt8>.self)
                let pair1 = (lines.1 + (first &+ byte)).loadUnaligned(as: SIMD8<UInt8>.self)
                sums.0 &+= SIMD8<Int32>(truncatingIfNeeded: pair0) &* weight
                sums.1 &+= SIMD8<Int32>(truncatingIfNeeded: pair1) &* weight
                byte &+= 8
            }
            weights += 4 * bytes
            let total0 = Resampler.clipped((sums.0.lowHalf &+ sums.0.highHalf) &>> Int32(Taps.precision))
            let total1 = Resampler.clipped((sums.1.lowHalf &+ sums.1.highHalf) &>> Int32(Taps.precision))
            out.0.storeBytes(of: SIMD4<UInt8>(truncatingIfNeeded: total0), toByteOffset: 4 &* x, as: SIMD4<UInt8>.self)
            out.1.storeBytes(of: SIMD4<UInt8>(truncatingIfNeeded: total1), toByteOffset: 4 &* x, as: SIMD4<UInt8>.self)
        }
    }

    /// out[y][x] = Σ weight[y][i] · in[start[y] − offset + i][x], for all rows of `target`.
    private func passColumns(_ source: UnsafeMutablePointer<UInt8>, stride: Int, offset: Int, into target: Canvas) {
        let length = 4 * target.width
        for row in 0..<target.height {
            let first = UnsafeRawPointer(source) + stride * (Int(rows.starts[row]) - offset)
            let weights = rows.weights + rows.size * row
            let count = Int(rows.counts[row])
            let out = UnsafeMutableRawPointer(target.bytes + length * row)
            // The last step may write past the end of its row: the next row is written later, and the last row is
            // followed by padding.
            var x = 0
            while x < length {
                var low = SIMD8(repeating: Resampler.half), high = low
                var pixels = first + x
                for tap in 0..<count {
                    let weight = SIMD8(repeating: weights[tap])
                    low &+= SIMD8<Int32>(truncatingIfNeeded: pixels.loadUnaligned(as: SIMD8<UInt8>.self)) &* weight
                    high &+= SIMD8<Int32>(truncatingIfNeeded: pixels.loadUnaligned(fromByteOffset: 8, as: SIMD8<UInt8>.self)) &* weight
                    pixels += stride
                }
                low = Resampler.clipped(low &>> Int32(Taps.precision))
                high = Resampler.clipped(high &>> Int32(Taps.precision))
                out.storeBytes(of: SIMD8<UInt8>(truncatingIfNeeded: low), toByteOffset: x, as: SIMD8<UInt8>.self)
                out.storeBytes(of: SIMD8<UInt8>(truncatingIfNeeded: high), toByteOffset: x &+ 8, as: SIMD8<UInt8>.self)
                x &+= 16
            }
        }
    }
}

/// For every output pixel along one side: the start of its input and the weights of its sum.
private struct Taps: ~Copyable {
    /// The fractional bits of a weight: 32 minus 8 for the pixel and 2 to spare (Pillow's PRECISION_BITS).
    static let precision = 22

    /// The number of weights stored for each output, an even number.
    private(set) var size = 0
    private(set) var wanted = 0
    private(set) var starts = UnsafeMutablePointer<Int32>.allocate(capacity: 0)
    private(set) var counts = UnsafeMutablePointer<Int32>.allocate(capacity: 0)
    /// wanted · size
    private(set) var weights = UnsafeMutablePointer<Int32>.allocate(capacity: 0)
    /// Each weight four times, once for each byte of a pixel: wanted · size · 4.
    private(set) var spread = UnsafeMutablePointer<Int32>.allocate(capacity: 0)
    private var outputs = 0
    private var room = 0
    private var input = 0
    private var key = (-1, -1, 0..<0, ResamplingFilter.bilinear)

    deinit { release() }

    private func release() {
        starts.deallocate()
        counts.deallocate()
        weights.deallocate()
        spread.deallocate()
    }

    /// The range of inputs used, from the first to one past the last: `size` inputs from each start are read, even
    /// where fewer have a weight.
    var first: Int { Int(starts[0]) }
    var end: Int { min(input, Int(starts[wanted - 1]) + size) }

    mutating func prepare(from input: Int, to output: Int, wanted range: Range<Int>, _ filter: ResamplingFilter) {
        if key == (input, output, range, filter) { return }
        key = (input, output, range, filter)
        self.input = input
        let scale = Double(input) / Double(output)
        let widening = max(scale, 1)
        let support = filter.support * widening
        /// The first input of wanted output `index`, and the number of its inputs (Pillow's `precompute_coeffs`).
        func inputs(_ index: Int) -> (center: Double, start: Int, count: Int) {
            let center = (Double(range.lowerBound + index) + 0.5) * scale, start = max(0, Int(center - support + 0.5))
            return (center, start, min(input, Int(center + support + 0.5)) - start)
        }
        wanted = range.count
        // Usually 2 · support, but one more where one end is rounded to an integer and the other is not.
        let most = (0..<wanted).reduce(1) { max($0, inputs($1).count) }
        size = most + most % 2
        if wanted > outputs || wanted * size > room {
            release()
            outputs = wanted
            room = wanted * size
            starts = .allocate(capacity: outputs)
            counts = .allocate(capacity: outputs)
            weights = .allocate(capacity: room)
            spread = .allocate(capacity: 4 * room)
        }
        let inverse = 1 / widening
        withUnsafeTemporaryAllocation(of: Double.self, capacity: size) { exact in
            for index in 0..<wanted {
                let (center, start, count) = inputs(index)
                var sum = 0.0
                for tap in 0..<count {
                    exact[tap] = filter.weight(abs((Double(tap + start) - center + 0.5) * inverse))
                    sum += exact[tap]
                }
                // All `size` inputs are read, so near the end they start earlier, with zero weights. With an odd count,
                // the last input may lie one pixel past the end.
                let zeros = max(0, start - max(0, input - size))
                starts[index] = Int32(start - zeros)
                counts[index] = Int32(count + zeros)
                for tap in 0..<size {
                    let own = tap - zeros
                    let share = own >= 0 && own < count ? (sum != 0 ? exact[own] / sum : exact[own]) : 0
                    let weight = Int32((share < 0 ? -0.5 : 0.5) + share * Double(1 << Taps.precision))
                    weights[size * index + tap] = weight
                    (spread + 4 * (size * index + tap)).update(repeating: weight, count: 4)
                }
            }
        }
    }
}
