import Kernels
import Layers
import TestSupport
import Testing

@Suite struct GroupedConvolutionTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let N: Int, H: Int, W: Int, C: Int, K: Int, kernel: Int, stride: Int, groups: Int
        var testDescription: String { "\(N) of \(H)×\(W)×\(C) → \(K) in \(groups) groups, window \(kernel), stride \(stride)" }
        var window: Window { Window(H: H, W: W, C: C, kernel: kernel, stride: stride, padding: kernel / 2) }
        var layer: GroupedConvolution { GroupedConvolution(window: window, K: K, groups: groups) }
        var x: [Float] { formula("x", N * H * W * C) }
        var weights: [Float] { formula("W", layer.weightCount) }
        var dy: [Float] { formula("dy", outputs) }
        var outputs: Int { N * window.outputPixels * K }
        var measured: MeasuredScratch { MeasuredScratch(workers: 4, layer.scratch(N: N)) }
        var key: String { "grouped.\(C).\(K).\(groups)" }
    }

    /// The cases of `layers.py`.
    static let cases = [
        Case(N: 2, H: 9, W: 7, C: 24, K: 40, kernel: 3, stride: 2, groups: 4), Case(N: 3, H: 6, W: 6, C: 32, K: 32, kernel: 3, stride: 1, groups: 2),
        Case(N: 2, H: 5, W: 8, C: 12, K: 6, kernel: 5, stride: 1, groups: 6),
    ]

    @Test(arguments: cases)
    func `outputs and both gradients are PyTorch's, and gradients are added to what is there`(_ c: Case) throws {
        let golden = try Golden("layers"), layer = c.layer, measured = c.measured, scratch = measured.scratch
        func expected(_ name: String) throws -> [Double] { try golden.floats(c.key + name).map(Double.init) }
        let y = Poisoned(c.outputs)
        layer.forward(y: y.pointer, x: c.x, W: c.weights, N: c.N, scratch: scratch)
        #expect(relativeError(y.values(), try expected(".y")) < 1e-6)
        for before in [nil, formula("before", c.x.count)] {
            let dx = before.map { Poisoned($0) } ?? Poisoned(c.x.count)
            layer.backwardData(dx: dx.pointer, adding: before != nil, dy: c.dy, W: c.weights, N: c.N, scratch: scratch)
            let all = try zip(expected(".dx"), before ?? [Float](repeating: 0, count: c.x.count)).map { $0 + Double($1) }
            #expect(relativeError(dx.values(), all) < 1e-6)
        }
        let before = formula("dW", layer.weightCount), dW = Poisoned(before)
        layer.backwardWeights(dW: dW.pointer, dy: c.dy, x: c.x, N: c.N, scratch: scratch)
        #expect(relativeError(dW.values(), try zip(expected(".dW"), before).map { $0 + Double($1) }) < 1e-6)
        measured.expectWithin()
    }

    /// RegNet's group widths, and others: whole vectors and not, one pixel, one group, more pixels than are copied at
    /// once.
    static let more = [
        Case(N: 1, H: 3, W: 3, C: 8, K: 8, kernel: 1, stride: 1, groups: 8), Case(N: 20, H: 4, W: 5, C: 48, K: 96, kernel: 3, stride: 1, groups: 3),
        Case(N: 3, H: 7, W: 7, C: 40, K: 40, kernel: 3, stride: 1, groups: 5), Case(N: 2, H: 60, W: 41, C: 16, K: 16, kernel: 3, stride: 1, groups: 2),
        Case(N: 2, H: 61, W: 42, C: 16, K: 16, kernel: 3, stride: 2, groups: 2), Case(N: 3, H: 9, W: 8, C: 48, K: 48, kernel: 3, stride: 1, groups: 3),
        Case(N: 2, H: 8, W: 10, C: 48, K: 72, kernel: 3, stride: 2, groups: 3), Case(N: 4, H: 13, W: 9, C: 112, K: 112, kernel: 3, stride: 1, groups: 2),
        Case(N: 3, H: 8, W: 12, C: 80, K: 72, kernel: 3, stride: 2, groups: 2), Case(N: 2, H: 7, W: 7, C: 464, K: 464, kernel: 3, stride: 1, groups: 2),
        Case(N: 5, H: 2, W: 2, C: 746, K: 746, kernel: 3, stride: 1, groups: 2), Case(N: 1, H: 1, W: 1, C: 24, K: 24, kernel: 3, stride: 1, groups: 3),
        Case(N: 3, H: 200, W: 180, C: 66, K: 34, kernel: 3, stride: 1, groups: 2),
        // The gradient of x with strides: more rows than are copied at once, phases without a row, phases with one
        // window size or several, none with whole rows.
        Case(N: 2, H: 112, W: 75, C: 48, K: 24, kernel: 3, stride: 2, groups: 3), Case(N: 3, H: 1, W: 2, C: 16, K: 24, kernel: 3, stride: 2, groups: 2),
        Case(N: 2, H: 11, W: 14, C: 20, K: 10, kernel: 5, stride: 2, groups: 5), Case(N: 2, H: 13, W: 10, C: 24, K: 24, kernel: 5, stride: 3, groups: 3),
        Case(N: 2, H: 9, W: 9, C: 16, K: 16, kernel: 1, stride: 2, groups: 2), Case(N: 2, H: 3, W: 8, C: 24, K: 48, kernel: 3, stride: 3, groups: 3),
    ]

    @Test(arguments: cases + more)
    func `each group is a convolution of its own channels, and so are its gradients`(_ c: Case) {
        let layer = c.layer, inputs = c.C / c.groups, outputs = c.K / c.groups, measured = c.measured, patch = c.kernel * c.kernel * inputs
        let x = c.x, W = c.weights, dy = c.dy, y = Poisoned(c.outputs), packed = FloatBuffer(layer.packedCount), again = Poisoned(c.outputs)
        layer.forward(y: y.pointer, x: x, W: W, N: c.N, scratch: measured.scratch)
        layer.pack(W, into: packed.pointer)
        layer.forward(y: again.pointer, x: x, packed: packed.pointer, N: c.N, scratch: measured.scratch)
        let dx = Poisoned(x.count), dW = Poisoned([Float](repeating: 0, count: W.count))
        layer.backwardData(dx: dx.pointer, adding: false, dy: dy, W: W, N: c.N, scratch: measured.scratch)
        layer.backwardWeights(dW: dW.pointer, dy: dy, x: x, N: c.N, scratch: measured.scratch)
        measured.expectWithin()
        let all = y.values(), allAgain = again.values(), alldx = dx.values(), alldW = dW.values()
        let window = Window(H: c.H, W: c.W, C: inputs, kernel: c.kernel, stride: c.stride, padding: c.kernel / 2)
        for group in 0..<c.groups {
            let own = channels(of: x, c.C, group * inputs, inputs)
            let single = Convolution(window: window, K: outputs), scratch = Scratch(workers: 4), expected = Poisoned(c.N * window.outputPixels * outputs)
            scratch.reserve(single.scratch(N: c.N))
            let weights = (group * outputs * patch)..<((group + 1) * outputs * patch), ownW = Array(W[weights]), owndy = channels(of: dy, c.K, group * outputs, outputs)
            single.forward(y: expected.pointer, x: own, W: ownW, N: c.N, scratch: scratch)
            for found in [all, allAgain] { #expect(relativeError(channels(of: found, c.K, group * outputs, outputs), expected.values().map(Double.init)) < 5e-6) }
            let dx = Poisoned(own.count), dW = Poisoned([Float](repeating: 0, count: ownW.count))
            single.backwardData(dx: dx.pointer, adding: false, dy: owndy, W: ownW, N: c.N, scratch: scratch)
            single.backwardWeights(dW: dW.pointer, dy: owndy, x: own, N: c.N, scratch: scratch)
            #expect(relativeError(channels(of: alldx, c.C, group * inputs, inputs), dx.values().map(Double.init)) < 5e-6)
            #expect(relativeError(Array(alldW[weights]), dW.values().map(Double.init)) < 1e-5)
        }
    }

    /// Some channels of every pixel of `values` (pixels, C).
    private func channels(of values: [Float], _ C: Int, _ first: Int, _ count: Int) -> [Float] {
        var some: [Float] = []
        for start in stride(from: first, to: values.count, by: C) { some += values[start..<(start + count)] }
        return some
    }

    @Test(arguments: cases)
    func `gradients are the derivative`(_ c: Case) {
        let layer = c.layer, scratch = c.measured.scratch, dy = c.dy
        func forward(_ x: [Float], _ W: [Float]) -> [Float] {
            let y = Poisoned(c.outputs)
            layer.forward(y: y.pointer, x: x, W: W, N: c.N, scratch: scratch)
            return y.values()
        }
        let dx = Poisoned(c.x.count), dW = Poisoned([Float](repeating: 0, count: layer.weightCount))
        layer.backwardData(dx: dx.pointer, adding: false, dy: dy, W: c.weights, N: c.N, scratch: scratch)
        layer.backwardWeights(dW: dW.pointer, dy: dy, x: c.x, N: c.N, scratch: scratch)
        expectDerivative(dx.values(), of: { dot(dy, forward($0, c.weights)) }, at: c.x, step: 3e-2, tolerance: 1e-3)
        expectDerivative(dW.values(), of: { dot(dy, forward(c.x, $0)) }, at: c.weights, step: 3e-2, tolerance: 1e-3)
    }

    @Test(arguments: [cases[0], more[7]])
    func `a folded bias, residual and activation come behind the sums`(_ c: Case) {
        let layer = c.layer, measured = c.measured, scratch = measured.scratch, bias = formula("bias", c.K), residual = formula("residual", c.outputs)
        let packed = FloatBuffer(layer.packedCount), (plainly, y) = (Poisoned(c.outputs), Poisoned(c.outputs))
        layer.pack(c.weights, into: packed.pointer)
        layer.forward(y: plainly.pointer, x: c.x, W: c.weights, N: c.N, scratch: scratch)
        for activation in [Activation.none, .relu, .relu6, .hardSwish, .silu] {
            bias.withUnsafeBufferPointer {
                layer.forward(
                    y: y.pointer, x: c.x, packed: packed.pointer, N: c.N, epilogue: Epilogue(bias: $0.baseAddress, activation: activation), scratch: scratch)
            }
            let expected = plainly.values().enumerated().map { plain(activation, Double($0.element + bias[$0.offset % c.K])).value }
            #expect(relativeError(y.values(), expected) < 1e-6)
            bias.withUnsafeBufferPointer { bias in
                residual.withUnsafeBufferPointer {
                    layer.forward(
                        y: y.pointer, x: c.x, packed: packed.pointer, N: c.N, epilogue: Epilogue(bias: bias.baseAddress, residual: $0.baseAddress, activation: activation),
                        scratch: scratch)
                }
            }
            let added = plainly.values().enumerated().map { plain(activation, Double($0.element + bias[$0.offset % c.K]) + Double(residual[$0.offset])).value }
            #expect(relativeError(y.values(), added) < 1e-6)
        }
    }
}
