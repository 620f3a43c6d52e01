import CProcessor

/// 3×3 convolutions with stride 1 by Winograd's F(4×4, 3×3), with a fourth of the multiplications (Lavin & Gray 2016,
/// section 4.3).
///
///     Y = Aᵀ [ (G g Gᵀ) ⊙ (Bᵀ d B) ] A
///
/// where d is a 6×6 tile of the input, g the 3×3 weights and Y a 4×4 tile of the output; input tiles overlap by two.
/// Summed over channels, each of the 36 elements of a tile is a separate matrix product:
/// V[p] (tiles, C) · U[p] (C, K) = M[p] (tiles, K).
///
/// The gradient of the input is the same with weights rotated by 180° and C and K exchanged. The gradient of the
/// weights follows by the chain rule:
///
///     dg = Gᵀ [ Σ_tiles (A dY Aᵀ) ⊙ (Bᵀ d B) ] G
///
/// A side that is not a multiple of four ends with tiles of three outputs, F(3, 3): a side of 14 is 4 + 4 + 3 + 3.
/// Their interpolation points are those of F(4, 3) except one, so that they use the same U: 22² products instead of
/// 24².
///
/// | array | shape          |                                                                |
/// |-------|----------------|----------------------------------------------------------------|
/// | V, M  | (36, tiles, C) | rows ``stride(_:)`` floats apart, elements ``plane(_:tiles:)`` |
/// | U     | (36, panels)   | (C, K) packed as ``Panels``                                    |
///
/// The error is a few times that of direct sums: 1e-6 to 3e-6 of a layer's outputs for the forward pass and the
/// gradient of the input, and up to 5e-6 for the gradient of the weights (‖error‖ / ‖exact‖ at ResNet's sizes). It is
/// below 1e-6 if inputs are far from zero. Relative to the output minus the contribution of the inputs' mean it is
/// larger there: up to 1e-4 for inputs of mean 100 and deviation 1.
public struct Winograd: Sendable, Equatable {
    /// Height and width of the input and of the output, and the padding before the input.
    public let H, W, outH, outW, padding: Int
    public let down, across: Cut

    public static let elements = 36

    public init(H: Int, W: Int, padding: Int) {
        (self.H, self.W, self.padding) = (H, W, padding)
        outH = H + 2 * padding - 2
        outW = W + 2 * padding - 2
        (down, across) = (Cut(outH), Cut(outW))
    }

    /// The convolution that maps the gradient of this one's output to the gradient of its input.
    public var adjoint: Winograd { Winograd(H: outH, W: outW, padding: 2 - padding) }

    /// The strides between tiles and between elements, in floats. They are never a power of two, so that cache lines do
    /// not evict each other.
    public static func stride(_ channels: Int) -> Int { (channels + 31) / 32 * 32 + 16 }
    public static func plane(_ channels: Int, tiles: Int) -> Int { (tiles | 1) * stride(channels) }

    // MARK: The three transforms of images

    /// Computes V = Bᵀ d B for the tiles `range` of x (N, H, W, C), C a multiple of 16.
    ///
    /// - Parameters:
    ///   - plane: the stride between the 36 elements, in floats.
    ///   - border: workspace for one tile, 36·C floats.
    public func transformInput(
        _ x: UnsafePointer<Float>, N: Int, C: Int, tiles range: Range<Int>, into v: UnsafeMutablePointer<Float>, plane: Int,
        border: UnsafeMutablePointer<Float>
    ) {
        let stride = Winograd.stride(C), order = order(N: N)
        for number in range {
            let tile = order[number]
            let image = x + tile.n * H * W * C
            let (rows, columns) = (down.outputs(tile.y), across.outputs(tile.x))
            let (corner, line) = Winograd.corner(
                image, C: C, H: H, W: W, top: down.start(tile.y) - padding, left: across.start(tile.x) - padding, rows: rows + 2,
                columns: columns + 2, side: 6, border: border)
            InputTile(d: corner, line: line, C: C, v: v + (number - range.lowerBound) * stride, plane: plane).run(rows: rows, columns: columns)
        }
    }

