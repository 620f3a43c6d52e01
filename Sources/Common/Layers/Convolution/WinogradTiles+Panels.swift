import Kernels
import Parallel

/// Winograd tiles for many weights and few tiles, as in a network's last layers.
///
/// The 36 transforms of 512×512 weights take 38 MB. Here they are never in memory as a whole. First all tiles are
/// transformed. Then each piece of work transforms the weights of one panel of columns, multiplies, and transforms the
/// result back, all in the cache. The weights' gradient is computed in the same way by rows.
extension WinogradTiles {
    /// Whether to use this path: the tiles' transforms stay in the last-level cache, but those of the weights would
    /// not.
    func hasManyWeights(N: Int) -> Bool {
        Winograd.elements * window.C * K > 1 << 22 && transformed(N: N) <= WinogradTiles.mostTransformed
    }

    private static let mostTransformed = 6 << 20

    /// The largest number of images, up to N, that use this path.
    func imagesByPanels(N: Int) -> Int? {
        guard hasManyWeights(N: 1) else { return nil }
        var few = 1
        while few < N, hasManyWeights(N: few + 1) { few += 1 }
        return few
    }

    /// The number of floats of all tiles' transforms, input and output.
    private func transformed(N: Int) -> Int {
        let tiles = N * max(winograd.tiles, winograd.adjoint.tiles)
        return Winograd.elements * (Winograd.plane(window.C, tiles: tiles) + Winograd.plane(K, tiles: tiles))
    }

    private static let gradientRowsAtOnce = 2 * Panels.rows

    func panelsScratch(N: Int) -> Scratch.Need {
        let tiles = N * max(winograd.tiles, winograd.adjoint.tiles), widest = max(window.C, K)
        let forward = widest * Panels.width + Winograd.plane(Panels.width, tiles: tiles)
        return Scratch.Need(
            worker: Winograd.elements * max(forward, WinogradTiles.gradientRowsAtOnce * window.C, widest), shared: transformed(N: N))
    }

    /// y (…, K) from x (…, C), with weights W, or rotated for the gradient of the input.
    func convolveByPanels(
        _ winograd: Winograd, from x: UnsafePointer<Float>, C: Int, _ W: UnsafePointer<Float>, turned: Bool, to y: UnsafeMutablePointer<Float>, K: Int,
        N: Int, _ epilogue: Epilogue, _ scratch: Scratch
    ) {
        let tiles = N * winograd.tiles, panels = Panels(k: C, n: K), order = winograd.order(N: N)
        let v = scratch.shared, plane = Winograd.plane(C, tiles: tiles)
        let pieces = (tiles + 6) / 7
        Parallel.forEach(pieces, workers: scratch.workers) { piece, worker in
            let own = Parallel.part(piece, of: pieces, in: tiles)
            winograd.transformInput(
                x, N: N, C: C, tiles: own, into: v + own.lowerBound * Winograd.stride(C), plane: plane, border: scratch.pointer(worker))
        }
        Parallel.forEach(panels.count, workers: scratch.workers) { index, worker in
            let columns = panels.columns(index), own = Panels(k: C, n: columns.count)
            let u = scratch.pointer(worker), m = u + Winograd.elements * own.floats
            if turned {
                Winograd.transformTurnedWeights(W, C: K, K: C, panel: index, into: u, plane: own.floats)
            } else {
                Winograd.transformWeights(W, C: C, K: K, panel: index, into: u, plane: own.floats)
            }
            let after = Winograd.plane(columns.count, tiles: tiles)
            for element in 0..<Winograd.elements {
                let having = order.having(element, in: 0..<tiles)
                GEMM.multiply(
                    v + element * plane + having.lowerBound * Winograd.stride(C), lda: Winograd.stride(C), m: having.count, u + element * own.floats, own,
                    into: m + element * after + having.lowerBound * Winograd.stride(columns.count), ldc: Winograd.stride(columns.count))
            }
            winograd.transformOutput(m, plane: after, N: N, K: K, channels: columns, tiles: 0..<tiles, into: y, epilogue)
        }
    }

    /// dW += Gᵀ (Dᵀ·V) G, some rows at a time.
    func backwardWeightsByRows(
        dW: UnsafeMutablePointer<Float>, dy: UnsafePointer<Float>, x: UnsafePointer<Float>, N: Int, scratch: Scratch
    ) {
        let (C, K, elements, tiles) = (window.C, self.K, Winograd.elements, N * winograd.tiles)
        let planeV = Winograd.plane(C, tiles: tiles), planeD = Winograd.plane(K, tiles: tiles)
        let v = scratch.shared, d = v + elements * planeV
        transformBoth(x, v, planeV, dy, d, planeD, N: N, tiles: 0..<tiles, scratch)
        let order = winograd.order(N: N)
        let most = WinogradTiles.gradientRowsAtOnce, blocks = (K + most - 1) / most
        Parallel.forEach(blocks, workers: scratch.workers) { block, worker in
            let rows = Parallel.part(block, of: blocks, in: K), du = scratch.pointer(worker)
            for element in 0..<elements {
                let having = order.having(element, in: 0..<tiles)
                GEMM.multiplyTransposed(
                    d + element * planeD + having.lowerBound * Winograd.stride(K) + rows.lowerBound, lda: Winograd.stride(K), m: rows.count,
                    v + element * planeV + having.lowerBound * Winograd.stride(C), ldb: Winograd.stride(C), n: C, k: having.count,
                    into: du + element * rows.count * C, ldc: C)
            }
            for (row, k) in rows.enumerated() { Winograd.addWeightGradient(du + row * C, plane: rows.count * C, C: C, to: dW + k * 9 * C) }
        }
    }
}
