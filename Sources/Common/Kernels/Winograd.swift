import CProcessor

/// 3×3 convolutions with stride 1 by Winograd's F(4×4, 3×3): a fourth of the multiplications (Lavin & Gray 2016, section 4.3).
///
///     Y = Aᵀ [ (G g Gᵀ) ⊙ (Bᵀ d B) ] A
///
/// where d is a 6×6 tile of the input, g the 3×3 weights and Y a 4×4 tile of the output; tiles of the input overlap by two. Summed
/// over channels, each of the 36 places of a tile is a product of matrices of its own: V[p] (tiles, C) · U[p] (C, K) = M[p] (tiles, K).
///
/// The gradient of the input is the same with weights turned by 180° and C and K exchanged. That of the weights follows by the chain rule:
///
///     dg = Gᵀ [ Σ_tiles (A dY Aᵀ) ⊙ (Bᵀ d B) ] G
///
/// | array | shape              |                                                      |
/// |-------|--------------------|------------------------------------------------------|
/// | V, M  | (36, tiles, C)     | rows ``stride(_:)`` floats apart, places ``plane(_:tiles:)`` |
/// | U     | (36, panels)       | (C, K) packed as ``Panels``                          |
///
/// Its error is a few times that of direct sums: 1e-6 to 3e-6 of a layer's outputs forward and back to the input, up to 5e-6 back to the
/// weights (‖error‖ / ‖exact‖ at ResNet's sizes), below 1e-6 where inputs lie far from zero. Of what is left when their mean's share is
/// taken off, it is more there: for inputs of mean 100 and spread 1 up to 1e-4.
public struct Winograd: Sendable, Equatable {
    /// Height and width of the input, of the output, and rows and columns of padding before the input.
    public let H, W, outH, outW, padding: Int

    public static let places = 36

    public init(H: Int, W: Int, padding: Int) {
        (self.H, self.W, self.padding) = (H, W, padding)
        outH = H + 2 * padding - 2
        outW = W + 2 * padding - 2
    }

    /// The convolution that takes the gradient of this one's output to that of its input.
    public var adjoint: Winograd { Winograd(H: outH, W: outW, padding: 2 - padding) }

    /// Tiles of one picture.
    public var tilesDown: Int { (outH + 3) / 4 }
    public var tilesAcross: Int { (outW + 3) / 4 }
    public var tiles: Int { tilesDown * tilesAcross }

    /// Floats from a tile's row to the next, and from a place to the next: never a power of two, whose lines would push each other out of the cache.
    public static func stride(_ channels: Int) -> Int { (channels + 31) / 32 * 32 + 16 }
    public static func plane(_ channels: Int, tiles: Int) -> Int { (tiles | 1) * stride(channels) }

    private struct Tile {
        let n, y, x: Int
    }

    private func forEachTile(_ range: Range<Int>, _ body: (_ index: Int, _ tile: Tile) -> Void) {
        for (index, tile) in range.enumerated() {
            let (n, rest) = tile.quotientAndRemainder(dividingBy: tiles)
            body(index, Tile(n: n, y: rest / tilesAcross, x: rest % tilesAcross))
        }
    }

    // MARK: The three transforms of pictures

    /// V = Bᵀ d B for the tiles `range` (counted through the batch) of x (N, H, W, C), C a multiple of 16.
    ///
    /// - Parameters:
    ///   - plane: floats from one of the 36 places to the next.
    ///   - border: room for one tile, 36·C floats.
    public func transformInput(
        _ x: UnsafePointer<Float>, C: Int, tiles range: Range<Int>, into v: UnsafeMutablePointer<Float>, plane: Int, border: UnsafeMutablePointer<Float>
    ) {
        let stride = Winograd.stride(C)
        forEachTile(range) { index, tile in
            let picture = x + tile.n * H * W * C
            let y0 = 4 * tile.y - padding, x0 = 4 * tile.x - padding
            let target = v + index * stride
            if y0 >= 0 && x0 >= 0 && y0 + 6 <= H && x0 + 6 <= W {
                Winograd.transformInput(picture + (y0 * W + x0) * C, line: W * C, C: C, into: target, plane: plane)
            } else {
                Winograd.copyTile(picture, C: C, H: H, W: W, top: y0, left: x0, side: 6, into: border)
                Winograd.transformInput(border, line: 6 * C, C: C, into: target, plane: plane)
            }
        }
    }