    /// Prefetches sixteen channels of the four columns to the right of a tile: for a tile inside the image, the next
    /// tile reads them.
    @inline(__always)
    private static func prefetchBeside(_ first: UnsafePointer<Float>, rows: Int, line: Int, C: Int) {
        for row in 0..<rows { for column in 0..<4 { seed_prefetch_far(first + (row &* line &+ column &* C)) } }
    }

    private struct InputTile: TileBody {
        let d: UnsafePointer<Float>
        let line, C: Int
        let v: UnsafeMutablePointer<Float>
        let plane: Int

        /// Two halves of three rows each, so that intermediate values stay in registers.
        func run<Down: TileSide, Across: TileSide>(_: Down.Type, _: Across.Type) {
            for c in Swift.stride(from: 0, to: C, by: 16) {
                let d = d + c, v = v + c
                Winograd.prefetchBeside(d + Across.inputs * C, rows: Down.inputs, line: line, C: C)
                @inline(__always) func column(_ j: Int) -> Six { j < Across.inputs ? Down.loadInputs(d + j * C, line) : Winograd.zeros }
                var (a, b, e): (Six, Six, Six)
                (a.0, b.0, e.0) = Down.inputUpper(column(0))
                (a.1, b.1, e.1) = Down.inputUpper(column(1))
                (a.2, b.2, e.2) = Down.inputUpper(column(2))
                (a.3, b.3, e.3) = Down.inputUpper(column(3))
                (a.4, b.4, e.4) = Down.inputUpper(column(4))
                (a.5, b.5, e.5) = Down.inputUpper(column(5))
                Across.store(Across.inputLine(a), v, plane)
                Across.store(Across.inputLine(b), v + 6 * plane, plane)
                Across.store(Across.inputLine(e), v + 12 * plane, plane)
                (a.0, b.0, e.0) = Down.inputLower(column(0))
                (a.1, b.1, e.1) = Down.inputLower(column(1))
                (a.2, b.2, e.2) = Down.inputLower(column(2))
                (a.3, b.3, e.3) = Down.inputLower(column(3))
                (a.4, b.4, e.4) = Down.inputLower(column(4))
                (a.5, b.5, e.5) = Down.inputLower(column(5))
                Across.store(Across.inputLine(a), v + 18 * plane, plane)
                if Down.has(4) { Across.store(Across.inputLine(b), v + 24 * plane, plane) }
                Across.store(Across.inputLine(e), v + 30 * plane, plane)
            }
        }
    }

    /// Computes y = Aᵀ m A for the tiles `range` of y (N, outH, outW, K), with the epilogue, for all channels or only
    /// those in m.
    public func transformOutput(
        _ m: UnsafePointer<Float>, plane: Int, N: Int, K: Int, channels: Range<Int>? = nil, tiles range: Range<Int>,
        into y: UnsafeMutablePointer<Float>, _ epilogue: Epilogue
    ) {
        let channels = channels ?? 0..<K
        let stride = Winograd.stride(channels.count), order = order(N: N)
        for number in range {
            let tile = order[number]
            let (rows, columns) = (down.outputs(tile.y), across.outputs(tile.x))
            let top = down.start(tile.y), left = across.start(tile.x)
            OutputTile(
                m: m + (number - range.lowerBound) * stride, plane: plane, y: y, origin: ((tile.n * outH + top) * outW + left) * K, line: outW * K,
                step: K, rows: min(rows, outH - top), columns: min(columns, outW - left), channels: channels, epilogue: epilogue
            ).run(rows: rows, columns: columns)
        }
    }

    private struct OutputTile: TileBody {
        let m: UnsafePointer<Float>
        let plane: Int
        let y: UnsafeMutablePointer<Float>
        /// The offset of the first output, and the strides to the next row and the next column.
        let origin, line, step: Int
        /// The numbers of output rows and columns within the image.
        let rows, columns: Int
        let channels: Range<Int>
        let epilogue: Epilogue

