import Kernels
import Parallel

/// Convolution by im2col: every output pixel has a patch of x, a row of P (N·H'·W', R·S·C), and y = P·Wᵀ.
///
/// Patches are copied a few rows at a time into memory that stays in the cache; a 1×1 window needs no copy. Supports
/// every shape.
struct Im2col: ConvolutionAlgorithm {
    let window: Window
    let K: Int

    init?(_ window: Window, K: Int) { self.init(every: window, K: K) }
    init(every window: Window, K: Int) { (self.window, self.K) = (window, K) }

    var directions: ConvolutionDirection { [.forward, .data, .weights] }
    private var weightCount: Int { K * window.patch }

    /// Wᵀ, the right factor of y = P·Wᵀ.
    private var panels: Panels { PatchGEMM.panels(window, K: K) }
    /// W, the right factor of dP = dy·W.
    private var gradientPanels: Panels { Panels(k: K, n: window.patch) }

    func scratch(_ direction: ConvolutionDirection, N: Int) -> Scratch.Need {
        switch direction {
        case .forward:
            return Scratch.Need(worker: forwardRows(N: N) * patchStride + max(forwardRows(N: N) * K, ColumnSums.floats(n: K)), shared: panels.floats)
        case .data:
            let worker =
                window.isPointwise
                ? rows(N * window.outputPixels, width: K) * RowStride.padded(K)
                : rows(window.outputPixels, width: window.patch) * (window.patch + RowStride.padded(K))
            return Scratch.Need(worker: worker, shared: gradientPanels.floats)
        default:
            var need = Scratch.Need()
            for blocks in [weightBlocks(N: N, whole: false), weightBlocks(N: N, whole: true)] {
                need.formUnion(Scratch.Need(
                    worker: blocks.chunk * (RowStride.padded(blocks.columns) + RowStride.padded(blocks.rows)), shared: blocks.parts * weightCount))
            }
            return need
        }
    }

    private var patchStride: Int { RowStride.padded(window.patch) }

    /// The number of rows in one piece of work: about 256 KB of the left factor, but enough pieces for many threads.
    private func rows(_ total: Int, width: Int) -> Int {
        let tile = 14
        return max(1, min((1 << 16) / width / tile, 16, total / 32 / tile)) * tile
    }

    /// The rows `range` of P and the stride between them in floats. They are read in place from x, or gathered,
    /// normalised or multiplied by gates into `memory`.
    private func patchRows(
        _ x: UnsafePointer<Float>, _ normalized: NormalizedInput?, _ gates: UnsafePointer<Float>?, _ range: Range<Int>,
        _ memory: UnsafeMutablePointer<Float>
    ) -> (UnsafePointer<Float>, Int) {
        if let normalized { return (UnsafePointer(memory), normalized.normalizeRows(x, range, into: memory)) }
        if let gates {
            let C = window.C
            for (row, pixel) in range.enumerated() {
                Rows.multiply(x + pixel * C, by: gates + pixel / window.outputPixels * C, into: memory + row * patchStride, count: C)
            }
            return (UnsafePointer(memory), patchStride)
        }
        if window.isPointwise && RowStride.spreads(window.C) { return (x + range.lowerBound * window.C, window.C) }
        window.im2col(x, pixels: range, into: memory, stride: patchStride)
        return (UnsafePointer(memory), patchStride)
    }

    private func forwardRows(N: Int) -> Int { rows(N * window.outputPixels, width: window.patch) }
    private func forwardPieces(N: Int) -> Int { (N * window.outputPixels + forwardRows(N: N) - 1) / forwardRows(N: N) }
    func momentPieces(N: Int) -> Int? { forwardPieces(N: N) }

    // MARK: Forward

    var packedCount: Int { panels.floats }

    func pack(_ W: UnsafePointer<Float>, into packed: UnsafeMutablePointer<Float>) { PatchGEMM.pack(W, window, K: K, into: packed) }

    func forward(_ pass: ConvolutionForward, packed: UnsafePointer<Float>) {
        let total = pass.N * window.outputPixels, rows = forwardRows(N: pass.N), (x, scratch) = (pass.x, pass.scratch)
        let gemm = PatchGEMM(window, K: K, packed, pass), moments = pass.moments.map { PieceMoments(Periods(C: K), $0) }
        Parallel.forEach(forwardPieces(N: pass.N), workers: scratch.workers) { piece, worker in
            let range = (piece * rows)..<min(total, (piece + 1) * rows)
            let (patches, stride) = patchRows(x, pass.normalized, pass.gates, range, scratch.pointer(worker))
            let workspace = scratch.pointer(worker) + rows * patchStride
            let next = window.isPointwise ? range.upperBound..<min(total, range.upperBound + rows) : 0..<0
            var prefetch = Prefetch(x, rows: next, columns: window.C)
            let sums = moments.map { _ in ColumnSums(workspace, n: K) }
            gemm.multiply(patches, lda: stride, range, workspace: workspace, sums: sums, prefetch: &prefetch)
            if let moments, let sums { moments.set(piece, sums, rows: range.count) }
        }
    }

