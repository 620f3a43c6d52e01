import Kernels
import Parallel

/// A ``GroupedConvolution`` of groups of few channels, by implicit GEMM.
///
/// Some rows of an image are copied for a group, with zeros around them: (rows, W + 2·padding, C/G). There a patch is R lines of S·C/G floats side by side,
/// and the patch of the next pixel begins C/G floats on. With stride 1 one product makes all rows: what it makes between the rows is left out.
struct NarrowGroups: Sendable {
    let window: Window
    let K, groups: Int

    /// Channels up to which the transforms and copies of ``WideGroups`` cost more than they save.
    private static let mostChannels = 31

    init?(_ window: Window, K: Int, groups: Int) {
        guard max(window.C, K) / groups <= Self.mostChannels else { return nil }
        (self.window, self.K, self.groups) = (window, K, groups)
    }

    private var inputs: Int { window.C / groups }
    private var outputs: Int { K / groups }
    private var weightCount: Int { outputs * patch }
    /// R·S·C/G.
    private var patch: Int { window.patch / groups }

    /// How the rows of an image are copied for the groups of a window.
    private struct CopiedRows {
        let window: Window
        /// Channels of a group that are read.
        let inputs: Int

        /// Pixels from a copied row to the next.
        var line: Int { max(window.W + 2 * window.padding, (window.outW - 1) * window.stride + window.S) }
        /// Rows of the output that are made at once: their copy is about 64 KB.
        var rowsAtOnce: Int { max(1, min(window.outH, (1 << 14) / (window.stride * line * inputs))) }
        var runs: Int { (window.outH + rowsAtOnce - 1) / rowsAtOnce }
        /// Floats of the copy; a product of columns may read 32 behind it.
        var floats: Int { (((rowsAtOnce - 1) * window.stride + window.R) * line * inputs + 47) / 16 * 16 }
        /// Pixels from an output row to the next, as products make them.
        var outputLine: Int { window.stride == 1 ? line : window.outW }
        /// Output pixels of a product.
        func pixels(_ rows: Int) -> Int { (rows - 1) * outputLine + window.outW }

        /// Image and output rows of run `index` of the batch.
        func run(_ index: Int) -> (n: Int, rows: Range<Int>) {
            let (n, run) = index.quotientAndRemainder(dividingBy: runs)
            return (n, Parallel.part(run, of: runs, in: window.outH))
        }

        /// Copies what the output rows `range` read of `image`, which begins at the group's first channel, whose pixels lie `C` floats apart.
        func copy(_ image: UnsafePointer<Float>, C: Int, for range: Range<Int>, into memory: UnsafeMutablePointer<Float>) {
            let first = range.lowerBound * window.stride - window.padding, width = line * inputs
            for row in 0..<((range.count - 1) * window.stride + window.R) {
                let target = memory + row * width
                guard (0..<window.H).contains(first + row) else {
                    target.update(repeating: 0, count: width)
                    continue
                }
                let source = image + (first + row) * window.W * C, begin = window.padding * inputs, end = begin + window.W * inputs
                target.update(repeating: 0, count: begin)
                Rows.copy(source, stride: C, rows: window.W, columns: inputs, into: target + begin, stride: inputs)
                (target + end).update(repeating: 0, count: width - end)
            }
        }
    }

    private var reading: CopiedRows { CopiedRows(window: window, inputs: inputs) }
    private var panels: Panels { Panels(k: patch, n: outputs) }

    // MARK: Memory

    /// Floats for a run: the copy, and the output as products make it.
    private func floats(_ rows: CopiedRows, outputs: Int) -> Int { rows.floats + rows.rowsAtOnce * rows.outputLine * outputs }
    private func parts(_ N: Int) -> Int { min(16, N * reading.runs) }

    func scratch(N: Int) -> Scratch.Need {
        var need = Scratch.Need(worker: floats(reading, outputs: outputs), shared: max(packedCount, parts(N) * groups * weightCount))
        if hasBackwardData {
            need.formUnion(Scratch.Need(worker: max(floats(turned, outputs: inputs), weightCount), shared: groups * turnedPanels.floats))
        }
        return need
    }

    var inferenceScratch: Scratch.Need { Scratch.Need(worker: floats(reading, outputs: outputs)) }

    // MARK: Forward

    var packedCount: Int { groups * panels.floats }

    func pack(_ W: UnsafePointer<Float>, into packed: UnsafeMutablePointer<Float>) {
        let panels = panels
        Parallel.forEach(groups * panels.count) { piece, _ in
            let (group, panel) = piece.quotientAndRemainder(dividingBy: panels.count)
            panels.pack(panel, of: W + group * weightCount, .transposed, ldb: patch, into: packed + group * panels.floats)
        }
    }

    func forward(y: UnsafeMutablePointer<Float>, x: UnsafePointer<Float>, packed: UnsafePointer<Float>, N: Int, _ epilogue: Epilogue, _ scratch: Scratch) {
        convolve(reading, from: x, C: window.C, packed, panels, to: y, K: K, N: N, epilogue, scratch)
    }

