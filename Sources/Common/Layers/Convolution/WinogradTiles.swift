import Kernels
import Parallel

/// 3×3 convolutions with stride 1 by Winograd tiles; see ``Winograd`` for the equations.
struct WinogradTiles: ConvolutionAlgorithm {
    let window: Window
    let K: Int
    let winograd: Winograd

    /// Requires whole vectors of channels, and 4/3 of its multiplications to be fewer than those of direct convolution:
    /// the extra third accounts for the transforms.
    init?(_ window: Window, K: Int) {
        guard window.isSymmetric, window.stride == 1, window.R == 3, window.S == 3, window.padding <= 2, window.C % 16 == 0, K % 16 == 0 else { return nil }
        winograd = Winograd(H: window.H, W: window.W, padding: window.padding)
        guard 4 * winograd.products < 3 * 9 * window.outputPixels else { return nil }
        (self.window, self.K) = (window, K)
    }

    var directions: ConvolutionDirection { [.forward, .data, .weights] }

    // MARK: The three directions

    var packedCount: Int { Winograd.elements * Panels(k: window.C, n: K).floats }

    func pack(_ W: UnsafePointer<Float>, into packed: UnsafeMutablePointer<Float>) {
        let panels = Panels(k: window.C, n: K)
        Parallel.forEach(panels.count) { panel, _ in
            Winograd.transformWeights(W, C: window.C, K: K, panel: panel, into: packed + panels.offset(panel), plane: panels.floats)
        }
    }

    func forward(_ pass: ConvolutionForward, packed: UnsafePointer<Float>) {
        convolve(winograd, from: pass.x, C: window.C, packed, to: pass.y, K: K, N: pass.N, pass.epilogue, pass.scratch)
    }

    func forward(_ pass: ConvolutionForward, W: UnsafePointer<Float>) {
        if hasManyWeights(N: pass.N) {
            return convolveByPanels(winograd, from: pass.x, C: window.C, W, turned: false, to: pass.y, K: K, N: pass.N, pass.epilogue, pass.scratch)
        }
        pack(W, into: pass.scratch.shared)
        forward(pass, packed: pass.scratch.shared)
    }

    /// The same convolution of dy, with weights rotated by 180° and C and K exchanged.
    func backwardData(
        dx: UnsafeMutablePointer<Float>, _ epilogue: Epilogue, dy: UnsafePointer<Float>, W: UnsafePointer<Float>, N: Int, scratch: Scratch
    ) {
        if hasManyWeights(N: N) {
            return convolveByPanels(winograd.adjoint, from: dy, C: K, W, turned: true, to: dx, K: window.C, N: N, epilogue, scratch)
        }
        let panels = Panels(k: K, n: window.C)
        Parallel.forEach(panels.count) { panel, _ in
            Winograd.transformTurnedWeights(W, C: window.C, K: K, panel: panel, into: scratch.shared + panels.offset(panel), plane: panels.floats)
        }
        convolve(winograd.adjoint, from: dy, C: K, scratch.shared, to: dx, K: window.C, N: N, epilogue, scratch)
    }

    func backwardWeights(
        dW: UnsafeMutablePointer<Float>, dy: UnsafePointer<Float>, x: UnsafePointer<Float>, normalized: NormalizedInput?, N: Int, scratch: Scratch
    ) {
        if hasManyWeights(N: N) {
            backwardWeightsByRows(dW: dW, dy: dy, x: x, N: N, scratch: scratch)
        } else {
            backwardWeightsByChunks(dW: dW, dy: dy, x: x, N: N, scratch: scratch)
        }
    }

    // MARK: How the work is cut

    /// The number of tiles in one piece of work. It is small, so that the intermediate results between the transforms
    /// stay in the cache. It is larger if the weights do not fit in the cache, since each piece reads them all.
    private static func tiles(_ C: Int, _ K: Int) -> Int {
        let weights = Winograd.elements * C * K
        return weights <= 1 << 18 ? 14 : weights <= 1 << 20 ? 28 : 56
    }

    private static func pieces(_ total: Int, _ C: Int, _ K: Int) -> Int {
        let pieces = (total + tiles(C, K) - 1) / tiles(C, K)
        // With few pieces, the load is unbalanced if one thread gets one more than the others.
        return pieces < 16 ? min(total, (pieces + 3) / 4 * 4) : pieces
    }

    func scratch(_ direction: ConvolutionDirection, N: Int) -> Scratch.Need {
        var need = tilesScratch(N: N)
        // Smaller batches may use the other path.
        if let few = imagesByPanels(N: N) { need.formUnion(panelsScratch(N: few)) }
        return need
    }

    private func tilesScratch(N: Int) -> Scratch.Need {
        let C = window.C, elements = Winograd.elements
        let tiles = WinogradTiles.tiles(C, K)
        let chunk = gradientChunk(N: N)
        return Scratch.Need(
            worker: elements * (Winograd.plane(C, tiles: tiles) + Winograd.plane(K, tiles: tiles) + max(C, K)),
            shared: max(
                elements * max(Panels(k: C, n: K).floats, Panels(k: K, n: C).floats),
                elements * (K * C + Winograd.plane(C, tiles: chunk) + Winograd.plane(K, tiles: chunk))))
    }

