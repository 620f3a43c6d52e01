/// The gradient of the input x, whose element (h, w) is element (h + padding, w + padding) of z.
///
/// A tile is 5×5 of dy and yields 4×4 of each phase. The phases interleave to 8×8 of dx, with odd rows and columns of z
/// before even ones. Each element of dx is in one phase of one tile, so nothing is summed and dx need not be cleared.
extension StridedWinograd {
    /// The row of dy where the first tile starts: one before the first, if the first row of z is a row of x.
    private var origin: Int { padding == 0 ? -1 : 0 }
    /// The row of dx that the first row of the first tile maps to; it may be one before the first.
    private var target: Int { 1 - padding + 2 * origin }

    /// The number of tiles in one image's input.
    public var adjointTiles: Int { ((H - target + 7) / 8) * adjointAcross }
    private var adjointAcross: Int { (W - target + 7) / 8 }

    private func forEachTile(_ range: Range<Int>, _ body: (_ index: Int, _ n: Int, _ y: Int, _ x: Int) -> Void) {
        for (index, tile) in range.enumerated() {
            let (n, rest) = tile.quotientAndRemainder(dividingBy: adjointTiles)
            body(index, n, rest / adjointAcross, rest % adjointAcross)
        }
    }

    /// Computes D = Bᵀ d B for the tiles `range` (of ``adjointTiles``, counted through the batch) of dy (N, outH, outW,
    /// K), K a multiple of 16: (25, tiles, K), with row stride `Winograd.stride(K)`.
    ///
    /// - Parameters:
    ///   - plane: the stride between the 25 elements, in floats.
    ///   - border: workspace for one tile, 25·K floats.
    public func transformAdjointInput(
        _ dy: UnsafePointer<Float>, K: Int, tiles range: Range<Int>, into d: UnsafeMutablePointer<Float>, plane: Int, border: UnsafeMutablePointer<Float>
    ) {
        forEachTile(range) { index, n, y, x in
            let image = dy + n * outH * outW * K
            let (corner, line) = Winograd.corner(
                image, C: K, H: outH, W: outW, top: 4 * y + origin, left: 4 * x + origin, rows: 5, columns: 5, side: 5, border: border)
            StridedWinograd.transformAdjointInput(corner, line: line, K: K, into: d + index * Winograd.stride(K), plane: plane)
        }
    }

    private static func transformAdjointInput(_ dy: UnsafePointer<Float>, line: Int, K: Int, into d: UnsafeMutablePointer<Float>, plane: Int) {
        for k in Swift.stride(from: 0, to: K, by: 16) {
            let d = d + k
            @inline(__always) func column(_ j: Int) -> Five { inputLine(loadFive(dy + k + j * K, line)) }
            let (p, q, r, s, t) = (column(0), column(1), column(2), column(3), column(4))
            store(inputLine((p.0, q.0, r.0, s.0, t.0)), d, plane)
            store(inputLine((p.1, q.1, r.1, s.1, t.1)), d + 5 * plane, plane)
            store(inputLine((p.2, q.2, r.2, s.2, t.2)), d + 10 * plane, plane)
            store(inputLine((p.3, q.3, r.3, s.3, t.3)), d + 15 * plane, plane)
            store(inputLine((p.4, q.4, r.4, s.4, t.4)), d + 20 * plane, plane)
        }
    }