    /// A tile of side² places that reaches over the edge: zero outside.
    static func copyTile(
        _ picture: UnsafePointer<Float>, C: Int, H: Int, W: Int, top: Int, left: Int, side: Int, into border: UnsafeMutablePointer<Float>
    ) {
        border.update(repeating: 0, count: side * side * C)
        let inside = max(0, left)..<max(0, left, min(W, left + side))
        for y in max(0, top)..<max(0, top, min(H, top + side)) {
            (border + ((y - top) * side + inside.lowerBound - left) * C)
                .update(from: picture + (y * W + inside.lowerBound) * C, count: inside.count * C)
        }
    }

    /// Two halves of three rows each, so that all in between stays in registers.
    private static func transformInput(_ d: UnsafePointer<Float>, line: Int, C: Int, into v: UnsafeMutablePointer<Float>, plane: Int) {
        for c in Swift.stride(from: 0, to: C, by: 16) {
            let d = d + c, v = v + c
            @inline(__always) func column(_ j: Int) -> Six { load(d + j * C, line) }
            var (a, b, e): (Six, Six, Six)
            (a.0, b.0, e.0) = inputUpper(column(0))
            (a.1, b.1, e.1) = inputUpper(column(1))
            (a.2, b.2, e.2) = inputUpper(column(2))
            (a.3, b.3, e.3) = inputUpper(column(3))
            (a.4, b.4, e.4) = inputUpper(column(4))
            (a.5, b.5, e.5) = inputUpper(column(5))
            store(inputLine(a), v, plane)
            store(inputLine(b), v + 6 * plane, plane)
            store(inputLine(e), v + 12 * plane, plane)
            (a.0, b.0, e.0) = inputLower(column(0))
            (a.1, b.1, e.1) = inputLower(column(1))
            (a.2, b.2, e.2) = inputLower(column(2))
            (a.3, b.3, e.3) = inputLower(column(3))
            (a.4, b.4, e.4) = inputLower(column(4))
            (a.5, b.5, e.5) = inputLower(column(5))
            store(inputLine(a), v + 18 * plane, plane)
            store(inputLine(b), v + 24 * plane, plane)
            store(inputLine(e), v + 30 * plane, plane)
        }
    }

    /// What is done to a tile of the output before it is stored.
    public struct Finish {
        /// Adds to what is there.
        public var adding = false
        public var bias: UnsafePointer<Float>?
        /// Of the shape of the output.
        public var residual: UnsafePointer<Float>?
        public var activation = Rows.Activation.none
        /// Writes past the caches: where the output is too large for them. It begins on a cache line.
        public var streamed = false

        public init() {}
    }

    /// y = Aᵀ m A for the tiles `range` of y (N, outH, outW, K), finished as `finish` says; of all channels, or of those that m has.
    public func transformOutput(
        _ m: UnsafePointer<Float>, plane: Int, K: Int, channels: Range<Int>? = nil, tiles range: Range<Int>, into y: UnsafeMutablePointer<Float>,
        _ finish: Finish
    ) {
        let channels = channels ?? 0..<K
        let stride = Winograd.stride(channels.count)
        forEachTile(range) { index, tile in
            let source = m + index * stride
            let rows = min(4, outH - 4 * tile.y), columns = min(4, outW - 4 * tile.x)
            let place = ((tile.n * outH + 4 * tile.y) * outW + 4 * tile.x) * K
            for k in Swift.stride(from: channels.lowerBound, to: channels.upperBound, by: 16) {
                let (r0, r1, r2, r3) = Winograd.outputRows(source + k - channels.lowerBound, plane: plane)
                finish.store(Winograd.outputLine(r0), columns, y, place + k, step: K, k)
                if rows > 1 { finish.store(Winograd.outputLine(r1), columns, y, place + outW * K + k, step: K, k) }
                if rows > 2 { finish.store(Winograd.outputLine(r2), columns, y, place + 2 * outW * K + k, step: K, k) }
                if rows > 3 { finish.store(Winograd.outputLine(r3), columns, y, place + 3 * outW * K + k, step: K, k) }
            }
        }
    }

