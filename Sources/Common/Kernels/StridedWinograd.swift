/// 3×3 convolutions with stride 2 by tiles of 4×4 outputs: 81 multiplications per tile instead of 144 for direct sums.
///
/// Along one line of the padded image z, a window with stride 2 is a pair of filters with stride 1, on the even and on
/// the odd samples:
///
///     y[p] = (w₀·z[2p] + w₂·z[2p + 2]) + w₁·z[2p + 1]
///
/// Both are evaluated as F(4, 2) with the Toom–Cook points 0, 1, −1, 2, ∞ (Winograd, "Arithmetic Complexity of
/// Computations", 1980; Lavin & Gray 2016, section 4.1). The decomposition of strided windows follows Huang, Shen &
/// Zhou, "A Decomposable Winograd Method for N–D Convolution Acceleration", AAAI 2021:
///
///     y = Aᵀ [ (G (w₀ w₂)) ⊙ (Bᵀ d_even) + (G (w₁ 0)) ⊙ (Bᵀ d_odd) ]
///
/// where d_even has five samples and d_odd four: the last of its five factors, at ∞, is zero. In two dimensions, the 25
/// elements (i, j) of a tile therefore sum over the channels of four phases (even rows and columns; odd rows; odd
/// columns; both odd), without the phases that vanish at ∞:
///
/// | element       | phases, side by side                   | products |
/// |---------------|----------------------------------------|----------|
/// | i, j finite   | even-even, odd-even, even-odd, odd-odd | 16 · 4   |
/// | i finite, j ∞ | even-even, odd-even                    | 4 · 2    |
/// | i ∞, j finite | even-even, even-odd                    | 4 · 2    |
/// | i, j ∞        | even-even                              | 1        |
///
/// Each element is one matrix product whose inner dimension is the phases' channels: V[i, j] (tiles, phases·C) · U[i,
/// j] (phases·C, K) = M[i, j] (tiles, K).
///
/// The gradient of z has separate phases again. They use the same tile of dy, so that an element is one product (tiles,
/// K) · (K, phases·C):
///
///     dz[2q] = w₂·dy[q − 1] + w₀·dy[q]        dz[2q + 1] = w₁·dy[q]
///
/// The gradient of the weights follows by the chain rule, for each phase with its own taps:
///
///     dg = Gᵀ [ Σ_tiles (A dY Aᵀ) ⊙ (Bᵀ d B) ] G
///
/// | array | shape                 |                                                                   |
/// |-------|-----------------------|-------------------------------------------------------------------|
/// | V     | (25, tiles, phases·C) | as in ``Elements``                                                |
/// | M     | (25, tiles, K)        | rows `Winograd.stride(K)` floats apart, elements `Winograd.plane` |
/// | U     | (25, panels)          | (phases·C, K), or (K, phases·C), packed as ``Panels``             |
///
/// The error is one to two times that of direct sums: about 3e-7 of the layer's largest value.
public struct StridedWinograd: Sendable, Equatable {
    /// Height and width of the input and of the output, and the padding before the input: 0 to 2.
    public let H, W, outH, outW, padding: Int

    public static let elements = 25
    /// The number of channel products per tile: the phases of all elements.
    public static let products = 81

    public init(H: Int, W: Int, padding: Int) {
        (self.H, self.W, self.padding) = (H, W, padding)
        outH = (H + 2 * padding - 3) / 2 + 1
        outW = (W + 2 * padding - 3) / 2 + 1
    }

    /// The number of phases of an element; `phases(before:)` gives the total of all elements before it.
    public static func phases(_ element: Int) -> Int { (element / 5 < 4 ? 2 : 1) * (element % 5 < 4 ? 2 : 1) }
    static func phases(before element: Int) -> Int { 18 * (element / 5) + element % 5 * (element / 5 < 4 ? 4 : 2) }

    /// A matrix for each element, (rows, phases·C), with the phases of a row side by side.
    ///
    /// Neither rows nor elements are a power of two apart, so that their cache lines do not evict each other.
    public struct Elements: Sendable {
        let rows: Int
        let four, two, one: Int

        public init(C: Int, rows: Int) {
            self.rows = rows | 1
            (four, two, one) = (Winograd.stride(4 * C), Winograd.stride(2 * C), Winograd.stride(C))
        }

        /// The total number of floats.
        public var floats: Int { rows * (16 * four + 8 * two + one) }
        /// The row stride of an element, in floats.
        public func stride(_ element: Int) -> Int { element / 5 < 4 ? (element % 5 < 4 ? four : two) : (element % 5 < 4 ? two : one) }
        /// The offset of an element.
        public func offset(_ element: Int) -> Int {
            let (i, j) = (element / 5, element % 5)
            return rows * (i * (4 * four + two) + j * (i < 4 ? four : two))
        }

