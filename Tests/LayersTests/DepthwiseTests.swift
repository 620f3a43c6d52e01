import Kernels
import Layers
import TestSupport
import Testing

@Suite struct DepthwiseTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let N: Int, H: Int, W: Int, C: Int, kernel: Int, stride: Int
        var padding: Int? = nil
        var testDescription: String { "\(N) of \(H)×\(W)×\(C), window \(kernel), stride \(stride), padding \(padding ?? kernel / 2)" }
        var window: Window { Window(H: H, W: W, C: C, kernel: kernel, stride: stride, padding: padding ?? kernel / 2) }
        var layer: Depthwise { Depthwise(window: window) }
        var x: [Float] { formula("x", N * H * W * C) }
        var weights: [Float] { formula("W", layer.weightCount) }
        var dy: [Float] { formula("dy", outputs) }
        var outputs: Int { N * window.outputPixels * C }

        var scratch: Scratch {
            let scratch = Scratch(workers: 4)
            let need = layer.scratch(N: N)
            scratch.reserve(need)
            // No memory may be assumed to be zero unless it was zeroed.
            for worker in 0..<4 { scratch.pointer(worker).update(repeating: .nan, count: need.worker) }
            scratch.shared.update(repeating: .nan, count: need.shared)
            return scratch
        }

        func forward(_ x: [Float], _ W: [Float], bias: [Float]? = nil, _ activation: Activation = .none) -> [Float] {
            let y = Poisoned(outputs)
            if let bias {
                layer.forward(y: y.pointer, x: x, W: W, N: N, bias: bias, activation, scratch: scratch)
            } else {
                layer.forward(y: y.pointer, x: x, W: W, N: N, scratch: scratch)
            }
            return y.values()
        }

        func backward(
            _ dy: [Float], _ x: [Float], _ W: [Float], addingTo before: [Float]? = nil, weights: [Float]? = nil
        ) -> (dx: [Float], dW: [Float]) {
            let dx = before.map { Poisoned($0) } ?? Poisoned(x.count)
            let dW = Poisoned(weights ?? [Float](repeating: 0, count: W.count))
            layer.backward(dx: dx.pointer, adding: before != nil, dW: dW.pointer, dy: dy, x: x, W: W, N: N, scratch: scratch)
            return (dx.values(), dW.values())
        }

        var reference: DepthwiseReference { DepthwiseReference(window: window) }
    }

    /// Odd sizes, channels with and without whole vectors, windows larger than the image; the last have several pieces.
    static let cases = [1, 3, 7, 13].flatMap { side in
        [(1, 3, 1), (8, 3, 2), (17, 5, 1), (24, 5, 2), (40, 3, 1), (20, 7, 2), (3, 1, 1)].map { (C, kernel, stride) in
            Case(N: side == 7 ? 1 : 2, H: side, W: (side * 5 + 6) % 14 + 1, C: C, kernel: kernel, stride: stride)
        }
    } + [
        Case(N: 1, H: 14, W: 14, C: 16, kernel: 3, stride: 1), Case(N: 2, H: 9, W: 14, C: 24, kernel: 5, stride: 1),
        Case(N: 1, H: 8, W: 28, C: 16, kernel: 5, stride: 2), Case(N: 2, H: 6, W: 4, C: 32, kernel: 3, stride: 1),
        // Other strides and paddings: none, too little to preserve the size, and rows and columns that no window
        // reaches.
        Case(N: 2, H: 11, W: 10, C: 20, kernel: 3, stride: 3), Case(N: 1, H: 9, W: 8, C: 17, kernel: 5, stride: 3, padding: 1),
        Case(N: 1, H: 10, W: 12, C: 8, kernel: 2, stride: 3, padding: 0), Case(N: 2, H: 8, W: 9, C: 24, kernel: 3, stride: 2, padding: 0),
        Case(N: 2, H: 5, W: 6, C: 16, kernel: 3, stride: 1, padding: 2), Case(N: 1, H: 6, W: 5, C: 16, kernel: 3, stride: 2, padding: 3),
        Case(N: 1, H: 7, W: 7, C: 960, kernel: 5, stride: 1), Case(N: 20, H: 5, W: 7, C: 300, kernel: 5, stride: 2),
        Case(N: 9, H: 40, W: 33, C: 272, kernel: 3, stride: 1),
        // So wide that images are read in place: all kinds of channel counts, edges of one and two pixels.
        Case(N: 2, H: 5, W: 40, C: 24, kernel: 5, stride: 1), Case(N: 1, H: 31, W: 61, C: 21, kernel: 3, stride: 2),
        Case(N: 1, H: 3, W: 28, C: 17, kernel: 3, stride: 1, padding: 0), Case(N: 1, H: 6, W: 87, C: 72, kernel: 5, stride: 2),
        Case(N: 1, H: 5, W: 36, C: 16, kernel: 3, stride: 1, padding: 2),
    ]

    @Test func `a worked example`() {
        // One channel counts, the other flips signs; the window is a cross.
        let layer = Depthwise(window: Window(H: 2, W: 2, C: 2, kernel: 3, stride: 1, padding: 1))
        let W: [Float] = [0, 0, 1, -1, 0, 0, 1, -1, 1, -1, 1, -1, 0, 0, 1, -1, 0, 0]
        let y = Poisoned(8), scratch = Scratch(workers: 1)
        scratch.reserve(layer.inferenceScratch(N: 1))
        layer.forward(y: y.pointer, x: [1, 1, 2, 2, 3, 3, 4, 4], W: W, N: 1, scratch: scratch)
        #expect(y.values() == [6, -6, 7, -7, 8, -8, 9, -9])
    }

    @Test(arguments: cases)
    func `outputs are the definition's`(_ c: Case) {
        let x = c.x, W = c.weights
        #expect(largestError(c.forward(x, W), c.reference.forward(x: x, W: W, N: c.N)) < 1e-6)
    }

    @Test(arguments: cases)
    func `a bias and the activation follow the sums`(_ c: Case) {
        // A range wide enough to reach the kinks of ReLU6 and h-swish.
        let x = c.x, W = c.weights.map { 4 * $0 }, bias = formula("bias", c.C)
        let expected = c.reference.forward(x: x, W: W, N: c.N).enumerated().map { $0.element + Double(bias[$0.offset % c.C]) }
        for activation in [Activation.none, .relu, .relu6, .hardSwish, .silu] {
            let values = expected.map { plain(activation, $0).value }
            if activation == .relu6, c.outputs > 500 { #expect(values.contains(6) && values.contains(0)) }
            // Relative to the largest number, which ReLU6 clips.
            #expect(largestError(c.forward(x, W, bias: bias, activation), values) < (activation == .relu6 ? 1e-5 : 1e-6), "\(activation)")
        }
    }

    @Test(arguments: [1, 2])
    func `what goes by non-temporal stores is the same`(stride: Int) {
        let c = Case(N: 3 * stride * stride, H: 112, W: 112, C: 64, kernel: 3, stride: stride), bias = formula("bias", c.C), x = c.x, W = c.weights
        // Only outputs that begin on a cache line use non-temporal stores.
        let lines = FloatBuffer(c.outputs), between = FloatBuffer(c.outputs + 1)
        for bias in [nil, bias] {
            for y in [lines.pointer, between.pointer + 1] {
                if let bias {
                    bias.withUnsafeBufferPointer { c.layer.forward(y: y, x: x, W: W, N: c.N, bias: $0.baseAddress, .hardSwish, scratch: c.scratch) }
                } else {
                    c.layer.forward(y: y, x: x, W: W, N: c.N, scratch: c.scratch)
                }
            }
            #expect(firstDifference(lines.array, Array(between.array.dropFirst())) == nil)
        }
    }

    @Test(arguments: cases)
    func `the gradient of the input is set or added to`(_ c: Case) {
        let W = c.weights, dy = c.dy, before = formula("before", c.x.count)
        let expected = c.reference.backwardData(dy: dy, W: W, N: c.N)
        #expect(largestError(c.backward(dy, c.x, W).dx, expected) < 1e-6)
        #expect(largestError(c.backward(dy, c.x, W, addingTo: before).dx, zip(expected, before).map { $0 + Double($1) }) < 1e-6)
    }

    @Test(arguments: cases)
    func `the gradient of the weights is added`(_ c: Case) {
        let x = c.x, dy = c.dy, before = formula("before", c.weights.count)
        let expected = zip(before, c.reference.backwardWeights(dy: dy, x: x, N: c.N)).map { Double($0) + $1 }
        #expect(largestError(c.backward(dy, x, c.weights, weights: before).dW, expected) < 3e-6)
    }

    @Test(arguments: [(7, 6, 8, 3, 1), (13, 9, 17, 5, 2), (5, 40, 24, 3, 1)])
    func `gradients are the derivative`(_ size: (H: Int, W: Int, C: Int, kernel: Int, stride: Int)) {
        let c = Case(N: 2, H: size.H, W: size.W, C: size.C, kernel: size.kernel, stride: size.stride), dy = c.dy
        let found = c.backward(dy, c.x, c.weights)
        expectDerivative(found.dx, of: { dot(dy, c.forward($0, c.weights)) }, at: c.x, step: 3e-2, tolerance: 1e-3)
        expectDerivative(found.dW, of: { dot(dy, c.forward(c.x, $0)) }, at: c.weights, step: 3e-2, tolerance: 1e-3)
    }

    @Test func `without dx the gradient of the weights is the same`() {
        let c = Case(N: 3, H: 13, W: 9, C: 40, kernel: 3, stride: 2)
        let dW = Poisoned([Float](repeating: 0, count: c.weights.count))
        c.layer.backward(dx: nil, adding: false, dW: dW.pointer, dy: c.dy, x: c.x, W: c.weights, N: c.N, scratch: c.scratch)
        #expect(firstDifference(dW.values(), c.backward(c.dy, c.x, c.weights).dW) == nil)
    }
}
