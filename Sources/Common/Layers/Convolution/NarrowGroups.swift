import Kernels
import Parallel

/// A ``GroupedConvolution`` with few channels per group, by implicit GEMM.
///
/// Some rows of an image are copied for a group, with zeros around them: (rows, W + 2·padding, C/G). In the copy, a
/// patch is R contiguous lines of S·C/G floats, and the next pixel's patch starts C/G floats later. With stride 1 a
/// single product computes all rows; its results between the rows are discarded. The gradient of x is stride² such
/// convolutions of dy, whose rows are copied once for all of them.
struct NarrowGroups: Sendable {
    let window: Window
    let K, groups: Int

    /// The largest number of channels for which the transforms and copies of ``WideGroups`` cost more than they save.
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

    /// The rows of an image as copied for a group: (rows, line, channels), with zeros around the image.
    private struct CopiedRows {
        /// The height and width of the image, and its channels per group.
        let H, W, inputs: Int
        /// The window, its stride, and the zero rows and columns above and to the left of the image.
        let R, S, stride, top, left: Int
        let outH, outW: Int

        /// The stride from a copied row to the next, in pixels.
        var line: Int { max(left + W, (outW - 1) * stride + S) }
        /// The number of output rows computed at once: their copy is about 64 KB.
        var rowsAtOnce: Int { max(1, min(outH, (1 << 14) / (stride * line * inputs))) }
        var runs: Int { (outH + rowsAtOnce - 1) / rowsAtOnce }
        /// The size of the copy in floats. A product of columns may read 32 floats past it.
        var floats: Int { (((rowsAtOnce - 1) * stride + R) * line * inputs + 47) / 16 * 16 }
        /// The stride between output rows in a product's result, in pixels.
        var outputLine: Int { stride == 1 ? line : outW }

        /// The image and the output rows of run `index` of the batch.
        func run(_ index: Int) -> (n: Int, rows: Range<Int>) {
            let (n, run) = index.quotientAndRemainder(dividingBy: runs)
            return (n, Parallel.part(run, of: runs, in: outH))
        }

        /// Copies the input of the output rows `range`. `image` points to the group's first channel; pixels are `C`
        /// floats apart.
        func copy(_ image: UnsafePointer<Float>, C: Int, for range: Range<Int>, into memory: UnsafeMutablePointer<Float>) {
            let first = range.lowerBound * stride - top, width = line * inputs
            for row in 0..<((range.count - 1) * stride + R) {
                let target = memory + row * width
                guard (0..<H).contains(first + row) else {
                    target.update(repeating: 0, count: width)
                    continue
                }
                let source = image + (first + row) * W * C, begin = left * inputs, end = begin + W * inputs
                target.update(repeating: 0, count: begin)
                Rows.copy(source, stride: C, rows: W, columns: inputs, into: target + begin, stride: inputs)
                (target + end).update(repeating: 0, count: width - end)
            }
        }
    }

    /// A convolution of copied rows that computes every `step`-th pixel of every `step`-th row of the output, starting
    /// at (`row`, `column`).
    private struct Phase {
        /// The window, and the pixel of the copy where the window of the first result starts.
        let R, S, firstRow, firstColumn: Int
        let row, column, step: Int
        /// The numbers of rows and columns of results.
        let outH, outW: Int
        let panels: Panels
    }

    /// The rows of x, for the forward pass and the gradient of the weights.
    private var inputRows: CopiedRows {
        CopiedRows(
            H: window.H, W: window.W, inputs: inputs, R: window.R, S: window.S, stride: window.stride, top: window.padding, left: window.padding, outH: window.outH, outW: window.outW)
    }
    private var panels: Panels { Panels(k: patch, n: outputs) }

    // MARK: Memory

    /// The floats of a run: the copy and the result of the products.
    private func floats(_ rows: CopiedRows, outputs: Int) -> Int { rows.floats + rows.rowsAtOnce * rows.outputLine * outputs }
    private func parts(_ N: Int) -> Int { min(16, N * inputRows.runs) }

    func scratch(N: Int) -> Scratch.Need {
        var need = Scratch.Need(worker: floats(inputRows, outputs: outputs), shared: max(packedCount, parts(N) * groups * weightCount))
        if hasBackwardData {
            let packed = gradientPhases.reduce(0) { $0 + $1.panels.floats }
            need.formUnion(Scratch.Need(worker: max(floats(gradientRows, outputs: inputs), weightCount), shared: groups * packed))
        }
        return need
    }