        /// The elements (i, 0…4) of row `row`: the offsets of the first and the last, and the stride between the first
        /// four, in floats.
        @inline(__always)
        func line(_ i: Int, row: Int) -> (first: Int, step: Int, last: Int) {
            let stride = i < 4 ? four : two
            let start = offset(5 * i)
            return (start + row * stride, rows * stride, start + 4 * rows * stride + row * (i < 4 ? two : one))
        }
    }

    /// The number of tiles in one image's output.
    public var tiles: Int { tilesDown * tilesAcross }
    private var tilesDown: Int { (outH + 3) / 4 }
    private var tilesAcross: Int { (outW + 3) / 4 }

    private func forEachTile(_ range: Range<Int>, _ body: (_ index: Int, _ n: Int, _ y: Int, _ x: Int) -> Void) {
        for (index, tile) in range.enumerated() {
            let (n, rest) = tile.quotientAndRemainder(dividingBy: tiles)
            body(index, n, rest / tilesAcross, rest % tilesAcross)
        }
    }

    /// Computes V = Bᵀ d B of each phase, for the tiles `range` (counted through the batch) of x (N, H, W, C), C a
    /// multiple of 16. Row `first` of V is the first of them.
    ///
    /// - Parameter border: workspace for one tile, 81·C floats.
    public func transformInput(
        _ x: UnsafePointer<Float>, C: Int, tiles range: Range<Int>, into v: UnsafeMutablePointer<Float>, _ elements: Elements, first: Int = 0,
        border: UnsafeMutablePointer<Float>
    ) {
        forEachTile(range) { index, n, y, x0 in
            let image = x + n * H * W * C
            let (corner, line) = Winograd.corner(
                image, C: C, H: H, W: W, top: 8 * y - padding, left: 8 * x0 - padding, rows: 9, columns: 9, side: 9, border: border)
            StridedWinograd.transformInput(corner, line: line, C: C, into: v, elements, row: first + index)
        }
    }

    private static func transformInput(
        _ d: UnsafePointer<Float>, line: Int, C: Int, into v: UnsafeMutablePointer<Float>, _ elements: Elements, row: Int
    ) {
        let lines = (
            elements.line(0, row: row), elements.line(1, row: row), elements.line(2, row: row), elements.line(3, row: row), elements.line(4, row: row)
        )
        for c in Swift.stride(from: 0, to: C, by: 16) {
            let v = v + c
            // Five or four columns of a phase, then its rows; intermediate values stay in registers.
            @inline(__always) func store(_ x: Five, _ line: (first: Int, step: Int, last: Int), _ phase: Int) {
                store((x.0, x.1, x.2, x.3), line, phase)
                v.store(x.4, line.last + phase)
            }
            @inline(__always) func store(_ x: Four, _ line: (first: Int, step: Int, last: Int), _ phase: Int) {
                v.store(x.0, line.first + phase)
                v.store(x.1, line.first + line.step + phase)
                v.store(x.2, line.first + 2 * line.step + phase)
                v.store(x.3, line.first + 3 * line.step + phase)
            }
            do {
                @inline(__always) func column(_ j: Int) -> Five { inputLine(loadFive(d + c + 2 * j * C, 2 * line)) }
                let (p, q, r, s, t) = (column(0), column(1), column(2), column(3), column(4))
                store(inputLine((p.0, q.0, r.0, s.0, t.0)), lines.0, 0)
                store(inputLine((p.1, q.1, r.1, s.1, t.1)), lines.1, 0)
                store(inputLine((p.2, q.2, r.2, s.2, t.2)), lines.2, 0)
                store(inputLine((p.3, q.3, r.3, s.3, t.3)), lines.3, 0)
                store(inputLine((p.4, q.4, r.4, s.4, t.4)), lines.4, 0)
            }
            do {
                @inline(__always) func column(_ j: Int) -> Four { inputLine(Winograd.loadFour(d + c + line + 2 * j * C, 2 * line)) }
                let (p, q, r, s, t) = (column(0), column(1), column(2), column(3), column(4))
                store(inputLine((p.0, q.0, r.0, s.0, t.0)), lines.0, C)
                store(inputLine((p.1, q.1, r.1, s.1, t.1)), lines.1, C)
                store(inputLine((p.2, q.2, r.2, s.2, t.2)), lines.2, C)
                store(inputLine((p.3, q.3, r.3, s.3, t.3)), lines.3, C)
            }
            do {
                @inline(__always) func column(_ j: Int) -> Five { inputLine(loadFive(d + c + (2 * j + 1) * C, 2 * line)) }
                let (p, q, r, s) = (column(0), column(1), column(2), column(3))
                store(inputLine((p.0, q.0, r.0, s.0)), lines.0, 2 * C)
                store(inputLine((p.1, q.1, r.1, s.1)), lines.1, 2 * C)
                store(inputLine((p.2, q.2, r.2, s.2)), lines.2, 2 * C)
                store(inputLine((p.3, q.3, r.3, s.3)), lines.3, 2 * C)
                store(inputLine((p.4, q.4, r.4, s.4)), lines.4, C)
            }
            do {
                @inline(__always) func column(_ j: Int) -> Four { inputLine(Winograd.loadFour(d + c + line + (2 * j + 1) * C, 2 * line)) }
                let (p, q, r, s) = (column(0), column(1), column(2), column(3))
                store(inputLine((p.0, q.0, r.0, s.0)), lines.0, 3 * C)
                store(inputLine((p.1, q.1, r.1, s.1)), lines.1, 3 * C)
                store(inputLine((p.2, q.2, r.2, s.2)), lines.2, 3 * C)
                store(inputLine((p.3, q.3, r.3, s.3)), lines.3, 3 * C)
            }
        }
    }