    /// y (…, K) from x (…, C), run by run and group by group.
    private func convolve(
        _ reading: CopiedRows, from x: UnsafePointer<Float>, C: Int, _ packed: UnsafePointer<Float>, _ panels: Panels, to y: UnsafeMutablePointer<Float>, K: Int, N: Int,
        _ epilogue: Epilogue, _ scratch: Scratch
    ) {
        let window = reading.window, inputs = reading.inputs, outputs = panels.n, line = reading.line * inputs
        // What a product can do of the epilogue it does; else all of it is done to its rows.
        let isMade = epilogue.fitsGEMM && epilogue.residual == nil && !epilogue.accumulates
        Parallel.forEach(N * reading.runs, workers: scratch.workers) { piece, worker in
            let (n, rows) = reading.run(piece), copied = scratch.pointer(worker), made = copied + reading.floats
            for group in 0..<groups {
                reading.copy(x + n * window.H * window.W * C + group * inputs, C: C, for: rows, into: copied)
                let own = epilogue.advanced(columns: group * outputs)
                let first = isMade ? Epilogue(bias: own.bias, activation: own.activation) : .store, packed = packed + group * panels.floats
                if window.stride == 1 {
                    GEMM.multiply(copied, lda: inputs, lines: window.R, line: line, m: reading.pixels(rows.count), packed, panels, into: made, ldc: outputs, epilogue: first)
                } else {
                    for row in 0..<rows.count {
                        GEMM.multiply(
                            copied + row * window.stride * line, lda: window.stride * inputs, lines: window.R, line: line, m: window.outW, packed, panels,
                            into: made + row * window.outW * outputs, ldc: outputs, epilogue: first)
                    }
                }
                for row in 0..<rows.count {
                    let pixel = n * window.outputPixels + (rows.lowerBound + row) * window.outW, out = y + pixel * K + group * outputs
                    let source = made + row * reading.outputLine * outputs
                    if isMade {
                        Rows.copy(source, stride: outputs, rows: window.outW, columns: outputs, into: out, stride: K)
                    } else if epilogue.accumulates {
                        for column in 0..<window.outW { Rows.add(source + column * outputs, to: out + column * K, count: outputs) }
                    } else {
                        for column in 0..<window.outW {
                            Rows.apply(
                                own.advanced(rows: pixel + column, stride: K), to: source + column * outputs, into: out + column * K, rows: 1, width: outputs)
                        }
                    }
                }
            }
        }
    }

    // MARK: The gradient of x

    /// With stride 1 it is a convolution of dy too, with weights turned by 180°.
    var hasBackwardData: Bool { window.stride == 1 && window.isSymmetric && window.padding < min(window.R, window.S) }

    private var turned: CopiedRows {
        CopiedRows(window: Window(H: window.outH, W: window.outW, C: K, kernel: window.R, stride: 1, padding: window.R - 1 - window.padding), inputs: outputs)
    }
    private var turnedPanels: Panels { Panels(k: window.R * window.S * outputs, n: inputs) }

    /// Adds to dx, or sets it.
    func backwardData(dx: UnsafeMutablePointer<Float>, adding: Bool, dy: UnsafePointer<Float>, W: UnsafePointer<Float>, N: Int, _ scratch: Scratch) {
        let panels = turnedPanels, packed = scratch.shared, offsets = window.R * window.S
        Parallel.forEach(groups, workers: scratch.workers) { group, worker in
            // (R, S, K/G, C/G) from (K/G, R, S, C/G), R and S from their ends.
            let matrix = scratch.pointer(worker), own = W + group * weightCount
            for offset in 0..<offsets {
                for k in 0..<outputs {
                    Rows.copy(own + (k * offsets + offsets - 1 - offset) * inputs, to: matrix + (offset * outputs + k) * inputs, count: inputs)
                }
            }
            for panel in 0..<panels.count { panels.pack(panel, of: matrix, ldb: inputs, into: packed + group * panels.floats) }
        }
        convolve(turned, from: dy, C: K, packed, panels, to: dx, K: window.C, N: N, adding ? .accumulate : .store, scratch)
    }

    // MARK: The gradient of the weights

    /// dW[k, r, (s, c)] = Σ_pixels dy[pixel, k] · x[line r of the patch, (s, c)]: sums of each part of the batch, added in order.
    func backwardWeights(dW: UnsafeMutablePointer<Float>, dy: UnsafePointer<Float>, x: UnsafePointer<Float>, N: Int, _ scratch: Scratch) {
        let parts = parts(N), sums = scratch.shared, reading = reading, line = reading.line * inputs, outputLine = reading.outputLine
        Parallel.forEach(parts, workers: scratch.workers) { part, worker in
            let own = Parallel.part(part, of: parts, in: N * reading.runs), copied = scratch.pointer(worker), gradients = copied + reading.floats
            for index in own {
                let (n, rows) = reading.run(index)
                for group in 0..<groups {
                    reading.copy(x + n * window.H * window.W * window.C + group * inputs, C: window.C, for: rows, into: copied)
                    for row in 0..<rows.count {
                        let source = dy + (n * window.outputPixels + (rows.lowerBound + row) * window.outW) * K + group * outputs
                        let target = gradients + row * outputLine * outputs
                        Rows.copy(source, stride: K, rows: window.outW, columns: outputs, into: target, stride: outputs)
                        // Between the rows there is no gradient.
                        (target + window.outW * outputs).update(repeating: 0, count: (outputLine - window.outW) * outputs)
                    }
                    let target = sums + (part * groups + group) * weightCount, runs = window.stride == 1 ? 1 : rows.count
                    for run in 0..<runs {
                        for r in 0..<window.R {
                            GEMM.multiplyTransposed(
                                gradients + run * outputLine * outputs, lda: outputs, m: outputs, copied + (run * window.stride + r) * line, ldb: window.stride * inputs,
                                n: window.S * inputs, k: reading.pixels(window.stride == 1 ? rows.count : 1), into: target + r * window.S * inputs, ldc: patch,
                                accumulates: index > own.lowerBound || run > 0)
                        }
                    }
                }
            }
        }
        addParts(sums, parts, count: groups * weightCount, to: dW)
    }
}
