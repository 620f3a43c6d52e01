import Kernels
import Parallel

/// 3×3 convolutions with stride 2 by tiles; see ``StridedWinograd`` for the equations.
struct StridedWinogradTiles: ConvolutionAlgorithm {
    let window: Window
    let K: Int
    private let strided: StridedWinograd

    /// Requires whole vectors of channels and enough pixels, as ``WinogradTiles`` does.
    ///
    /// The transformed weights, nine times as many as the weights, must not come from main memory. The gradient of the
    /// weights reads no transformed weights, so it pays up to twice that size.
    init?(_ window: Window, K: Int) {
        guard window.isSymmetric, window.stride == 2, window.R == 3, window.S == 3, window.padding <= 2, window.C % 16 == 0, K % 16 == 0,
            StridedWinograd.packedCount(C: window.C, K: K) <= 1 << 23
        else { return nil }
        strided = StridedWinograd(H: window.H, W: window.W, padding: window.padding)
        guard 4 * StridedWinograd.products * strided.tiles < 3 * 9 * window.outputPixels else { return nil }
        (self.window, self.K) = (window, K)
    }

    var directions: ConvolutionDirection { packedCount <= 1 << 22 ? [.forward, .data, .weights] : .weights }

    private typealias Elements = StridedWinograd.Elements

    /// The number of tiles in one piece of work, chosen as in ``WinogradTiles``.
    private var tilesAtOnce: Int { StridedWinograd.products * window.C * K <= 1 << 20 ? 28 : 56 }

    func scratch(_ direction: ConvolutionDirection, N: Int) -> Scratch.Need {
        let C = window.C
        if direction == .weights {
            let chunk = chunk(N: N)
            return Scratch.Need(
                worker: border, shared: Elements(C: C, rows: K).floats + Elements(C: C, rows: chunk).floats + StridedWinograd.elements * Winograd.plane(K, tiles: chunk))
        }
        let transforms = Elements(C: C, rows: tilesAtOnce).floats + StridedWinograd.elements * Winograd.plane(K, tiles: tilesAtOnce)
        return Scratch.Need(worker: transforms + border, shared: packedCount)
    }

    /// Workspace for a tile at an edge.
    private var border: Int { max(81 * window.C, StridedWinograd.elements * K) }

    var packedCount: Int { StridedWinograd.packedCount(C: window.C, K: K) }

    func pack(_ W: UnsafePointer<Float>, into packed: UnsafeMutablePointer<Float>) {
        Parallel.forEach(Panels(k: window.C, n: K).count) { panel, _ in
            StridedWinograd.transformWeights(W, C: window.C, K: K, panel: panel, into: packed)
        }
    }

    /// y from x: transform, 25 products, inverse transform, a few tiles at a time.
    func forward(_ pass: ConvolutionForward, packed: UnsafePointer<Float>) {
        let C = window.C, scratch = pass.scratch
        let total = pass.N * strided.tiles
        let pieces = (total + tilesAtOnce - 1) / tilesAtOnce
        Parallel.forEach(pieces, workers: scratch.workers) { piece, worker in
            let tiles = Parallel.part(piece, of: pieces, in: total)
            let elements = Elements(C: C, rows: tiles.count), plane = Winograd.plane(K, tiles: tiles.count)
            let v = scratch.pointer(worker)
            let m = v + elements.floats
            strided.transformInput(pass.x, C: C, tiles: tiles, into: v, elements, border: m + StridedWinograd.elements * plane)
            for element in 0..<StridedWinograd.elements {
                GEMM.multiply(
                    v + elements.offset(element), lda: elements.stride(element), m: tiles.count, packed + StridedWinograd.packedOffset(element, C: C, K: K),
                    Panels(k: StridedWinograd.phases(element) * C, n: K), into: m + element * plane, ldc: Winograd.stride(K))
            }
            strided.transformOutput(m, plane: plane, K: K, tiles: tiles, into: pass.y, pass.epilogue)
        }
    }