        func run<Down: TileSide, Across: TileSide>(_: Down.Type, _: Across.Type) {
            @inline(__always) func forEachChannels(_ body: (_ k: Int, _ lines: (Four, Four, Four, Four)) -> Void) {
                for k in Swift.stride(from: channels.lowerBound, to: channels.upperBound, by: 16) {
                    let rows = Winograd.outputRows(Down.self, Across.self, m + k - channels.lowerBound, plane: plane)
                    body(k, (Across.outputLine(rows.0), Across.outputLine(rows.1), Across.outputLine(rows.2), Across.outputLine(rows.3)))
                }
            }
            // Separate loops: output without an epilogue, as in training, stays in registers until it is stored.
            if rows < Down.outputs || columns < Across.outputs {
                forEachChannels { k, lines in
                    epilogue.store(lines.0, columns, y, origin + k, step: step, k)
                    if rows > 1 { epilogue.store(lines.1, columns, y, origin + line + k, step: step, k) }
                    if rows > 2 { epilogue.store(lines.2, columns, y, origin + 2 * line + k, step: step, k) }
                    if rows > 3 { epilogue.store(lines.3, columns, y, origin + 3 * line + k, step: step, k) }
                }
            } else if epilogue.isPlain {
                forEachChannels { k, lines in
                    let y = y + origin + k
                    Across.put(lines.0, y, step, nonTemporal: epilogue.isNonTemporal)
                    Across.put(lines.1, y + line, step, nonTemporal: epilogue.isNonTemporal)
                    Across.put(lines.2, y + 2 * line, step, nonTemporal: epilogue.isNonTemporal)
                    if Down.outputs > 3 { Across.put(lines.3, y + 3 * line, step, nonTemporal: epilogue.isNonTemporal) }
                }
            } else {
                forEachChannels { k, lines in
                    Across.put(epilogue, lines.0, y, origin + k, step, k)
                    Across.put(epilogue, lines.1, y, origin + line + k, step, k)
                    Across.put(epilogue, lines.2, y, origin + 2 * line + k, step, k)
                    if Down.outputs > 3 { Across.put(epilogue, lines.3, y, origin + 3 * line + k, step, k) }
                }
            }
        }
    }

    /// Aᵀ m: up to four rows of up to six elements.
    @inline(__always)
    private static func outputRows<Down: TileSide, Across: TileSide>(
        _: Down.Type, _: Across.Type, _ m: UnsafePointer<Float>, plane: Int
    ) -> (Six, Six, Six, Six) {
        @inline(__always) func column(_ j: Int) -> Four { Down.outputLine(Down.load(m + j * plane, 6 * plane)) }
        let (a, b, c, d, f) = (column(0), column(1), column(2), column(3), column(5))
        let e: Four = Across.has(4) ? column(4) : (.zero, .zero, .zero, .zero)
        return (
            (a.0, b.0, c.0, d.0, e.0, f.0), (a.1, b.1, c.1, d.1, e.1, f.1), (a.2, b.2, c.2, d.2, e.2, f.2), (a.3, b.3, c.3, d.3, e.3, f.3)
        )
    }

    /// Computes D = A dY Aᵀ for the tiles `range` of dy (N, outH, outW, K).
    ///
    /// - Parameter border: workspace for one tile, 16·K floats.
    public func transformGradient(
        _ dy: UnsafePointer<Float>, N: Int, K: Int, tiles range: Range<Int>, into d: UnsafeMutablePointer<Float>, plane: Int,
        border: UnsafeMutablePointer<Float>
    ) {
        let stride = Winograd.stride(K), order = order(N: N)
        for number in range {
            let tile = order[number]
            let image = dy + tile.n * outH * outW * K
            let (rows, columns) = (down.outputs(tile.y), across.outputs(tile.x))
            let (corner, line) = Winograd.corner(
                image, C: K, H: outH, W: outW, top: down.start(tile.y), left: across.start(tile.x), rows: rows, columns: columns, side: 4,
                border: border)
            GradientTile(dy: corner, line: line, K: K, d: d + (number - range.lowerBound) * stride, plane: plane).run(rows: rows, columns: columns)
        }
    }