    /// Aᵀ m: four rows of six.
    @inline(__always)
    private static func outputRows(_ m: UnsafePointer<Float>, plane: Int) -> (Six, Six, Six, Six) {
        @inline(__always) func column(_ j: Int) -> Four { outputLine(load(m + j * plane, 6 * plane)) }
        let (a, b, c, d, e, f) = (column(0), column(1), column(2), column(3), column(4), column(5))
        return (
            (a.0, b.0, c.0, d.0, e.0, f.0), (a.1, b.1, c.1, d.1, e.1, f.1), (a.2, b.2, c.2, d.2, e.2, f.2), (a.3, b.3, c.3, d.3, e.3, f.3)
        )
    }

    /// D = A dY Aᵀ for the tiles `range` of dy (N, outH, outW, K).
    ///
    /// - Parameter border: room for one tile, 16·K floats.
    public func transformGradient(
        _ dy: UnsafePointer<Float>, K: Int, tiles range: Range<Int>, into d: UnsafeMutablePointer<Float>, plane: Int, border: UnsafeMutablePointer<Float>
    ) {
        let stride = Winograd.stride(K)
        forEachTile(range) { index, tile in
            let picture = dy + tile.n * outH * outW * K
            let target = d + index * stride
            if 4 * tile.y + 4 <= outH && 4 * tile.x + 4 <= outW {
                Winograd.transformGradient(picture + (4 * tile.y * outW + 4 * tile.x) * K, line: outW * K, K: K, into: target, plane: plane)
            } else {
                Winograd.copyTile(picture, C: K, H: outH, W: outW, top: 4 * tile.y, left: 4 * tile.x, side: 4, into: border)
                Winograd.transformGradient(border, line: 4 * K, K: K, into: target, plane: plane)
            }
        }
    }

    private static func transformGradient(_ dy: UnsafePointer<Float>, line: Int, K: Int, into d: UnsafeMutablePointer<Float>, plane: Int) {
        for k in Swift.stride(from: 0, to: K, by: 16) {
            let dy = dy + k, d = d + k
            @inline(__always) func column(_ j: Int) -> Six { gradientLine(loadFour(dy + j * K, line)) }
            let (a, b, c, e) = (column(0), column(1), column(2), column(3))
            store(gradientLine((a.0, b.0, c.0, e.0)), d, plane)
            store(gradientLine((a.1, b.1, c.1, e.1)), d + 6 * plane, plane)
            store(gradientLine((a.2, b.2, c.2, e.2)), d + 12 * plane, plane)
            store(gradientLine((a.3, b.3, c.3, e.3)), d + 18 * plane, plane)
            store(gradientLine((a.4, b.4, c.4, e.4)), d + 24 * plane, plane)
            store(gradientLine((a.5, b.5, c.5, e.5)), d + 30 * plane, plane)
        }
    }

    // MARK: Weights

    /// U = G g Gᵀ of panel `index` of each place, from w (K, 3, 3, C), packed for products V·U.
    ///
    /// - Parameter plane: floats from the panel of one of the 36 places to that of the next.
    public static func transformWeights(
        _ w: UnsafePointer<Float>, C: Int, K: Int, panel index: Int, into panel: UnsafeMutablePointer<Float>, plane: Int
    ) {
        let panels = Panels(k: C, n: K)
        let columns = panels.columns(index), width = panels.stride(index)
        forEachInputChannel(w, C: C, outputs: columns) { k, c, nine in
            let target = panel + c * width + k - columns.lowerBound
            forEachPlace(nine, step: 256, turned: false) { place, value in target.store(value, place * plane) }
        }
    }

    /// Calls `body` for each sixteen of `outputs` and each input channel with the nine weights that join them, 256 floats apart: sixteen output
    /// channels side by side, as a panel wants them. Blocks of weights are transposed for it.
    ///
    /// Not inlined: the compiler takes ten minutes over it otherwise.
    @inline(never)
    static func forEachInputChannel(
        _ w: UnsafePointer<Float>, C: Int, outputs: Range<Int>, _ body: (_ k: Int, _ c: Int, _ nine: UnsafePointer<Float>) -> Void
    ) {
        withUnsafeTemporaryAllocation(of: Float.self, capacity: 9 * 256) { memory in
            guard let turned = memory.baseAddress else { return }
            for k in Swift.stride(from: outputs.lowerBound, to: outputs.upperBound, by: 16) {
                for c in Swift.stride(from: 0, to: C, by: 16) {
                    for tap in 0..<9 { Transpose.block(w + (k * 9 + tap) * C + c, stride: 9 * C, into: turned + tap * 256, stride: 16) }
                    for lane in 0..<16 { body(k, c + lane, turned + lane * 16) }
                }
            }
        }
    }