    /// dx from dy in the same way; each product has the phases of dx side by side.
    func backwardData(
        dx: UnsafeMutablePointer<Float>, _ epilogue: Epilogue, dy: UnsafePointer<Float>, W: UnsafePointer<Float>, N: Int, scratch: Scratch
    ) {
        let C = window.C
        let packed = scratch.shared
        Parallel.forEach((C + 31) / 32) { piece, _ in
            StridedWinograd.transformTurnedWeights(W, C: C, K: K, channels: (32 * piece)..<min(C, 32 * piece + 32), into: packed)
        }
        let total = N * strided.adjointTiles
        let pieces = (total + tilesAtOnce - 1) / tilesAtOnce
        Parallel.forEach(pieces, workers: scratch.workers) { piece, worker in
            let tiles = Parallel.part(piece, of: pieces, in: total)
            let elements = Elements(C: C, rows: tiles.count), plane = Winograd.plane(K, tiles: tiles.count)
            let m = scratch.pointer(worker)
            let d = m + elements.floats
            strided.transformAdjointInput(dy, K: K, tiles: tiles, into: d, plane: plane, border: d + StridedWinograd.elements * plane)
            for element in 0..<StridedWinograd.elements {
                GEMM.multiply(
                    d + element * plane, lda: Winograd.stride(K), m: tiles.count, packed + StridedWinograd.packedOffset(element, C: C, K: K),
                    Panels(k: K, n: StridedWinograd.phases(element) * C), into: m + elements.offset(element), ldc: elements.stride(element))
            }
            strided.transformAdjointOutput(m, elements, C: C, tiles: tiles, into: dx, adding: epilogue.accumulates)
        }
    }

    /// The number of tiles whose transforms are kept at once for the gradient of the weights: about 16 MB.
    private func chunk(N: Int) -> Int {
        min(N * strided.tiles, max(112, (1 << 22) / (StridedWinograd.products * window.C + StridedWinograd.elements * K)))
    }

    /// For each chunk of tiles: transform x and dy, then accumulate the 25 products dU = Dᵀ·V (K, phases·C), each split
    /// among threads by rows, so that no partial sums are needed. Finally dW += Gᵀ dU G.
    func backwardWeights(
        dW: UnsafeMutablePointer<Float>, dy: UnsafePointer<Float>, x: UnsafePointer<Float>, normalized: NormalizedInput?, N: Int, scratch: Scratch
    ) {
        let C = window.C
        let total = N * strided.tiles, most = chunk(N: N)
        let chunks = (total + most - 1) / most
        let sums = Elements(C: C, rows: K), inputs = Elements(C: C, rows: most), plane = Winograd.plane(K, tiles: most)
        let du = scratch.shared
        let v = du + sums.floats
        let d = v + inputs.floats
        let rows = 8 * Panels.rows, blocks = (K + rows - 1) / rows
        for chunk in 0..<chunks {
            let tiles = Parallel.part(chunk, of: chunks, in: total)
            let pieces = (tiles.count + 13) / 14
            Parallel.forEach(2 * pieces, workers: scratch.workers) { piece, worker in
                let own = Parallel.part(piece / 2, of: pieces, in: tiles.count)
                let range = (tiles.lowerBound + own.lowerBound)..<(tiles.lowerBound + own.upperBound)
                let border = scratch.pointer(worker)
                if piece % 2 == 0 {
                    strided.transformInput(x, C: C, tiles: range, into: v, inputs, first: own.lowerBound, border: border)
                } else {
                    strided.transformGradient(dy, K: K, tiles: range, into: d + own.lowerBound * Winograd.stride(K), plane: plane, border: border)
                }
            }
            Parallel.forEach(StridedWinograd.elements * blocks) { piece, _ in
                let element = piece / blocks
                let own = Parallel.part(piece % blocks, of: blocks, in: K)
                GEMM.multiplyTransposed(
                    d + element * plane + own.lowerBound, lda: Winograd.stride(K), m: own.count, v + inputs.offset(element), ldb: inputs.stride(element),
                    n: StridedWinograd.phases(element) * C, k: tiles.count, into: du + sums.offset(element) + own.lowerBound * sums.stride(element),
                    ldc: sums.stride(element), accumulates: chunk > 0)
            }
        }
        Parallel.forEach(K) { k, _ in StridedWinograd.addWeightGradient(du, sums, row: k, C: C, to: dW + k * 9 * C) }
    }
}
