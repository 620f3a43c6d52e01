import Kernels
import Layers
import Platform
import Testing
import TestSupport

@Suite struct ConvolutionTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let N: Int, H: Int, W: Int, C: Int, K: Int, kernel: Int, stride: Int, padding: Int
        var testDescription: String { "\(N) of \(H)×\(W)×\(C) → \(K), window \(kernel), stride \(stride), padding \(padding)" }
        var window: Window { Window(H: H, W: W, C: C, kernel: kernel, stride: stride, padding: padding) }
        var layer: Convolution { Convolution(window: window, K: K) }
        var x: [Float] { formula("x", N * H * W * C) }
        var weights: [Float] { formula("W", K * window.patch) }
        var outputs: Int { N * window.outputPixels * K }

        var scratch: Scratch {
            let scratch = Scratch(workers: 4)
            scratch.reserve(layer.scratch(N: N))
            return scratch
        }

        func forward(_ x: [Float], _ W: [Float]) -> [Float] {
            let y = Poisoned(outputs)
            layer.forward(y: y.pointer, x: x, W: W, N: N, scratch: scratch)
            return y.values()
        }

        func backwardData(_ dy: [Float], _ W: [Float], addingTo before: [Float]? = nil) -> [Float] {
            let dx = before.map { Poisoned($0) } ?? Poisoned(x.count)
            layer.backwardData(dx: dx.pointer, adding: before != nil, dy: dy, W: W, N: N, scratch: scratch)
            return dx.values()
        }

        func backwardWeights(_ dy: [Float], _ x: [Float], addingTo before: [Float]) -> [Float] {
            let dW = Poisoned(before)
            layer.backwardWeights(dW: dW.pointer, dy: dy, x: x, N: N, scratch: scratch)
            return dW.values()
        }

        var reference: ConvolutionReference { ConvolutionReference(window: window, K: K) }
    }

    /// Odd sizes, windows larger than the image, a padded 1×1 window; the last have several tiles and several parts.
    static let cases = [
        Case(N: 1, H: 1, W: 1, C: 1, K: 1, kernel: 1, stride: 1, padding: 0),
        Case(N: 1, H: 1, W: 1, C: 3, K: 5, kernel: 3, stride: 1, padding: 1),
        Case(N: 2, H: 3, W: 7, C: 5, K: 17, kernel: 3, stride: 1, padding: 1),
        Case(N: 3, H: 7, W: 3, C: 17, K: 20, kernel: 3, stride: 2, padding: 1),
        Case(N: 1, H: 13, W: 13, C: 20, K: 3, kernel: 7, stride: 2, padding: 3),
        Case(N: 2, H: 13, W: 7, C: 3, K: 20, kernel: 7, stride: 1, padding: 3),
        Case(N: 2, H: 3, W: 1, C: 1, K: 1, kernel: 7, stride: 1, padding: 3),
        Case(N: 2, H: 7, W: 13, C: 17, K: 5, kernel: 1, stride: 1, padding: 0),
        Case(N: 3, H: 7, W: 7, C: 20, K: 17, kernel: 1, stride: 2, padding: 0),
        Case(N: 1, H: 7, W: 3, C: 3, K: 17, kernel: 1, stride: 1, padding: 1),
        Case(N: 1, H: 13, W: 7, C: 5, K: 5, kernel: 3, stride: 2, padding: 0),
        Case(N: 3, H: 13, W: 13, C: 5, K: 3, kernel: 3, stride: 3, padding: 1),
        // Few channels: several runs of rows, and windows that extend over both edges.
        Case(N: 2, H: 31, W: 300, C: 3, K: 17, kernel: 7, stride: 2, padding: 3),
        Case(N: 20, H: 9, W: 30, C: 3, K: 48, kernel: 3, stride: 2, padding: 1),
        Case(N: 5, H: 40, W: 37, C: 20, K: 17, kernel: 3, stride: 1, padding: 1),
        Case(N: 3, H: 50, W: 45, C: 20, K: 5, kernel: 3, stride: 1, padding: 1),
        // For Winograd tiles: images smaller than a tile, sides that are not multiples of four, every padding, one
        // panel and several.
        Case(N: 1, H: 1, W: 1, C: 16, K: 16, kernel: 3, stride: 1, padding: 1),
        Case(N: 1, H: 3, W: 7, C: 32, K: 16, kernel: 3, stride: 1, padding: 1),
        Case(N: 2, H: 13, W: 3, C: 16, K: 48, kernel: 3, stride: 1, padding: 1),
        Case(N: 3, H: 7, W: 13, C: 48, K: 80, kernel: 3, stride: 1, padding: 0),
        Case(N: 2, H: 5, W: 6, C: 16, K: 32, kernel: 3, stride: 1, padding: 2),
        Case(N: 9, H: 17, W: 18, C: 16, K: 16, kernel: 3, stride: 1, padding: 1),
        // The same with stride 2: sides that are odd, even, and not whole tiles of eight; the last have several pieces
        // and chunks.
        Case(N: 1, H: 1, W: 2, C: 16, K: 16, kernel: 3, stride: 2, padding: 1),
        Case(N: 2, H: 3, W: 5, C: 32, K: 16, kernel: 3, stride: 2, padding: 1),
        Case(N: 1, H: 8, W: 7, C: 16, K: 48, kernel: 3, stride: 2, padding: 1),
        Case(N: 3, H: 13, W: 14, C: 48, K: 32, kernel: 3, stride: 2, padding: 1),
        Case(N: 2, H: 14, W: 2, C: 16, K: 16, kernel: 3, stride: 2, padding: 1),
        Case(N: 1, H: 3, W: 4, C: 16, K: 32, kernel: 3, stride: 2, padding: 0),
        Case(N: 2, H: 14, W: 7, C: 32, K: 16, kernel: 3, stride: 2, padding: 0),
        Case(N: 1, H: 8, W: 13, C: 16, K: 16, kernel: 3, stride: 2, padding: 0),
        Case(N: 1, H: 5, W: 18, C: 16, K: 16, kernel: 3, stride: 2, padding: 2),
        Case(N: 2, H: 33, W: 35, C: 80, K: 112, kernel: 3, stride: 2, padding: 1),
        Case(N: 40, H: 63, W: 62, C: 16, K: 16, kernel: 3, stride: 2, padding: 1),
        // Images of so few pixels that each pair of an input and an output pixel is a product: several blocks of images
        // and of columns, and windows with a long reach.
        Case(N: 2, H: 2, W: 2, C: 5, K: 7, kernel: 3, stride: 1, padding: 1),
        Case(N: 60, H: 2, W: 2, C: 40, K: 150, kernel: 3, stride: 1, padding: 1),
        Case(N: 3, H: 1, W: 1, C: 512, K: 24, kernel: 3, stride: 1, padding: 1),
        // So many weights that tiles would go panel by panel.
        Case(N: 2, H: 2, W: 2, C: 352, K: 336, kernel: 3, stride: 1, padding: 1),
        Case(N: 5, H: 4, W: 4, C: 24, K: 32, kernel: 3, stride: 2, padding: 1),
        Case(N: 4, H: 3, W: 2, C: 16, K: 40, kernel: 5, stride: 2, padding: 2),
        Case(N: 7, H: 1, W: 3, C: 9, K: 33, kernel: 3, stride: 2, padding: 1),
        // Rows that would evict each other from the cache, and blocks of the weights' gradient.
        Case(N: 2, H: 5, W: 7, C: 1024, K: 200, kernel: 1, stride: 1, padding: 0),
        Case(N: 2, H: 9, W: 7, C: 24, K: 1024, kernel: 1, stride: 1, padding: 0),
        Case(N: 4, H: 33, W: 31, C: 40, K: 300, kernel: 1, stride: 2, padding: 0),
        Case(N: 3, H: 13, W: 11, C: 600, K: 330, kernel: 1, stride: 1, padding: 0),
        Case(N: 2, H: 15, W: 13, C: 300, K: 280, kernel: 1, stride: 2, padding: 0),
        // Tiles for the weights' gradient alone.
        Case(N: 1, H: 8, W: 8, C: 176, K: 304, kernel: 3, stride: 2, padding: 1),
    ]

    @Test func `a worked example`() {
        // 1 2 3    window 1 2, padded by one, stride 2: patches (0 0 0 1), (0 0 2 3), (0 4 0 7), (5 6 8 9).
        // 4 5 6           3 4
        // 7 8 9
        let c = Case(N: 1, H: 3, W: 3, C: 1, K: 1, kernel: 2, stride: 2, padding: 1)
        let x: [Float] = [1, 2, 3, 4, 5, 6, 7, 8, 9], W: [Float] = [1, 2, 3, 4]
        #expect(c.forward(x, W) == [4, 18, 36, 77])
        #expect(c.backwardData([1, 10, 100, 1000], W) == [4, 30, 40, 200, 1000, 2000, 400, 3000, 4000])
        #expect(c.backwardWeights([1, 10, 100, 1000], x, addingTo: [0.5, 0, 0, 0]) == [5000.5, 6400, 8020, 9731])
        #expect(c.reference.forward(x: x, W: W, N: 1) == [4, 18, 36, 77])
        #expect(c.reference.backwardData(dy: [1, 10, 100, 1000], W: W, N: 1) == [4, 30, 40, 200, 1000, 2000, 400, 3000, 4000])
        #expect(c.reference.backwardWeights(dy: [1, 10, 100, 1000], x: x, N: 1) == [5000, 6400, 8020, 9731])
    }

    @Test func `the cases meet every algorithm in every direction that it has`() {
        let met = Set(Self.cases.flatMap { c in zip(["forward", "data", "weights"], c.layer.algorithmNames).map { "\($1) \($0)" } })
        var all = ["Im2col", "PixelPairs", "StridedWinogradTiles", "WinogradTiles"].flatMap { name in ["forward", "data", "weights"].map { "\(name) \($0)" } }
        all += ["ImplicitGEMM forward", "ImplicitGEMM weights", "PointwiseGradients data", "PointwiseGradients weights"]
        #expect(met == Set(all))
        // If there are too many weights to transform twice, only their gradient is transformed.
        #expect(Self.cases.contains { $0.layer.algorithmNames == ["Im2col", "Im2col", "StridedWinogradTiles"] })
    }

    /// The layers of ResNet-18 for images of 224×224.
    @Test(arguments: [
        (224, 3, 64, 7, 2, ["ImplicitGEMM", "Im2col", "ImplicitGEMM"]), (56, 64, 64, 3, 1, ["WinogradTiles", "WinogradTiles", "WinogradTiles"]),
        (56, 64, 128, 3, 2, ["StridedWinogradTiles", "StridedWinogradTiles", "StridedWinogradTiles"]), (56, 64, 128, 1, 2, ["Im2col", "Im2col", "Im2col"]),
        (28, 128, 64, 1, 1, ["Im2col", "PointwiseGradients", "PointwiseGradients"]), (2, 64, 64, 3, 1, ["PixelPairs", "PixelPairs", "PixelPairs"]),
    ])
    func `a layer chooses its algorithms by its shape alone`(side: Int, C: Int, K: Int, kernel: Int, stride: Int, names: [String]) {
        #expect(Case(N: 1, H: side, W: side, C: C, K: K, kernel: kernel, stride: stride, padding: kernel / 2).layer.algorithmNames == names)
    }

    @Test(arguments: cases)
    func `forward is the sum over the window`(_ c: Case) {
        let (x, W) = (c.x, c.weights)
        #expect(largestError(c.forward(x, W), c.reference.forward(x: x, W: W, N: c.N)) < 1e-5)
    }

    @Test(arguments: cases, [false, true])
    func `the end of a folded convolution adds the bias and the residual and rectifies`(_ c: Case, withResidual: Bool) {
        let bias = formula("bias", c.K), residual = formula("residual", c.outputs)
        let direct = c.forward(c.x, c.weights)
        let packed = Poisoned(c.layer.packedCount)
        c.layer.pack(c.weights, into: packed.pointer)
        _ = packed.values()
        for activation in [Activation.none, .relu, .relu6, .hardSwish, .silu, .gelu] {
            let y = Poisoned(c.outputs)
            bias.withUnsafeBufferPointer { bias in
                residual.withUnsafeBufferPointer { residual in
                    guard let base = bias.baseAddress else { return }
                    let epilogue = Epilogue(bias: base, residual: withResidual ? residual.baseAddress : nil, activation: activation)
                    c.layer.forward(y: y.pointer, x: c.x, packed: packed.pointer, N: c.N, epilogue: epilogue, scratch: c.scratch)
                }
            }
            let expected = direct.indices.map { i in
                let sum = Double(direct[i]) + Double(bias[i % c.K]) + (withResidual ? Double(residual[i]) : 0)
                return plain(activation, sum).value
            }
            #expect(largestError(y.values(), expected) < 1e-6)
        }
    }

    @Test(arguments: cases)
    func `backwardData brings every output's gradient to the places it came from`(_ c: Case) {
        let W = c.weights, dy = formula("dy", c.outputs)
        let expected = c.reference.backwardData(dy: dy, W: W, N: c.N)
        #expect(largestError(c.backwardData(dy, W), expected) < 1e-5)

        let before = formula("before", c.x.count)
        #expect(largestError(c.backwardData(dy, W, addingTo: before), zip(expected, before).map { $0 + Double($1) }) < 1e-5)
    }

    @Test(arguments: cases.filter { $0.layer.joinsGradients }, [false, true])
    func `both gradients in one pass are those one by one: that of the input set or added to, that of the weights added`(_ c: Case, adding: Bool) {
        let x = c.x, W = c.weights, dy = formula("dy", c.outputs), before = formula("before", W.count), there = formula("there", x.count)
        let dx = adding ? Poisoned(there) : Poisoned(x.count), dW = Poisoned(before)
        c.layer.backward(dx: dx.pointer, adding: adding, dW: dW.pointer, dy: dy, x: x, W: W, N: c.N, scratch: c.scratch)
        let back = c.reference.backwardData(dy: dy, W: W, N: c.N)
        #expect(largestError(dx.values(), adding ? zip(back, there).map { $0 + Double($1) } : back) < 1e-5)
        #expect(largestError(dW.values(), zip(c.reference.backwardWeights(dy: dy, x: x, N: c.N), before).map { $0 + Double($1) }) < 2e-5)
        // A network's first layer has no input gradient.
        let alone = Poisoned(before)
        c.layer.backward(dx: nil, adding: false, dW: alone.pointer, dy: dy, x: x, W: W, N: c.N, scratch: c.scratch)
        #expect(firstDifference(alone.values(), dW.values()) == nil)
    }

    @Test(arguments: cases)
    func `backwardWeights adds to the gradients it is given`(_ c: Case) {
        let x = c.x, dy = formula("dy", c.outputs), before = formula("before", c.weights.count)
        let expected = zip(c.reference.backwardWeights(dy: dy, x: x, N: c.N), before).map { $0 + Double($1) }
        #expect(largestError(c.backwardWeights(dy, x, addingTo: before), expected) < 2e-5)
    }

    @Test(arguments: cases)
    func `both gradients are the derivative`(_ c: Case) {
        let x = c.x, W = c.weights, dy = formula("dy", c.outputs)
        // The function is linear in each argument, so the step may be large.
        expectDerivative(c.backwardData(dy, W), of: { dot(dy, c.forward($0, W)) }, at: x, step: 1, tolerance: 1e-5)
        let dW = c.backwardWeights(dy, x, addingTo: [Float](repeating: 0, count: W.count))
        expectDerivative(dW, of: { dot(dy, c.forward(x, $0)) }, at: W, step: 1, tolerance: 1e-5)
    }
}
