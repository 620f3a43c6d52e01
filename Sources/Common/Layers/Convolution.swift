public import Kernels
import Parallel

/// A convolution without bias, on pictures whose channels lie together.
///
/// | array | shape            |                                                   |
/// |-------|------------------|---------------------------------------------------|
/// | x     | (N, H, W, C)     |                                                   |
/// | W     | (K, R, S, C)     | PyTorch's (K, C, R, S) with the channels moved last |
/// | y     | (N, H', W', K)   | H' = (H + 2·padding − R) / stride + 1             |
///
/// Seen as matrices: every place of y has a patch of x, a row of P (N·H'·W', R·S·C). The patches are
/// gathered a tile at a time into memory that stays in the cache; a 1×1 window needs no gathering.
public struct Convolution: Sendable {
    public let window: Window
    /// Output channels.
    public let K: Int

    public init(window: Window, K: Int) {
        self.window = window
        self.K = K
    }

    public var weightCount: Int { K * window.patch }

    /// Rows of patches in one tile: about a megabyte of them, but enough rows to pay for the packing of W.
    private var tile: Int { max(192, (1 << 18) / window.patch / 16 * 16) }

    /// Floats of scratch each worker needs.
    public var scratch: Int { (window.isPointwise ? 0 : tile * window.patch) }

    /// Sets y = P·Wᵀ; with `bias` it also adds that and a residual and applies the activation, as folded batch norm wants.
    public func forward(
        y: UnsafeMutablePointer<Float>, x: UnsafePointer<Float>, W: UnsafePointer<Float>, N: Int,
        bias: UnsafePointer<Float>? = nil, residual: UnsafePointer<Float>? = nil, _ activation: Rows.Activation = .none, scratch: Scratch
    ) {
        let rows = N * window.places
        let tile = min(self.tile, max(16, (rows + 1) / 2))
        Parallel.forEach((rows + tile - 1) / tile, workers: scratch.workers) { piece, worker in
            let range = (piece * tile)..<min(rows, (piece + 1) * tile)
            let patches = patchRows(x, range, scratch.pointerIfNeeded(worker, window))
            let out = y + range.lowerBound * K
            Matrix.multiply(
                patches, lda: window.patch, W, .transposed, ldb: window.patch, into: out, ldc: K, m: range.count, n: K, k: window.patch)
            if let bias {
                Rows.finish(out, bias: bias, residual: residual.map { $0 + range.lowerBound * K }, activation, rows: range.count, width: K)
            }
        }
    }

    /// Adds to `dx`, or sets it.
    ///
    /// From y = P·Wᵀ: dP = dy·W, and dx sums the patches over the places they were gathered from.
    public func backwardData(
        dx: UnsafeMutablePointer<Float>, adding: Bool, dy: UnsafePointer<Float>, W: UnsafePointer<Float>, N: Int, scratch: Scratch
    ) {
        let pixels = window.H * window.W
        if window.isPointwise {
            let rows = N * pixels
            let tile = min(self.tile, max(16, (rows + 1) / 2))
            Parallel.forEach((rows + tile - 1) / tile) { piece, _ in
                let range = (piece * tile)..<min(rows, (piece + 1) * tile)
                Matrix.multiply(
                    dy + range.lowerBound * K, lda: K, W, ldb: window.C, into: dx + range.lowerBound * window.C, ldc: window.C,
                    m: range.count, n: window.C, k: K, beta: adding ? 1 : 0)
            }
            return
        }
        // Patches overlap, so a piece is whole pictures: as many as make a tile.
        let pictures = max(1, min(tile / window.places, (N + 1) / 2))
        Parallel.forEach((N + pictures - 1) / pictures, workers: scratch.workers) { piece, worker in
            let own = (piece * pictures)..<min(N, (piece + 1) * pictures)
            if !adding { (dx + own.lowerBound * pixels * window.C).update(repeating: 0, count: own.count * pixels * window.C) }
            let patches = scratch.pointer(worker)
            let end = own.upperBound * window.places
            for start in stride(from: own.lowerBound * window.places, to: end, by: tile) {
                let range = start..<min(end, start + tile)
                Matrix.multiply(
                    dy + start * K, lda: K, W, ldb: window.patch, into: patches, ldc: window.patch, m: range.count, n: window.patch, k: K)
                window.scatter(patches, places: range, addingTo: dx)
            }
        }
    }

    /// How many parts of the batch sum their dW apart: by the sizes alone, so that the order of summing is fixed.
    public func weightParts(N: Int) -> Int {
        let tiles = (N * window.places + tile - 1) / tile
        return max(1, min(weightCount >= 1 << 20 ? 4 : 8, tiles))
    }

    /// Adds to `dW`.
    ///
    /// From y = P·Wᵀ: dW = dyᵀ·P. The batch is cut into ``weightParts(N:)`` parts, whose sums are made in `partial`
    /// (parts, K, R, S, C) and then added in order.
    public func backwardWeights(
        dW: UnsafeMutablePointer<Float>, dy: UnsafePointer<Float>, x: UnsafePointer<Float>, N: Int, partial: UnsafeMutablePointer<Float>,
        scratch: Scratch
    ) {
        let rows = N * window.places
        let parts = weightParts(N: N)
        Parallel.forEach(parts, workers: scratch.workers) { part, worker in
            let own = Parallel.part(part, of: parts, in: rows)
            var first = true
            for start in stride(from: own.lowerBound, to: own.upperBound, by: tile) {
                let range = start..<min(own.upperBound, start + tile)
                let patches = patchRows(x, range, scratch.pointerIfNeeded(worker, window))
                Matrix.multiply(
                    dy + start * K, .transposed, lda: K, patches, ldb: window.patch, into: partial + part * weightCount, ldc: window.patch,
                    m: K, n: window.patch, k: range.count, beta: first ? 0 : 1)
                first = false
            }
        }
        let runs = max(1, weightCount / 65536)
        Parallel.forEach(runs) { run, _ in
            let own = Parallel.part(run, of: runs, in: weightCount)
            for part in 0..<parts {
                Rows.add(partial + part * weightCount + own.lowerBound, to: dW + own.lowerBound, count: own.count)
            }
        }
    }

    /// The rows `range` of P: where they lie in x, or gathered into `memory`.
    private func patchRows(_ x: UnsafePointer<Float>, _ range: Range<Int>, _ memory: UnsafeMutablePointer<Float>?) -> UnsafePointer<Float> {
        guard let memory else { return x + range.lowerBound * window.C }
        window.gather(x, places: range, into: memory)
        return UnsafePointer(memory)
    }
}

extension Scratch {
    fileprivate func pointerIfNeeded(_ worker: Int, _ window: Window) -> UnsafeMutablePointer<Float>? {
        window.isPointwise ? nil : pointer(worker)
    }
}