    /// y (…, K) from x (…, C): transform, 36 products, inverse transform, a few tiles at a time.
    private func convolve(
        _ winograd: Winograd, from x: UnsafePointer<Float>, C: Int, _ packed: UnsafePointer<Float>, to y: UnsafeMutablePointer<Float>, K: Int, N: Int,
        _ epilogue: Epilogue, _ scratch: Scratch
    ) {
        let panels = Panels(k: C, n: K)
        let total = N * winograd.tiles
        let pieces = WinogradTiles.pieces(total, C, K), order = winograd.order(N: N)
        Parallel.forEach(pieces, workers: scratch.workers) { piece, worker in
            let tiles = Parallel.part(piece, of: pieces, in: total)
            let before = Winograd.plane(C, tiles: tiles.count), after = Winograd.plane(K, tiles: tiles.count)
            let v = scratch.pointer(worker)
            let m = v + Winograd.elements * before
            winograd.transformInput(x, N: N, C: C, tiles: tiles, into: v, plane: before, border: m)
            for element in 0..<Winograd.elements {
                let own = order.having(element, in: tiles)
                GEMM.multiply(
                    v + element * before + own.lowerBound * Winograd.stride(C), lda: Winograd.stride(C), m: own.count, packed + element * panels.floats,
                    panels, into: m + element * after + own.lowerBound * Winograd.stride(K), ldc: Winograd.stride(K))
            }
            winograd.transformOutput(m, plane: after, N: N, K: K, tiles: tiles, into: y, epilogue)
        }
    }

    /// The number of tiles whose transforms are kept at once for the gradient of the weights.
    ///
    /// About 4 MB, which the cache and the TLB hold, but enough that the sums, which are read and written once per
    /// chunk, do not dominate.
    private func gradientChunk(N: Int) -> Int {
        min(N * winograd.tiles, max(128, (1 << 20) / (Winograd.elements * (Winograd.stride(window.C) + Winograd.stride(K)))))
    }

    /// For each chunk of tiles: transform x and dy, then accumulate the 36 products dU[p] = D[p]ᵀ·V[p] (K, C), each
    /// split among threads by rows, so that no partial sums are needed. Finally dW += Gᵀ dU G.
    private func backwardWeightsByChunks(
        dW: UnsafeMutablePointer<Float>, dy: UnsafePointer<Float>, x: UnsafePointer<Float>, N: Int, scratch: Scratch
    ) {
        let C = window.C, elements = Winograd.elements
        let total = N * winograd.tiles, most = gradientChunk(N: N)
        let chunks = (total + most - 1) / most
        let planeV = Winograd.plane(C, tiles: most), planeD = Winograd.plane(K, tiles: most)
        let du = scratch.shared
        let v = du + elements * K * C
        let d = v + elements * planeV
        let rows = 8 * Panels.rows, blocks = (K + rows - 1) / rows
        let order = winograd.order(N: N)
        for chunk in 0..<chunks {
            let tiles = Parallel.part(chunk, of: chunks, in: total)
            transformBoth(x, v, planeV, dy, d, planeD, N: N, tiles: tiles, scratch)
            Parallel.forEach(elements * blocks) { piece, _ in
                let element = piece / blocks
                let own = Parallel.part(piece % blocks, of: blocks, in: K), having = order.having(element, in: tiles)
                if chunk > 0 && having.isEmpty { return }
                GEMM.multiplyTransposed(
                    d + element * planeD + having.lowerBound * Winograd.stride(K) + own.lowerBound, lda: Winograd.stride(K), m: own.count,
                    v + element * planeV + having.lowerBound * Winograd.stride(C), ldb: Winograd.stride(C), n: C, k: having.count,
                    into: du + (element * K + own.lowerBound) * C, ldc: C, accumulates: chunk > 0)
            }
        }
        Parallel.forEach(K) { k, _ in Winograd.addWeightGradient(du + k * C, plane: K * C, C: C, to: dW + k * 9 * C) }
    }

    /// Computes V from x and D from dy for the tiles `tiles`.
    func transformBoth(
        _ x: UnsafePointer<Float>, _ v: UnsafeMutablePointer<Float>, _ planeV: Int, _ dy: UnsafePointer<Float>,
        _ d: UnsafeMutablePointer<Float>, _ planeD: Int, N: Int, tiles: Range<Int>, _ scratch: Scratch
    ) {
        let pieces = (tiles.count + 13) / 14
        Parallel.forEach(2 * pieces, workers: scratch.workers) { piece, worker in
            let own = Parallel.part(piece / 2, of: pieces, in: tiles.count)
            let range = (tiles.lowerBound + own.lowerBound)..<(tiles.lowerBound + own.upperBound)
            if piece % 2 == 0 {
                winograd.transformInput(
                    x, N: N, C: window.C, tiles: range, into: v + own.lowerBound * Winograd.stride(window.C), plane: planeV, border: scratch.pointer(worker))
            } else {
                winograd.transformGradient(
                    dy, N: N, K: K, tiles: range, into: d + own.lowerBound * Winograd.stride(K), plane: planeD, border: scratch.pointer(worker))
            }
        }
    }
}
