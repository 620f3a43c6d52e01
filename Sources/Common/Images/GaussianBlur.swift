/// Pillow's `ImageFilter.GaussianBlur`, byte for byte: three box blurs along the rows, then three along the columns.
///
/// The box has a fractional radius (Gwosdek et al., SSVM 2011): its outermost pixels have a partial weight. Every pass
/// rounds to 8 bits; pixels beyond an edge repeat the edge pixel. Use one instance per worker: it keeps its memory.
public final class GaussianBlur {
    private let other = Canvas()
    private var lines: (UnsafeMutablePointer<UInt8>, UnsafeMutablePointer<UInt8>) = (.allocate(capacity: 0), .allocate(capacity: 0))
    private var room = 0

    public init() {}

    deinit {
        lines.0.deallocate()
        lines.1.deallocate()
    }

    private static let passes = 3

    /// Blurs `canvas` with the standard deviation `sigma`, in pixels.
    public func apply(sigma: Double, to canvas: Canvas) throws {
        guard sigma > 0 else { return }
        let box = Box(sigma: Float(sigma), passes: GaussianBlur.passes)
        let (width, height) = (canvas.width, canvas.height)
        let margin = 4 * (box.radius + 1)
        reserve(4 * width + 2 * margin + Canvas.padding)
        try other.reshape(width: width, height: height)
        for row in 0..<height {
            let line = canvas.bytes + 4 * width * row
            (lines.0 + margin).update(from: line, count: 4 * width)
            var (from, to) = lines
            for _ in 0..<GaussianBlur.passes {
                spreadEdges(from, width: width, margin: margin)
                box.sum(count: 4 * width, radius: box.radius, at: { UnsafeRawPointer(from + margin + 4 * $0) }, into: to + margin)
                swap(&from, &to)
            }
            (other.bytes + 4 * width * row).update(from: from + margin, count: 4 * width)
        }
        var (from, to) = (other.bytes, canvas.bytes)
        for _ in 0..<GaussianBlur.passes {
            for row in 0..<height {
                box.sum(
                    count: 4 * width, radius: box.radius,
                    at: { UnsafeRawPointer(from + 4 * width * min(max(row + $0, 0), height - 1)) },
                    into: to + 4 * width * row)
            }
            swap(&from, &to)
        }
    }

    private func reserve(_ bytes: Int) {
        guard bytes > room else { return }
        lines.0.deallocate()
        lines.1.deallocate()
        lines = (.allocate(capacity: bytes), .allocate(capacity: bytes))
        lines.0.initialize(repeating: 0, count: bytes)
        lines.1.initialize(repeating: 0, count: bytes)
        room = bytes
    }

    private func spreadEdges(_ line: UnsafeMutablePointer<UInt8>, width: Int, margin: Int) {
        let pixels = UnsafeMutableRawPointer(line)
        let first = pixels.loadUnaligned(fromByteOffset: margin, as: UInt32.self)
        let last = pixels.loadUnaligned(fromByteOffset: margin + 4 * (width - 1), as: UInt32.self)
        for byte in Swift.stride(from: 0, to: margin, by: 4) {
            pixels.storeBytes(of: first, toByteOffset: byte, as: UInt32.self)
            pixels.storeBytes(of: last, toByteOffset: margin + 4 * width + byte, as: UInt32.self)
        }
    }
}

/// A box blur of fractional radius: the weights of its inner pixels and of the two outermost, in units of 2⁻²⁴.
private struct Box {
    let radius: Int
    let inner: UInt32
    let outer: UInt32

    init(sigma: Float, passes: Int) {
        // Everything in single precision except the square root, as in Pillow.
        let variance = sigma * sigma / Float(passes)
        let length = Float((12.0 * Double(variance) + 1.0).squareRoot())
        let whole = Float(((Double(length) - 1.0) / 2.0).rounded(.down))
        var part = (2 * whole + 1) * (whole * (whole + 1) - 3 * variance)
        part /= 6 * (variance - (whole + 1) * (whole + 1))
        let exact = whole + part
        radius = Int(exact)
        inner = UInt32(Float(1 << 24) / (exact * 2 + 1))
        outer = (UInt32(1 << 24) &- UInt32(radius * 2 + 1) &* inner) / 2
    }

    /// out = (inner · Σ_{|i| ≤ radius} in_i + outer · (in_{−radius−1} + in_{radius+1}) + ½) for `count` bytes.
    ///
    /// - Parameter at: returns the bytes at an offset in pixels.
    @inline(__always)
    func sum(count: Int, radius: Int, at: (Int) -> UnsafeRawPointer, into target: UnsafeMutablePointer<UInt8>) {
        switch radius {
        case 0: three(count, at(-1), at(0), at(1), target)
        case 1: five(count, at(-2), at(-1), at(0), at(1), at(2), target)
        default: many(count, radius, at, target)
        }
    }

    private typealias Lanes = SIMD8<UInt32>

    @inline(__always)
    private static func load(_ bytes: UnsafeRawPointer, _ offset: Int) -> Lanes {
        Lanes(truncatingIfNeeded: bytes.loadUnaligned(fromByteOffset: offset, as: SIMD8<UInt8>.self))
    }

    @inline(__always)
    private func store(_ near: Lanes, _ far: Lanes, _ target: UnsafeMutablePointer<UInt8>, _ offset: Int) {
        let sum = near &* Lanes(repeating: inner) &+ far &* Lanes(repeating: outer) &+ Lanes(repeating: 1 << 23)
        UnsafeMutableRawPointer(target).storeBytes(of: SIMD8<UInt8>(truncatingIfNeeded: sum &>> 24), toByteOffset: offset, as: SIMD8<UInt8>.self)
    }

    private func three(_ count: Int, _ a: UnsafeRawPointer, _ b: UnsafeRawPointer, _ c: UnsafeRawPointer, _ target: UnsafeMutablePointer<UInt8>) {
        var x = 0
        while x < count {
            store(Box.load(b, x), Box.load(a, x) &+ Box.load(c, x), target, x)
            x &+= 8
        }
    }

    private func five(
        _ count: Int, _ a: UnsafeRawPointer, _ b: UnsafeRawPointer, _ c: UnsafeRawPointer, _ d: UnsafeRawPointer, _ e: UnsafeRawPointer,
        _ target: UnsafeMutablePointer<UInt8>
    ) {
        var x = 0
        while x < count {
            store(Box.load(b, x) &+ Box.load(c, x) &+ Box.load(d, x), Box.load(a, x) &+ Box.load(e, x), target, x)
            x &+= 8
        }
    }

    /// For boxes wider than the recipes use.
    private func many(_ count: Int, _ radius: Int, _ at: (Int) -> UnsafeRawPointer, _ target: UnsafeMutablePointer<UInt8>) {
        for x in stride(from: 0, to: count, by: 8) {
            var near = Lanes.zero
            for offset in -radius...radius { near &+= Box.load(at(offset), x) }
            store(near, Box.load(at(-radius - 1), x) &+ Box.load(at(radius + 1), x), target, x)
        }
    }
}
