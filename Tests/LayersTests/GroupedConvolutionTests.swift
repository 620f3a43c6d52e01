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

    /// Those of `layers.py`.
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

    @Test(arguments: cases + [Case(N: 1, H: 3, W: 3, C: 8, K: 8, kernel: 1, stride: 1, groups: 8), Case(N: 20, H: 4, W: 5, C: 48, K: 96, kernel: 3, stride: 1, groups: 3)])
    func `each group is a convolution of its own channels`(_ c: Case) {
        let layer = c.layer, inputs = c.C / c.groups, outputs = c.K / c.groups
        let y = Poisoned(c.outputs)
        layer.forward(y: y.pointer, x: c.x, W: c.weights, N: c.N, scratch: c.measured.scratch)
        let all = y.values(), x = c.x, W = c.weights, patch = c.kernel * c.kernel * inputs
        let window = Window(H: c.H, W: c.W, C: inputs, kernel: c.kernel, stride: c.stride, padding: c.kernel / 2)
        for group in 0..<c.groups {
            let own = channels(of: x, c.C, group * inputs, inputs)
            let single = Convolution(window: window, K: outputs), scratch = Scratch(workers: 4), expected = Poisoned(c.N * window.outputPixels * outputs)
            scratch.reserve(single.scratch(N: c.N))
            single.forward(y: expected.pointer, x: own, W: Array(W[(group * outputs * patch)..<((group + 1) * outputs * patch)]), N: c.N, scratch: scratch)
            let found = channels(of: all, c.K, group * outputs, outputs)
            #expect(relativeError(found, expected.values().map(Double.init)) < 2e-6)
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

    @Test func `a folded bias and activation come behind the sums`() {
        let c = Self.cases[0], layer = c.layer, measured = c.measured, scratch = measured.scratch, bias = formula("bias", c.K)
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
        }
    }
}
