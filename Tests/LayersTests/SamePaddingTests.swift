import Kernels
import Layers
import TestSupport
import Testing

/// TensorFlow's SAME padding: if the stride requires an odd number of zeros, fewer come before the image than after it.
@Suite struct SamePaddingTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let side: Int, C: Int, kernel: Int, stride: Int
        var window: Window { Window(sameH: side, W: side, C: C, kernel: kernel, stride: stride) }
        var testDescription: String { "\(side)×\(side)×\(C), window \(kernel), stride \(stride)" }
    }

    static let cases = [5, 8, 9, 14, 33, 64, 75].flatMap { side in
        [(3, 3, 2), (16, 3, 2), (24, 5, 2), (32, 3, 1), (17, 5, 1), (16, 1, 2), (20, 3, 3)].map { Case(side: side, C: $0.0, kernel: $0.1, stride: $0.2) }
    }

    @Test func `sizes and zeros are TensorFlow's`() {
        // side, kernel, stride: outputs, zeros before.
        for (side, kernel, stride, out, before) in [(224, 3, 2, 112, 0), (225, 3, 2, 113, 1), (14, 5, 2, 7, 1), (15, 5, 2, 8, 2), (7, 3, 1, 7, 1), (10, 1, 2, 5, 0), (7, 3, 3, 3, 1), (8, 3, 3, 3, 0)] {
            let window = Window(sameH: side, W: side, C: 1, kernel: kernel, stride: stride)
            #expect(window.outH == out && window.outW == out && window.padding == before, "\(side), \(kernel), \(stride)")
        }
    }

    private func scratch(_ need: Scratch.Need) -> Scratch {
        let scratch = Scratch(workers: 4)
        scratch.reserve(need)
        for worker in 0..<4 { scratch.pointer(worker).update(repeating: .nan, count: need.worker) }
        scratch.shared.update(repeating: .nan, count: need.shared)
        return scratch
    }

    @Test(arguments: cases)
    func `convolutions are the definition's in all directions`(_ c: Case) {
        let N = 2, K = 16, layer = Convolution(window: c.window, K: K), reference = ConvolutionReference(window: c.window, K: K)
        let x = formula("x", N * c.side * c.side * c.C), W = formula("W", layer.weightCount), dy = formula("dy", N * c.window.outputPixels * K)
        let y = Poisoned(dy.count), dx = Poisoned(x.count), dW = Poisoned([Float](repeating: 0, count: W.count)), scratch = scratch(layer.scratch(N: N))
        layer.forward(y: y.pointer, x: x, W: W, N: N, scratch: scratch)
        #expect(largestError(y.values(), reference.forward(x: x, W: W, N: N)) < 1e-5)
        layer.backwardData(dx: dx.pointer, adding: false, dy: dy, W: W, N: N, scratch: scratch)
        #expect(largestError(dx.values(), reference.backwardData(dy: dy, W: W, N: N)) < 1e-5)
        layer.backwardWeights(dW: dW.pointer, dy: dy, x: x, N: N, scratch: scratch)
        #expect(largestError(dW.values(), reference.backwardWeights(dy: dy, x: x, N: N)) < 3e-5)
    }

    @Test(arguments: cases)
    func `depthwise convolutions are the definition's in all directions`(_ c: Case) {
        let N = 2, layer = Depthwise(window: c.window), reference = DepthwiseReference(window: c.window)
        let x = formula("x", N * c.side * c.side * c.C), W = formula("W", layer.weightCount), dy = formula("dy", N * c.window.outputPixels * c.C)
        let y = Poisoned(dy.count), dx = Poisoned(x.count), dW = Poisoned([Float](repeating: 0, count: W.count)), scratch = scratch(layer.scratch(N: N))
        layer.forward(y: y.pointer, x: x, W: W, N: N, scratch: scratch)
        #expect(largestError(y.values(), reference.forward(x: x, W: W, N: N)) < 1e-5)
        layer.backward(dx: dx.pointer, adding: false, dW: dW.pointer, dy: dy, x: x, W: W, N: N, scratch: scratch)
        #expect(largestError(dx.values(), reference.backwardData(dy: dy, W: W, N: N)) < 1e-5)
        #expect(largestError(dW.values(), reference.backwardWeights(dy: dy, x: x, N: N)) < 3e-5)
    }
}