    /// Computes dx = Aᵀ m A of each phase for the tiles `range` of dx (N, H, W, C), and sets dx or adds to it.
    public func transformAdjointOutput(
        _ m: UnsafePointer<Float>, _ elements: Elements, C: Int, tiles range: Range<Int>, into dx: UnsafeMutablePointer<Float>, adding: Bool
    ) {
        forEachTile(range) { index, n, tileY, tileX in
            let lines = (
                elements.line(0, row: index), elements.line(1, row: index), elements.line(2, row: index), elements.line(3, row: index),
                elements.line(4, row: index)
            )
            let top = 8 * tileY + target, left = 8 * tileX + target
            let image = dx + n * H * W * C
            for c in Swift.stride(from: 0, to: C, by: 16) {
                let m = m + c
                // The transform runs along rows of the elements instead of columns, which is equivalent.
                @inline(__always) func five(_ line: (first: Int, step: Int, last: Int), _ phase: Int) -> Four {
                    let p = m + line.first + phase
                    return StridedWinograd.outputLine((p.vector(0), p.vector(line.step), p.vector(2 * line.step), p.vector(3 * line.step), m.vector(line.last + phase)))
                }
                @inline(__always) func four(_ line: (first: Int, step: Int, last: Int), _ phase: Int) -> Four {
                    StridedWinograd.outputLine(Winograd.loadFour(m + line.first + phase, line.step))
                }
                @inline(__always) func put(_ value: Vector, _ y: Int, _ x: Int) {
                    guard y >= 0, y < H, x >= 0, x < W else { return }
                    let element = (y * W + x) * C + c
                    image.store(adding ? image.vector(element) + value : value, element)
                }
                @inline(__always) func column(_ x: Four, _ row: Int, _ column: Int) {
                    put(x.0, top + row, left + column)
                    put(x.1, top + row + 2, left + column)
                    put(x.2, top + row + 4, left + column)
                    put(x.3, top + row + 6, left + column)
                }
                do {
                    let (p, q, r, s, t) = (five(lines.0, 0), five(lines.1, 0), five(lines.2, 0), five(lines.3, 0), five(lines.4, 0))
                    column(StridedWinograd.outputLine((p.0, q.0, r.0, s.0, t.0)), 1, 1)
                    column(StridedWinograd.outputLine((p.1, q.1, r.1, s.1, t.1)), 1, 3)
                    column(StridedWinograd.outputLine((p.2, q.2, r.2, s.2, t.2)), 1, 5)
                    column(StridedWinograd.outputLine((p.3, q.3, r.3, s.3, t.3)), 1, 7)
                }
                do {
                    let (p, q, r, s) = (five(lines.0, C), five(lines.1, C), five(lines.2, C), five(lines.3, C))
                    column(StridedWinograd.outputLine((p.0, q.0, r.0, s.0)), 0, 1)
                    column(StridedWinograd.outputLine((p.1, q.1, r.1, s.1)), 0, 3)
                    column(StridedWinograd.outputLine((p.2, q.2, r.2, s.2)), 0, 5)
                    column(StridedWinograd.outputLine((p.3, q.3, r.3, s.3)), 0, 7)
                }
                do {
                    let (p, q, r, s, t) = (four(lines.0, 2 * C), four(lines.1, 2 * C), four(lines.2, 2 * C), four(lines.3, 2 * C), four(lines.4, C))
                    column(StridedWinograd.outputLine((p.0, q.0, r.0, s.0, t.0)), 1, 0)
                    column(StridedWinograd.outputLine((p.1, q.1, r.1, s.1, t.1)), 1, 2)
                    column(StridedWinograd.outputLine((p.2, q.2, r.2, s.2, t.2)), 1, 4)
                    column(StridedWinograd.outputLine((p.3, q.3, r.3, s.3, t.3)), 1, 6)
                }
                do {
                    let (p, q, r, s) = (four(lines.0, 3 * C), four(lines.1, 3 * C), four(lines.2, 3 * C), four(lines.3, 3 * C))
                    column(StridedWinograd.outputLine((p.0, q.0, r.0, s.0)), 0, 0)
                    column(StridedWinograd.outputLine((p.1, q.1, r.1, s.1)), 0, 2)
                    column(StridedWinograd.outputLine((p.2, q.2, r.2, s.2)), 0, 4)
                    column(StridedWinograd.outputLine((p.3, q.3, r.3, s.3)), 0, 6)
                }
            }
        }
    }
}