    var inferenceScratch: Scratch.Need { Scratch.Need(worker: floats(inputRows, outputs: outputs)) }

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
        let all = Phase(R: window.R, S: window.S, firstRow: 0, firstColumn: 0, row: 0, column: 0, step: 1, outH: window.outH, outW: window.outW, panels: panels)
        convolve(inputRows, [all], from: x, C: window.C, packed, to: y, H: window.outH, W: window.outW, K: K, N: N, epilogue, scratch)
    }

    /// y (N, H, W, K) from x (…, C), run by run and group by group. Each group's packed weights of all `phases` are
    /// contiguous.
    private func convolve(
        _ input: CopiedRows, _ phases: [Phase], from x: UnsafePointer<Float>, C: Int, _ packed: UnsafePointer<Float>, to y: UnsafeMutablePointer<Float>, H: Int, W: Int, K: Int, N: Int,
        _ epilogue: Epilogue, _ scratch: Scratch
    ) {
        let inputs = input.inputs, outputs = K / groups, line = input.line * inputs, packedCount = phases.reduce(0) { $0 + $1.panels.floats }
        // The GEMM applies the epilogue if it supports all of it; otherwise the epilogue runs on the finished rows.
        let inGEMM = epilogue.fitsGEMM && epilogue.residual == nil && !epilogue.accumulates
        Parallel.forEach(N * input.runs, workers: scratch.workers) { piece, worker in
            let (n, run) = input.run(piece), copied = scratch.pointer(worker), result = copied + input.floats
            for group in 0..<groups {
                input.copy(x + n * input.H * input.W * C + group * inputs, C: C, for: run, into: copied)
                let own = epilogue.advanced(columns: group * outputs)
                let first = inGEMM ? Epilogue(bias: own.bias, activation: own.activation) : .store
                var packed = packed + group * packedCount
                for phase in phases {
                    let rows = run.clamped(to: 0..<phase.outH), patches = copied + phase.firstRow * line + phase.firstColumn * inputs
                    if input.stride == 1, !rows.isEmpty {
                        GEMM.multiply(
                            patches, lda: inputs, lines: phase.R, line: line, m: (rows.count - 1) * input.line + phase.outW, packed, phase.panels, into: result, ldc: outputs,
                            epilogue: first)
                    } else {
                        for row in 0..<rows.count {
                            GEMM.multiply(
                                patches + row * input.stride * line, lda: input.stride * inputs, lines: phase.R, line: line, m: phase.outW, packed, phase.panels,
                                into: result + row * input.outputLine * outputs, ldc: outputs, epilogue: first)
                        }
                    }
                    for row in 0..<rows.count {
                        let pixel = (n * H + (rows.lowerBound + row) * phase.step + phase.row) * W + phase.column, out = y + pixel * K + group * outputs
                        let source = result + row * input.outputLine * outputs, stride = phase.step * K
                        if inGEMM {
                            Rows.copy(source, stride: outputs, rows: phase.outW, columns: outputs, into: out, stride: stride)
                        } else if epilogue.accumulates {
                            for column in 0..<phase.outW { Rows.add(source + column * outputs, to: out + column * stride, count: outputs) }
                        } else {
                            for column in 0..<phase.outW {
                                Rows.apply(
                                    own.advanced(rows: pixel + column * phase.step, stride: K), to: source + column * outputs, into: out + column * stride, rows: 1, width: outputs)
                            }
                        }
                    }
                    packed += phase.panels.floats
                }
            }
        }
    }

    // MARK: The gradient of x

    /// The rows (or columns) of W that contribute to the gradient of rows `phase`, `phase` + stride, … of x: the last
    /// of them, their number, and how many rows before dy the first pixel's window starts. With p = (h + padding − r) /
    /// stride these are the r for which p is an integer.
    private func offsets(_ phase: Int) -> (last: Int, count: Int, before: Int) {
        let first = (phase + window.padding) % window.stride
        guard first < window.R else { return (0, 0, 0) }
        let count = (window.R - 1 - first) / window.stride + 1, last = first + (count - 1) * window.stride
        return (last, count, (last - phase - window.padding) / window.stride)
    }

    /// Whether every pixel of x is read and no window starts after the pixel's own position.
    var hasBackwardData: Bool {
        (0..<window.stride).allSatisfy { phase in
            let offsets = offsets(phase)
            return offsets.count > 0 && offsets.last >= phase + window.padding
        }
    }

    /// The rows of dy, for all phases.
    private var gradientRows: CopiedRows {
        let phases = (0..<window.stride).map(offsets), before = phases.map(\.before).max() ?? 0, after = phases.map { $0.count - $0.before }.max() ?? 0
        return CopiedRows(
            H: window.outH, W: window.outW, inputs: outputs, R: before + after, S: before + after, stride: 1, top: before, left: before,
            outH: (window.H + window.stride - 1) / window.stride, outW: (window.W + window.stride - 1) / window.stride)
    }

    /// The gradient of every `stride`-th pixel is a convolution of dy with stride 1, whose weights are every
    /// `stride`-th of W, flipped.
    private var gradientPhases: [Phase] {
        let step = window.stride, before = gradientRows.top
        return (0..<step).flatMap { row in
            (0..<step).map { column in
                let (vertical, horizontal) = (offsets(row), offsets(column))
                return Phase(
                    R: vertical.count, S: horizontal.count, firstRow: before - vertical.before, firstColumn: before - horizontal.before, row: row, column: column, step: step,
                    outH: max(0, window.H - row + step - 1) / step, outW: max(0, window.W - column + step - 1) / step,
                    panels: Panels(k: vertical.count * horizontal.count * outputs, n: inputs))
            }
        }.filter { $0.outH > 0 && $0.outW > 0 }
    }

    /// Adds to dx or sets it.
    func backwardData(dx: UnsafeMutablePointer<Float>, adding: Bool, dy: UnsafePointer<Float>, W: UnsafePointer<Float>, N: Int, _ scratch: Scratch) {
        let phases = gradientPhases, packed = scratch.shared, packedCount = phases.reduce(0) { $0 + $1.panels.floats }
        Parallel.forEach(groups, workers: scratch.workers) { group, worker in
            let matrix = scratch.pointer(worker), own = W + group * weightCount
            var packed = packed + group * packedCount
            for phase in phases {
                // (R, S, K/G, C/G) of the phase from (K/G, R, S, C/G), with R and S taken from their last offsets.
                let (r, s) = (offsets(phase.row).last, offsets(phase.column).last)
                for row in 0..<phase.R {
                    for column in 0..<phase.S {
                        let offset = (r - row * phase.step) * window.S + s - column * phase.step, target = matrix + (row * phase.S + column) * outputs * inputs
                        for k in 0..<outputs { Rows.copy(own + (k * window.R * window.S + offset) * inputs, to: target + k * inputs, count: inputs) }
                    }
                }
                for panel in 0..<phase.panels.count { phase.panels.pack(panel, of: matrix, ldb: inputs, into: packed) }
                packed += phase.panels.floats
            }
        }
        convolve(gradientRows, phases, from: dy, C: K, packed, to: dx, H: window.H, W: window.W, K: window.C, N: N, adding ? .accumulate : .store, scratch)
    }

    // MARK: The gradient of the weights

    /// dW[k, r, (s, c)] = Σ_pixels dy[pixel, k] · x[line r of the patch, (s, c)]: sums over each part of the batch,
    /// added in order.
    func backwardWeights(dW: UnsafeMutablePointer<Float>, dy: UnsafePointer<Float>, x: UnsafePointer<Float>, N: Int, _ scratch: Scratch) {
        let parts = parts(N), sums = scratch.shared, input = inputRows, line = input.line * inputs, outputLine = input.outputLine
        Parallel.forEach(parts, workers: scratch.workers) { part, worker in
            let own = Parallel.part(part, of: parts, in: N * input.runs), copied = scratch.pointer(worker), gradients = copied + input.floats
            for index in own {
                let (n, rows) = input.run(index)
                for group in 0..<groups {
                    input.copy(x + n * window.H * window.W * window.C + group * inputs, C: window.C, for: rows, into: copied)
                    for row in 0..<rows.count {
                        let source = dy + (n * window.outputPixels + (rows.lowerBound + row) * window.outW) * K + group * outputs
                        let target = gradients + row * outputLine * outputs
                        Rows.copy(source, stride: K, rows: window.outW, columns: outputs, into: target, stride: outputs)
                        // The positions between the rows have no gradient.
                        (target + window.outW * outputs).update(repeating: 0, count: (outputLine - window.outW) * outputs)
                    }
                    let target = sums + (part * groups + group) * weightCount, runs = window.stride == 1 ? 1 : rows.count
                    for run in 0..<runs {
                        for r in 0..<window.R {
                            GEMM.multiplyTransposed(
                                gradients + run * outputLine * outputs, lda: outputs, m: outputs, copied + (run * window.stride + r) * line, ldb: window.stride * inputs,
                                n: window.S * inputs, k: ((window.stride == 1 ? rows.count : 1) - 1) * outputLine + window.outW, into: target + r * window.S * inputs, ldc: patch,
                                accumulates: index > own.lowerBound || run > 0)
                        }
                    }
                }
            }
        }
        addParts(sums, parts, count: groups * weightCount, to: dW)
    }
}