    // MARK: The gradient of x

    /// From y = P·Wᵀ: dP = dy·W, and dx sums the patches over the pixels that they were gathered from.
    func backwardData(
        dx: UnsafeMutablePointer<Float>, _ epilogue: Epilogue, dy: UnsafePointer<Float>, W: UnsafePointer<Float>, N: Int, scratch: Scratch
    ) {
        let panels = gradientPanels
        Parallel.forEach(panels.count) { panel, _ in panels.pack(panel, of: W, ldb: window.patch, into: scratch.shared) }
        let pixels = window.H * window.W
        if window.isPointwise {
            let total = N * pixels
            let rows = rows(total, width: K)
            Parallel.forEach((total + rows - 1) / rows, workers: scratch.workers) { piece, worker in
                let range = (piece * rows)..<min(total, (piece + 1) * rows)
                let (gradients, stride) = gradientRows(dy, range, scratch.pointer(worker))
                var prefetch = Prefetch(dy, rows: range.upperBound..<min(total, range.upperBound + rows), columns: K)
                GEMM.multiply(
                    gradients, lda: stride, m: range.count, scratch.shared, panels, into: dx + range.lowerBound * window.C, ldc: window.C,
                    epilogue: epilogue, prefetch: &prefetch)
            }
            return
        }
        // Patches overlap, so a piece is a whole image.
        let rows = rows(window.outputPixels, width: window.patch)
        Parallel.forEach(N, workers: scratch.workers) { n, worker in
            if !epilogue.accumulates { (dx + n * pixels * window.C).update(repeating: 0, count: pixels * window.C) }
            let patches = scratch.pointer(worker)
            let memory = patches + rows * window.patch
            for first in Swift.stride(from: n * window.outputPixels, to: (n + 1) * window.outputPixels, by: rows) {
                let range = first..<min((n + 1) * window.outputPixels, first + rows)
                let (dy, stride) = gradientRows(dy, range, memory)
                GEMM.multiply(dy, lda: stride, m: range.count, scratch.shared, panels, into: patches, ldc: window.patch)
                window.col2im(patches, pixels: range, addingTo: dx)
            }
        }
    }

    /// The rows `range` of dy, in place or copied so that they spread over the cache sets.
    private func gradientRows(_ dy: UnsafePointer<Float>, _ range: Range<Int>, _ memory: UnsafeMutablePointer<Float>) -> (UnsafePointer<Float>, Int) {
        let source = dy + range.lowerBound * K
        if RowStride.spreads(K) { return (source, K) }
        let stride = RowStride.padded(K)
        Rows.copy(source, stride: K, rows: range.count, columns: K, into: memory, stride: stride)
        return (UnsafePointer(memory), stride)
    }

    // MARK: The gradient of the weights

    /// The partition of the gradient of the weights. It depends on sizes alone, so that the order of summation is
    /// fixed.
    private struct WeightBlocks {
        /// The numbers of blocks of dW down and across, and the most rows and columns of a block.
        let down, across, rows, columns: Int
        /// The number of patches gathered at once. If a patch is one pixel, a block, the patches and what is read next
        /// stay in the L2 cache.
        let chunk: Int
        /// The number of parts of the batch with separate sums of dW, used if dW has too few blocks to share.
        let parts: Int
    }

    /// - Parameter whole: whether a block has all columns. Patches of several pixels are gathered as a whole, and so
    ///   are normalised rows.
    private func weightBlocks(N: Int, whole: Bool) -> WeightBlocks {
        let single = window.isSingle, panels = (window.patch + 31) / 32
        let across = whole || !single ? 1 : (panels + 7) / 8
        let columns = (panels + across - 1) / across * 32
        let mostRows = single ? max(128, min(256, (1 << 16) / columns)) : 128
        let down = (K + mostRows - 1) / mostRows
        let chunk = single ? max(56, min(128, (1 << 16) / columns)) : max(56, min(256, (1 << 17) / window.patch))
        return WeightBlocks(
            down: down, across: across, rows: (K + down - 1) / down, columns: columns, chunk: chunk,
            parts: max(1, min((16 + down * across - 1) / (down * across), N * window.outputPixels / chunk)))
    }

