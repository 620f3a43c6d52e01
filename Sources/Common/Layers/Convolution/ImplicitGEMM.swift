import Kernels
import Parallel

/// Convolution with few channels, as in a network's first layer, by implicit GEMM: patches are read in place, from rows
/// of x copied with zeros around them.
///
/// In the copy, each of the R lines of a patch is S·C contiguous floats, and the next pixel's patch starts stride·C
/// floats later. Im2col would copy every float R·S / stride² times, in runs of a few floats.
struct ImplicitGEMM: ConvolutionAlgorithm {
    let window: Window
    let K: Int

    init?(_ window: Window, K: Int) {
        guard !window.isPointwise, window.C < 16 else { return nil }
        (self.window, self.K) = (window, K)
    }

    var directions: ConvolutionDirection { [.forward, .weights] }
    private var panels: Panels { PatchGEMM.panels(window, K: K) }

    /// The number of floats in a padded row of x.
    private var line: Int { max(window.W + 2 * window.padding, (window.outW - 1) * window.stride + window.S) * window.C }
    /// The number of rows of y computed from one copy of rows of x, about 64 KB, and the number of such runs in an
    /// image.
    private var rowsAtOnce: Int { max(1, min(window.outH, (1 << 14) / (window.stride * line))) }
    private var runs: Int { (window.outH + rowsAtOnce - 1) / rowsAtOnce }

    /// The number of floats of the rows of x for one run. One float past the last line may be read.
    private var copiedRows: Int { (((rowsAtOnce - 1) * window.stride + window.R) * line + 31) / 16 * 16 }

    /// The number of floats of a patch line, rounded up to even so that the last tile of its product is not a single
    /// row. The excess is not used.
    private var evenLine: Int { (window.S * window.C + 1) / 2 * 2 }
    private var sumsCount: Int { window.R * evenLine * K }

    /// The number of parts of the batch with separate sums of dW.
    private func parts(N: Int) -> Int { min(16, N * runs) }

    func scratch(_ direction: ConvolutionDirection, N: Int) -> Scratch.Need {
        Scratch.Need(
            worker: copiedRows + window.outW * RowStride.padded(K), shared: direction == .forward ? panels.floats : parts(N: N) * sumsCount)
    }

    /// Copies the input of the rows `range` of y's image n, with zeros around it.
    private func copyRows(_ x: UnsafePointer<Float>, n: Int, for range: Range<Int>, into memory: UnsafeMutablePointer<Float>) {
        let count = window.W * window.C, beside = window.padding * window.C
        let first = range.lowerBound * window.stride - window.padding
        for row in 0..<((range.count - 1) * window.stride + window.R) {
            let target = memory + row * line
            guard (0..<window.H).contains(first + row) else {
                target.update(repeating: 0, count: line)
                continue
            }
            target.update(repeating: 0, count: beside)
            (target + beside).update(from: x + (n * window.H + first + row) * count, count: count)
            (target + beside + count).update(repeating: 0, count: line - beside - count)
        }
    }

    /// The image and the rows of y of run `index` of the batch.
    private func run(_ index: Int) -> (n: Int, rows: Range<Int>) {
        (index / runs, Parallel.part(index % runs, of: runs, in: window.outH))
    }

    var packedCount: Int { panels.floats }

    func pack(_ W: UnsafePointer<Float>, into packed: UnsafeMutablePointer<Float>) { PatchGEMM.pack(W, window, K: K, into: packed) }

    func forward(_ pass: ConvolutionForward, packed: UnsafePointer<Float>) {
        let gemm = PatchGEMM(window, K: K, packed, pass), scratch = pass.scratch
        Parallel.forEach(pass.N * runs, workers: scratch.workers) { index, worker in
            let (n, rows) = run(index), memory = scratch.pointer(worker)
            copyRows(pass.x, n: n, for: rows, into: memory)
            for (row, oy) in rows.enumerated() {
                let first = (n * window.outH + oy) * window.outW
                gemm.multiply(
                    memory + row * window.stride * line, lda: window.stride * window.C, lines: window.R, line: line, first..<(first + window.outW),
                    workspace: memory + copiedRows)
            }
        }
    }

    /// dW[k, r, (s, c)] = Σ_rows Σ_pixels x[line r of the patch, (s, c)] · dy[pixel, k]: sums (R, S·C, K) over each
    /// part of the batch, added in order.
    func backwardWeights(
        dW: UnsafeMutablePointer<Float>, dy: UnsafePointer<Float>, x: UnsafePointer<Float>, normalized: NormalizedInput?, N: Int, scratch: Scratch
    ) {
        let parts = parts(N: N), sums = scratch.shared
        Parallel.forEach(parts, workers: scratch.workers) { part, worker in
            let own = Parallel.part(part, of: parts, in: N * runs), memory = scratch.pointer(worker)
            let gradients = memory + copiedRows
            for index in own {
                let (n, rows) = run(index)
                copyRows(x, n: n, for: rows, into: memory)
                for (row, oy) in rows.enumerated() {
                    let next = dy + (n * window.outH + oy + 1) * window.outW * K
                    var (dy, stride) = (dy + (n * window.outH + oy) * window.outW * K, K)
                    if K % 16 != 0 {
                        stride = RowStride.padded(K)
                        Rows.copy(dy, stride: K, rows: window.outW, columns: K, into: gradients, stride: stride)
                        dy = UnsafePointer(gradients)
                    }
                    for r in 0..<window.R {
                        var prefetch = Prefetch(next, rows: Parallel.part(r, of: window.R, in: window.outW), columns: K)
                        GEMM.multiplyTransposed(
                            memory + (row * window.stride + r) * line, lda: window.stride * window.C, m: evenLine, dy, ldb: stride, n: K, k: window.outW,
                            into: sums + part * sumsCount + r * evenLine * K, ldc: K, accumulates: index > own.lowerBound || row > 0,
                            prefetch: &prefetch)
                    }
                }
            }
        }
        Parallel.forEach(window.R) { r, _ in
            let sum = sums + r * evenLine * K, length = window.S * window.C
            for part in 1..<max(1, parts) { Rows.add(sum + part * sumsCount, to: sum, count: length * K) }
            for k in 0..<K {
                let line = dW + (k * window.R + r) * length
                for t in 0..<length { line[t] += sum[t * K + k] }
            }
        }
    }
}