    private struct GradientTile: TileBody {
        let dy: UnsafePointer<Float>
        let line, K: Int
        let d: UnsafeMutablePointer<Float>
        let plane: Int

        func run<Down: TileSide, Across: TileSide>(_: Down.Type, _: Across.Type) {
            for k in Swift.stride(from: 0, to: K, by: 16) {
                let dy = dy + k, d = d + k
                Winograd.prefetchBeside(dy + Across.outputs * K, rows: Down.outputs, line: line, C: K)
                @inline(__always) func column(_ j: Int) -> Six { j < Across.outputs ? Down.gradientLine(Down.loadOutputs(dy + j * K, line)) : Winograd.zeros }
                let (a, b, c, e) = (column(0), column(1), column(2), column(3))
                Across.store(Across.gradientLine((a.0, b.0, c.0, e.0)), d, plane)
                Across.store(Across.gradientLine((a.1, b.1, c.1, e.1)), d + 6 * plane, plane)
                Across.store(Across.gradientLine((a.2, b.2, c.2, e.2)), d + 12 * plane, plane)
                Across.store(Across.gradientLine((a.3, b.3, c.3, e.3)), d + 18 * plane, plane)
                if Down.has(4) { Across.store(Across.gradientLine((a.4, b.4, c.4, e.4)), d + 24 * plane, plane) }
                Across.store(Across.gradientLine((a.5, b.5, c.5, e.5)), d + 30 * plane, plane)
            }
        }
    }

    // MARK: Weights

    /// Computes U = G g Gᵀ of panel `index` of each element, from w (K, 3, 3, C), packed for products V·U.
    ///
    /// - Parameter plane: the stride between the panels of the 36 elements, in floats.
    public static func transformWeights(
        _ w: UnsafePointer<Float>, C: Int, K: Int, panel index: Int, into panel: UnsafeMutablePointer<Float>, plane: Int
    ) {
        let panels = Panels(k: C, n: K)
        let columns = panels.columns(index), width = panels.stride(index)
        forEachInputChannel(w, C: C, outputs: columns) { k, c, nine in
            let target = panel + c * width + k - columns.lowerBound
            forEachElement(nine, step: 256, turned: false) { element, value in target.store(value, element * plane) }
        }
    }

    /// Calls `body` for each group of sixteen of `outputs` and each input channel with the nine weights that connect
    /// them, 256 floats apart. Blocks of weights are transposed so that sixteen output channels are contiguous, as a
    /// panel requires.
    ///
    /// Not inlined: otherwise the compiler takes ten minutes.
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

    /// The same for products that give the gradient of the input: weights rotated by 180°, (K, C).
    public static func transformTurnedWeights(
        _ w: UnsafePointer<Float>, C: Int, K: Int, panel index: Int, into panel: UnsafeMutablePointer<Float>, plane: Int
    ) {
        let panels = Panels(k: K, n: C)
        let columns = panels.columns(index), width = panels.stride(index)
        for k in 0..<K {
            for c in Swift.stride(from: 0, to: columns.count, by: 16) {
                let target = panel + k * width + c
                forEachElement(w + k * 9 * C + columns.lowerBound + c, step: C, turned: true) { element, value in
                    target.store(value, element * plane)
                }
            }
        }
    }