    /// From y = P·Wᵀ: dW = dyᵀ·P. A piece computes a block of dW from a part of the batch; then the parts' sums are
    /// added in order.
    func backwardWeights(
        dW: UnsafeMutablePointer<Float>, dy: UnsafePointer<Float>, x: UnsafePointer<Float>, normalized: NormalizedInput?, N: Int, scratch: Scratch
    ) {
        let total = N * window.outputPixels, blocks = weightBlocks(N: N, whole: normalized != nil), each = blocks.down * blocks.across
        let partial = scratch.shared
        Parallel.forEach(blocks.parts * each, workers: scratch.workers) { piece, worker in
            let own = Parallel.part(piece / each, of: blocks.parts, in: total)
            let rows = Parallel.part(piece % each / blocks.across, of: blocks.down, in: K)
            let panels = Parallel.part(piece % blocks.across, of: blocks.across, in: (window.patch + 31) / 32)
            let columns = (32 * panels.lowerBound)..<min(window.patch, 32 * panels.upperBound)
            let gradients = scratch.pointer(worker), stride = RowStride.padded(rows.count)
            let patches = gradients + blocks.chunk * RowStride.padded(blocks.rows)
            let target = partial + piece / each * weightCount + rows.lowerBound * window.patch + columns.lowerBound
            for first in Swift.stride(from: own.lowerBound, to: own.upperBound, by: blocks.chunk) {
                let range = first..<min(own.upperBound, first + blocks.chunk)
                let next = range.upperBound..<min(own.upperBound, range.upperBound + blocks.chunk)
                let patchStride = patchColumns(x, normalized, range, columns, into: patches)
                Rows.copy(dy + first * K + rows.lowerBound, stride: K, rows: range.count, columns: rows.count, into: gradients, stride: stride)
                var prefetch = Prefetch(dy, rows: next, columns: rows, stride: K)
                if window.isPointwise { prefetch = prefetch.and(Prefetch(x, rows: next, columns: columns, stride: window.C)) }
                GEMM.multiplyTransposed(
                    gradients, lda: stride, m: rows.count, patches, ldb: patchStride, n: columns.count, k: range.count, into: target, ldc: window.patch,
                    accumulates: first > own.lowerBound,
                    prefetch: &prefetch)
            }
        }
        addParts(partial, blocks.parts, count: weightCount, to: dW)
    }

    /// Gathers or normalises some columns of the rows `range` of P. Returns the row stride in floats.
    private func patchColumns(
        _ x: UnsafePointer<Float>, _ normalized: NormalizedInput?, _ range: Range<Int>, _ columns: Range<Int>, into memory: UnsafeMutablePointer<Float>
    ) -> Int {
        if let normalized { return normalized.normalizeRows(x, range, into: memory) }
        let stride = RowStride.padded(columns.count)
        if columns.count < window.patch {
            window.im2col(x, pixels: range, columns: columns, into: memory, stride: stride)
        } else {
            window.im2col(x, pixels: range, into: memory, stride: stride)
        }
        return stride
    }
}

/// The product y = P·Wᵀ with its epilogue, for any rows of P.
struct PatchGEMM {
    private let K: Int
    private let packed: UnsafePointer<Float>
    private let panels: Panels
    private let y: UnsafeMutablePointer<Float>
    private let epilogue: Epilogue

    init(_ window: Window, K: Int, _ packed: UnsafePointer<Float>, _ pass: ConvolutionForward) {
        (self.K, self.packed, y) = (K, packed, pass.y)
        panels = PatchGEMM.panels(window, K: K)
        var epilogue = pass.epilogue
        epilogue.isNonTemporal = epilogue.isNonTemporal && K % 16 == 0
        self.epilogue = epilogue
    }

    /// Wᵀ, the right factor.
    static func panels(_ window: Window, K: Int) -> Panels { Panels(k: window.patch, n: K) }

    static func pack(_ W: UnsafePointer<Float>, _ window: Window, K: Int, into packed: UnsafeMutablePointer<Float>) {
        let panels = panels(window, K: K)
        Parallel.forEach(panels.count) { panel, _ in panels.pack(panel, of: W, .transposed, ldb: window.patch, into: packed) }
    }

    /// Computes the rows `range` of y.
    ///
    /// - Parameters:
    ///   - patches: the rows of P; see ``GEMM/multiply(_:lda:lines:line:m:_:_:into:ldc:epilogue:sums:prefetch:)``.
    ///   - workspace: memory for these rows, needed if they are stored non-temporally and the product cannot apply the
    ///     epilogue.
    ///   - sums: column sums over these rows; not together with an epilogue.
    func multiply(
        _ patches: UnsafePointer<Float>, lda: Int, lines: Int = 1, line: Int = 0, _ range: Range<Int>, workspace: UnsafeMutablePointer<Float>,
        sums: ColumnSums? = nil, prefetch: UnsafeMutablePointer<Prefetch>? = nil
    ) {
        let out = y + range.lowerBound * K, epilogue = epilogue.advanced(rows: range.lowerBound, stride: K)
        guard !epilogue.fitsGEMM else {
            return GEMM.multiply(
                patches, lda: lda, lines: lines, line: line, m: range.count, packed, panels, into: out, ldc: K, epilogue: epilogue, sums: sums,
                prefetch: prefetch)
        }
        let made = epilogue.isNonTemporal ? workspace : out
        GEMM.multiply(patches, lda: lda, lines: lines, line: line, m: range.count, packed, panels, into: made, ldc: K, prefetch: prefetch)
        Rows.apply(epilogue, to: made, into: out, rows: range.count, width: K)
    }
}
