import Kernels

/// Rows quantised to bytes, with what is needed for an upper bound of the dot product of two of them.
///
/// With a centre m, x = m + x′ and x′ ≈ s x̂, where x̂ are integers from −127 to 127. For a query q (by the
/// Cauchy–Schwarz inequality for each of the last two terms)
///
///     q·x = q·m + m·x′ + q′·x′
///     q′·x′ ≤ s_q s_x q̂·x̂ + ‖q′ − s_q q̂‖·‖x′‖ + s_q ‖q̂‖·‖x′ − s_x x̂‖
///
/// The closer the rows are to each other, the smaller are x′, s and the quantisation error. So the bound is just as
/// sharp for features that differ little.
struct ByteRows: Sendable {
    let dimension: Int
    /// The number of floats that hold the bytes of a row, and the distance from one row to the next.
    let width: Int, stride: Int
    let bytes: FloatBuffer
    /// For each row: s (queries: 1/s, or 1 where all bytes are 0); m·x′ (queries: q·m); ‖x′‖; ‖x′ − s x̂‖.
    let scale: FloatBuffer, alongCentre: FloatBuffer, length: FloatBuffer, missing: FloatBuffer
    /// For each query: ‖q̂‖, and 128 Σ q̂, because the bytes of the other rows are unsigned, with an offset of 128.
    let byteLength: FloatBuffer, offset: FloatBuffer
    private static let rounder: Float = 0x1.8p23
    private let isQueries: Bool
    private let centre: FloatBuffer

    /// - Parameters:
    ///   - centre: as many floats as there are dimensions.
    ///   - isQueries: whether the bytes are signed.
    init(_ rows: Int, centre: FloatBuffer, isQueries: Bool) {
        dimension = centre.count
        width = (dimension + 3) / 4
        stride = width < 128 ? width : RowStride.padded(width)
        bytes = FloatBuffer(rows * stride)
        (scale, alongCentre, length, missing) = (FloatBuffer(rows), FloatBuffer(rows), FloatBuffer(rows), FloatBuffer(rows))
        (byteLength, offset) = (FloatBuffer(isQueries ? rows : 0), FloatBuffer(isQueries ? rows : 0))
        (self.isQueries, self.centre) = (isQueries, centre)
    }

    /// The largest deviation, by rounding, of ``VectorAlgebra/similarity(_:_:_:)`` of rows of length 1 from the bound,
    /// in halves of a unit in the last place of 1.
    ///
    /// D/4 comes from the sums with 64 and 16 accumulators. 8√D comes from the sums of bytes as floats, since 128 Σ q̂
    /// is at most 4√D of what is summed, and is both added and subtracted. The rest is less than 512, and less for few
    /// dimensions.
    static func rounding(_ dimension: Int) -> Float {
        let D = Float(dimension)
        return min(D / 4 + 8 * D.squareRoot() + 512, 24 * D + 64) * 0x1p-24
    }

    /// The mean of the rows.
    static func centre(_ rows: FeatureMatrix) -> FloatBuffer {
        let centre = FloatBuffer(rows.dimension), share = 1 / Float(max(1, rows.samples))
        for row in 0..<rows.samples { VectorAlgebra.add(share, rows.row(row), to: centre.pointer, rows.dimension) }
        return centre
    }

    /// Sets row `index` to the quantised `x`.
    func set(_ index: Int, to x: UnsafePointer<Float>) {
        var (largest, squares, product) = (Vector.zero, Vector.zero, Vector.zero)
        forEachVector(of: x) { _, x, m in
            let d = x - m
            largest = pointwiseMax(largest, pointwiseMax(d, -d))
            squares = squares.addingProduct(d, d)
            product = product.addingProduct(m, isQueries ? x : d)
        }
        let most = largest.max()
        // Where all values are too small for an inverse, the bytes are 0 and ‖x′ − s x̂‖ holds everything.
        let (s, inverse) = most > 1e-30 ? (most / 127, 127 / most) : (0, 0)
        var (lacking, signed, byteSquares) = (Vector.zero, SIMD16<Int32>.zero, Vector.zero)
        let place = UnsafeMutableRawPointer(bytes.pointer + index * stride), zero = SIMD16<Int32>(repeating: isQueries ? 0 : 128)
        forEachVector(of: x) { i, x, m in
            let d = x - m
            // Adding 1.5 · 2²³ rounds a number to an integer, which is then in the low bits of the sum.
            let sum = d * inverse + Self.rounder, whole = sum - Self.rounder, rest = d - s * whole
            let bytes = unsafeBitCast(sum, to: SIMD16<Int32>.self) &- unsafeBitCast(Vector(repeating: Self.rounder), to: SIMD16<Int32>.self)
            lacking = lacking.addingProduct(rest, rest)
            byteSquares = byteSquares.addingProduct(whole, whole)
            signed &+= bytes
            let stored = SIMD16<UInt8>(truncatingIfNeeded: bytes &+ zero)
            if i + 16 <= 4 * width {
                place.storeBytes(of: stored, toByteOffset: i, as: SIMD16<UInt8>.self)
            } else {
                for j in 0..<4 * width - i { place.storeBytes(of: stored[j], toByteOffset: i + j, as: UInt8.self) }
            }
        }
        // The sums of squares are rounded too.
        let more = 1 + Float(dimension + 16) * 0x1p-24
        scale.pointer[index] = isQueries ? (inverse > 0 ? inverse : 1) : s
        alongCentre.pointer[index] = product.sum()
        length.pointer[index] = squares.sum().squareRoot() * more
        missing.pointer[index] = lacking.sum().squareRoot() * more
        if isQueries {
            byteLength.pointer[index] = byteSquares.sum().squareRoot() * more
            offset.pointer[index] = 128 * Float(signed.wrappedSum())
        }
    }

    /// Calls `body` for each vector of a row: where it starts, and 16 floats of `x` and of the centre, zeros behind the last.
    @inline(__always)
    private func forEachVector(of x: UnsafePointer<Float>, _ body: (_ start: Int, _ x: Vector, _ m: Vector) -> Void) {
        let m = UnsafePointer(centre.pointer)
        var i = 0
        while i + 16 <= dimension {
            body(i, x.vector(i), m.vector(i))
            i += 16
        }
        if i < dimension { body(i, x.vector(i, count: dimension - i), m.vector(i, count: dimension - i)) }
    }
}