    /// Computes G g Gᵀ for sixteen channels, whose nine weights are `step` floats apart.
    @inline(__always)
    private static func forEachElement(_ g: UnsafePointer<Float>, step: Int, turned: Bool, _ body: (_ element: Int, _ value: Vector) -> Void) {
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

    /// Adds Gᵀ du G to the weights dw (3, 3, C) of output channel k, from du (36 elements, C) of that channel.
    ///
    /// - Parameter plane: the stride between elements of `du`, in floats.
    public static func addWeightGradient(_ du: UnsafePointer<Float>, plane: Int, C: Int, to dw: UnsafeMutablePointer<Float>) {
        for c in Swift.stride(from: 0, to: C, by: 16) {
            @inline(__always) func column(_ j: Int) -> (Vector, Vector, Vector) { weightGradientLine(load(du + c + j * plane, 6 * plane)) }
            let (a, b, d, e, f, g) = (column(0), column(1), column(2), column(3), column(4), column(5))
            @inline(__always) func row(_ r: Int, _ x: Six) {
                let (p, q, s) = weightGradientLine(x)
                let element = dw + 3 * r * C + c
                element.store(element.vector(0) + p, 0)
                element.store(element.vector(C) + q, C)
                element.store(element.vector(2 * C) + s, 2 * C)
            }
            row(0, (a.0, b.0, d.0, e.0, f.0, g.0))
            row(1, (a.1, b.1, d.1, e.1, f.1, g.1))
            row(2, (a.2, b.2, d.2, e.2, f.2, g.2))
        }
    }
}

extension Epilogue {
    /// Stores up to four pixels of a row, `step` floats apart.
    @inline(__always)
    func store(_ four: Winograd.Four, _ columns: Int, _ y: UnsafeMutablePointer<Float>, _ offset: Int, step: Int, _ k: Int) {
        @inline(__always) func put(_ column: Int, _ value: Vector) {
            guard column < columns else { return }
            let offset = offset + column * step
            var value = value
            if accumulates { value += y.vector(offset) }
            if let bias { value += bias.vector(k) }
            if let residual { value += residual.vector(offset) }
            value = activated(value)
            if isNonTemporal { seed_store_nontemporal(y + offset, value) } else { y.store(value, offset) }
        }
        put(0, four.0)
        put(1, four.1)
        put(2, four.2)
        put(3, four.3)
    }

    @inline(__always)
    private func activated(_ value: Vector) -> Vector { activation.apply(Activated(value: value)) }

    private struct Activated: ActivationBody {
        let value: Vector
        @inline(__always) func run<A: ActivationFunction>(_: A.Type) -> Vector { A.value(value) }
    }

    /// Not inlined, so that a row without an activation does not carry the code of the exponential.
    @inline(never)
    fileprivate func activated(_ row: Winograd.Four) -> Winograd.Four { (activated(row.0), activated(row.1), activated(row.2), activated(row.3)) }
}

extension TileSide {
    /// Stores a whole row of outputs, `step` floats apart, and tests each part of the epilogue once.
    @inline(__always)
    fileprivate static func put(
        _ epilogue: Epilogue, _ row: Winograd.Four, _ y: UnsafeMutablePointer<Float>, _ offset: Int, _ step: Int, _ k: Int
    ) {
        var row = row
        @inline(__always) func add(_ p: UnsafePointer<Float>, _ step: Int) {
            row.0 += p.vector(0)
            row.1 += p.vector(step)
            row.2 += p.vector(2 * step)
            if outputs > 3 { row.3 += p.vector(3 * step) }
        }
        if epilogue.accumulates { add(y + offset, step) }
        if let bias = epilogue.bias { add(bias + k, 0) }
        if let residual = epilogue.residual { add(residual + offset, step) }
        switch epilogue.activation {
        case .none: break
        // Stays in registers.
        case .relu: row = (RectifiedLinear.value(row.0), RectifiedLinear.value(row.1), RectifiedLinear.value(row.2), RectifiedLinear.value(row.3))
        default: row = epilogue.activated(row)
        }
        put(row, y + offset, step, nonTemporal: epilogue.isNonTemporal)
    }

    @inline(__always)
    fileprivate static func put(_ row: Winograd.Four, _ y: UnsafeMutablePointer<Float>, _ step: Int, nonTemporal: Bool) {
        if nonTemporal {
            seed_store_nontemporal(y, row.0)
            seed_store_nontemporal(y + step, row.1)
            seed_store_nontemporal(y + 2 * step, row.2)
            if outputs > 3 { seed_store_nontemporal(y + 3 * step, row.3) }
        } else {
            y.store(row.0, 0)
            y.store(row.1, step)
            y.store(row.2, 2 * step)
            if outputs > 3 { y.store(row.3, 3 * step) }
        }
    }
}