    /// The same for products that give the gradient of the input: weights turned by 180°, (K, C).
    public static func transformTurnedWeights(
        _ w: UnsafePointer<Float>, C: Int, K: Int, panel index: Int, into panel: UnsafeMutablePointer<Float>, plane: Int
    ) {
        let panels = Panels(k: K, n: C)
        let columns = panels.columns(index), width = panels.stride(index)
        for k in 0..<K {
            for c in Swift.stride(from: 0, to: columns.count, by: 16) {
                let target = panel + k * width + c
                forEachPlace(w + k * 9 * C + columns.lowerBound + c, step: C, turned: true) { place, value in
                    target.store(value, place * plane)
                }
            }
        }
    }

    /// G g Gᵀ for sixteen channels, whose nine weights lie `step` floats apart.
    @inline(__always)
    private static func forEachPlace(_ g: UnsafePointer<Float>, step: Int, turned: Bool, _ body: (_ place: Int, _ value: Vector) -> Void) {
        @inline(__always) func column(_ s: Int) -> Six {
            turned
                ? weightLine(g.vector((8 - s) * step), g.vector((5 - s) * step), g.vector((2 - s) * step))
                : weightLine(g.vector(s * step), g.vector((3 + s) * step), g.vector((6 + s) * step))
        }
        let (a, b, c) = (column(0), column(1), column(2))
        @inline(__always) func row(_ i: Int, _ x: Vector, _ y: Vector, _ z: Vector) {
            let v = weightLine(x, y, z)
            body(6 * i, v.0)
            body(6 * i + 1, v.1)
            body(6 * i + 2, v.2)
            body(6 * i + 3, v.3)
            body(6 * i + 4, v.4)
            body(6 * i + 5, v.5)
        }
        row(0, a.0, b.0, c.0)
        row(1, a.1, b.1, c.1)
        row(2, a.2, b.2, c.2)
        row(3, a.3, b.3, c.3)
        row(4, a.4, b.4, c.4)
        row(5, a.5, b.5, c.5)
    }

    /// Adds Gᵀ du G to the weights of output channel k: dw (3, 3, C), from du (36 places, C) of that channel.
    ///
    /// - Parameter plane: floats from one place of `du` to the next.
    public static func addWeightGradient(_ du: UnsafePointer<Float>, plane: Int, C: Int, to dw: UnsafeMutablePointer<Float>) {
        for c in Swift.stride(from: 0, to: C, by: 16) {
            @inline(__always) func column(_ j: Int) -> (Vector, Vector, Vector) { weightGradientLine(load(du + c + j * plane, 6 * plane)) }
            let (a, b, d, e, f, g) = (column(0), column(1), column(2), column(3), column(4), column(5))
            @inline(__always) func row(_ r: Int, _ x: Six) {
                let (p, q, s) = weightGradientLine(x)
                let place = dw + 3 * r * C + c
                place.store(place.vector(0) + p, 0)
                place.store(place.vector(C) + q, C)
                place.store(place.vector(2 * C) + s, 2 * C)
            }
            row(0, (a.0, b.0, d.0, e.0, f.0, g.0))
            row(1, (a.1, b.1, d.1, e.1, f.1, g.1))
            row(2, (a.2, b.2, d.2, e.2, f.2, g.2))
        }
    }
}

extension Winograd.Finish {
    /// Stores up to four places of a row, `step` floats apart.
    @inline(__always)
    func store(_ four: Winograd.Four, _ columns: Int, _ y: UnsafeMutablePointer<Float>, _ offset: Int, step: Int, _ k: Int) {
        @inline(__always) func put(_ column: Int, _ value: Vector) {
            guard column < columns else { return }
            let offset = offset + column * step
            var value = value
            if adding { value += y.vector(offset) }
            if let bias { value += bias.vector(k) }
            if let residual { value += residual.vector(offset) }
            switch activation {
            case .none: break
            case .relu: value = RectifiedLinear.value(value)
            case .hardSwish: value = HardSwish.value(value)
            case .silu: value = SiLU.value(value)
            }
            if streamed { seed_stream(y + offset, value) } else { y.store(value, offset) }
        }
        put(0, four.0)
        put(1, four.1)
        put(2, four.2)
        put(3, four.3)
    }
}