    /// Computes y = Aᵀ m A for the tiles `range` of y (N, outH, outW, K), with the epilogue.
    ///
    /// - Parameter plane: the stride between the 25 elements, in floats.
    public func transformOutput(
        _ m: UnsafePointer<Float>, plane: Int, K: Int, tiles range: Range<Int>, into y: UnsafeMutablePointer<Float>, _ epilogue: Epilogue
    ) {
        let stride = Winograd.stride(K)
        forEachTile(range) { index, n, tileY, tileX in
            let source = m + index * stride
            let rows = min(4, outH - 4 * tileY), columns = min(4, outW - 4 * tileX)
            let origin = ((n * outH + 4 * tileY) * outW + 4 * tileX) * K
            for k in Swift.stride(from: 0, to: K, by: 16) {
                @inline(__always) func column(_ j: Int) -> Four { StridedWinograd.outputLine(StridedWinograd.loadFive(source + k + j * plane, 5 * plane)) }
                let (p, q, r, s, t) = (column(0), column(1), column(2), column(3), column(4))
                @inline(__always) func store(_ row: Int, _ m: Five) {
                    guard row < rows else { return }
                    epilogue.store(StridedWinograd.outputLine(m), columns, y, origin + row * outW * K + k, step: K, k)
                }
                store(0, (p.0, q.0, r.0, s.0, t.0))
                store(1, (p.1, q.1, r.1, s.1, t.1))
                store(2, (p.2, q.2, r.2, s.2, t.2))
                store(3, (p.3, q.3, r.3, s.3, t.3))
            }
        }
    }

    /// Computes D = A dY Aᵀ for the tiles `range` of dy (N, outH, outW, K): (25, tiles, K), with row stride
    /// `Winograd.stride(K)`.
    ///
    /// - Parameters:
    ///   - plane: the stride between the 25 elements, in floats.
    ///   - border: workspace for one tile, 16·K floats.
    public func transformGradient(
        _ dy: UnsafePointer<Float>, K: Int, tiles range: Range<Int>, into d: UnsafeMutablePointer<Float>, plane: Int, border: UnsafeMutablePointer<Float>
    ) {
        forEachTile(range) { index, n, tileY, tileX in
            let image = dy + n * outH * outW * K
            let (corner, line) = Winograd.corner(
                image, C: K, H: outH, W: outW, top: 4 * tileY, left: 4 * tileX, rows: 4, columns: 4, side: 4, border: border)
            StridedWinograd.transformGradient(corner, line: line, K: K, into: d + index * Winograd.stride(K), plane: plane)
        }
    }

    private static func transformGradient(_ dy: UnsafePointer<Float>, line: Int, K: Int, into d: UnsafeMutablePointer<Float>, plane: Int) {
        for k in Swift.stride(from: 0, to: K, by: 16) {
            let d = d + k
            @inline(__always) func column(_ j: Int) -> Five { gradientLine(Winograd.loadFour(dy + k + j * K, line)) }
            let (p, q, r, s) = (column(0), column(1), column(2), column(3))
            store(gradientLine((p.0, q.0, r.0, s.0)), d, plane)
            store(gradientLine((p.1, q.1, r.1, s.1)), d + 5 * plane, plane)
            store(gradientLine((p.2, q.2, r.2, s.2)), d + 10 * plane, plane)
            store(gradientLine((p.3, q.3, r.3, s.3)), d + 15 * plane, plane)
            store(gradientLine((p.4, q.4, r.4, s.4)), d + 20 * plane, plane)
        }
    }
}
