import Kernels
import Layers
import TestSupport
import Testing

/// Layers with a fused batch norm against the separate batch norm: equal to the last bit.
@Suite struct FusionTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let N: Int, H: Int, W: Int, C: Int
        let activation: Activation
        var testDescription: String { "\(N) of \(H)×\(W)×\(C), \(activation)" }
        var M: Int { N * H * W }
        var layer: BatchNorm { BatchNorm(C: C, epsilon: 1e-5, momentum: 0.1, activation: activation) }
        var x: [Float] { formula("x", M * C) }
        /// Wide enough to exceed −3 and 6, the kinks of ReLU6 and h-swish.
        var gamma: [Float] { formula("gamma", C).map { (1 + $0 / 2) * (activation == .relu6 || activation == .hardSwish ? 5 : 1) } }
        var beta: [Float] { formula("beta", C) }
    }

    static let cases = [Activation.none, .relu, .relu6, .hardSwish, .silu, .gelu].flatMap { activation in
        [(3, 5, 7, 24), (2, 9, 6, 16), (17, 4, 4, 24), (2, 5, 44, 24), (1, 6, 58, 40), (5, 4, 4, 72), (1, 3, 3, 5), (2, 6, 5, 512), (3, 15, 13, 40)].map { N, H, W, C in
            Case(N: N, H: H, W: W, C: C, activation: activation)
        }
    }

    /// The batch norm's output for x, computed both ways.
    final class Made {
        let c: Case, x: [Float], gamma: [Float], beta: [Float]
        let y: Poisoned, mean: Poisoned, inverseDeviation: Poisoned
        private var sums: [Double]

        init(_ c: Case) {
            self.c = c
            (x, gamma, beta) = (c.x, c.gamma, c.beta)
            (y, mean, inverseDeviation) = (Poisoned(x.count), Poisoned(c.C), Poisoned(c.C))
            sums = [Double](repeating: .nan, count: BatchNorm.sums(C: c.C, groups: 1))
            let (running, variance) = (Poisoned([Float](repeating: 0, count: c.C)), Poisoned([Float](repeating: 1, count: c.C)))
            c.layer.forward(
                y: y.pointer, mean: mean.pointer, inverseDeviation: inverseDeviation.pointer, runningMean: running.pointer, runningVariance: variance.pointer, x: x,
                gamma: gamma, beta: beta, residual: nil, M: c.M, groups: 1, sums: &sums)
            let made = y.values()
            if c.activation == .relu6 { #expect(made.contains(6) && made.contains(0)) }
            if c.activation == .hardSwish { #expect(made.contains { $0 > 3 } && made.contains(0)) }
            let (ownMean, ownInverse) = (Poisoned(c.C), Poisoned(c.C))
            let (ownRunning, ownVariance) = (Poisoned([Float](repeating: 0, count: c.C)), Poisoned([Float](repeating: 1, count: c.C)))
            c.layer.measure(
                mean: ownMean.pointer, inverseDeviation: ownInverse.pointer, runningMean: ownRunning.pointer, runningVariance: ownVariance.pointer, x: x, M: c.M,
                groups: 1, sums: &sums)
            #expect(ownMean.values() == mean.values() && ownInverse.values() == inverseDeviation.values())
            #expect(ownRunning.values() == running.values() && ownVariance.values() == variance.values())
        }

        var normalized: NormalizedInput { NormalizedInput(c.layer, mean: mean.pointer, inverseDeviation: inverseDeviation.pointer, gamma: gamma, beta: beta) }

        /// dx of the batch norm itself, and the pending computation on `dy`, which may change; the parameters'
        /// gradients are equal.
        func gradients(_ dy: Poisoned) -> (dx: Poisoned, pending: NormalizedGradient) {
            let dx = Poisoned(x.count), given = Poisoned(dy.values())
            let zeros = [Float](repeating: 0, count: c.C)
            let dgamma = [Poisoned(zeros), Poisoned(zeros)], dbeta = [Poisoned(zeros), Poisoned(zeros)]
            c.layer.backward(
                dx: dx.pointer, dgamma: dgamma[0].pointer, dbeta: dbeta[0].pointer, dresidual: nil, addingToResidual: false, dy: given.pointer,
                y: y.pointer, x: x, mean: mean.pointer, inverseDeviation: inverseDeviation.pointer, gamma: gamma, beta: beta, M: c.M, groups: 1, sums: &sums)
            let pending = x.withUnsafeBufferPointer { x in
                c.layer.sumGradient(
                    dgamma: dgamma[1].pointer, dbeta: dbeta[1].pointer, dy: dy.pointer, x: x.baseAddress ?? UnsafePointer(dx.pointer), mean: mean.pointer,
                    inverseDeviation: inverseDeviation.pointer, gamma: gamma, beta: beta, M: c.M, sums: &sums)
            }
            #expect(dgamma[0].values() == dgamma[1].values() && dbeta[0].values() == dbeta[1].values())
            return (dx, pending)
        }
    }

    func scratch(_ need: Scratch.Need) -> Scratch {
        let scratch = Scratch(workers: 4)
        scratch.reserve(need)
        if need.worker > 0 { for worker in 0..<4 { scratch.pointer(worker).update(repeating: .nan, count: need.worker) } }
        if need.shared > 0 { scratch.shared.update(repeating: .nan, count: need.shared) }
        return scratch
    }

    @Test(arguments: cases)
    func `a pointwise convolution reads what is still to be normalised`(_ c: Case) {
        let made = Made(c), K = 40
        let layer = Convolution(window: Window(H: c.H, W: c.W, C: c.C, kernel: 1, stride: 1, padding: 0), K: K)
        let W = formula("W", layer.weightCount), dy = formula("dy", c.M * K), zeros = [Float](repeating: 0, count: W.count)
        let scratch = scratch(layer.scratch(N: c.N))
        func results(_ x: UnsafePointer<Float>, _ normalized: NormalizedInput?) -> [[Float]] {
            let y = Poisoned(dy.count), dW = Poisoned(zeros), joined = Poisoned(zeros), dx = Poisoned(c.x.count)
            layer.forward(y: y.pointer, x: x, normalized: normalized, W: W, N: c.N, scratch: scratch)
            layer.backwardWeights(dW: dW.pointer, dy: dy, x: x, normalized: normalized, N: c.N, scratch: scratch)
            layer.backward(dx: dx.pointer, adding: false, dW: joined.pointer, dy: dy, x: x, normalized: normalized, W: W, N: c.N, scratch: scratch)
            return [y.values(), dW.values(), joined.values(), dx.values()]
        }
        let eager = results(made.y.pointer, nil)
        made.x.withUnsafeBufferPointer { x in
            guard let x = x.baseAddress else { return }
            for (own, other) in zip(results(x, made.normalized), eager) { #expect(firstDifference(own, other) == nil) }
        }
    }

    @Test(arguments: cases)
    func `a pointwise convolution takes its gradient back through the batch norm behind it`(_ c: Case) {
        let made = Made(c), C = 24
        let layer = Convolution(window: Window(H: c.H, W: c.W, C: C, kernel: 1, stride: 1, padding: 0), K: c.C)
        let W = formula("W", layer.weightCount), x = formula("input", c.M * C), before = formula("before", c.M * C)
        let dy = Poisoned(formula("dy", c.x.count)), scratch = scratch(layer.scratch(N: c.N))
        let (dx, pending) = made.gradients(dy)
        func results(_ dy: UnsafePointer<Float>, _ gradient: NormalizedGradient?, adding: Bool) -> [[Float]] {
            let back = Poisoned(before), dW = Poisoned([Float](repeating: 0, count: W.count))
            layer.backward(
                dx: back.pointer, adding: adding, dW: dW.pointer, dy: dy, gradient: gradient, x: x, W: W, N: c.N, scratch: scratch)
            return [back.values(), dW.values()]
        }
        withExtendedLifetime(made) {
            for adding in [false, true] {
                let eager = results(dx.pointer, nil, adding: adding)
                for (own, other) in zip(results(dy.pointer, pending, adding: adding), eager) { #expect(firstDifference(own, other) == nil) }
                // Against the separately computed gradients.
                let back = Poisoned(before), dW = Poisoned([Float](repeating: 0, count: W.count))
                layer.backwardData(dx: back.pointer, adding: adding, dy: dx.pointer, W: W, N: c.N, scratch: scratch)
                layer.backwardWeights(dW: dW.pointer, dy: dx.pointer, x: x, N: c.N, scratch: scratch)
                #expect(largestError(eager[0], back.values().map { Double($0) }) < 1e-6)
                #expect(largestError(eager[1], dW.values().map { Double($0) }) < 1e-5)
            }
        }
    }

    @Test(arguments: cases, [(3, 1), (3, 2), (5, 1)])
    func `a depthwise convolution does both`(_ c: Case, window: (kernel: Int, stride: Int)) {
        // One batch norm before it and, if the number of pixels stays the same, another after it.
        let made = Made(c)
        let layer = Depthwise(window: Window(H: c.H, W: c.W, C: c.C, kernel: window.kernel, stride: window.stride, padding: window.kernel / 2))
        let W = formula("W", layer.weightCount), scratch = scratch(layer.scratch(N: c.N))
        let dy = Poisoned(formula("dy", c.N * layer.window.outputPixels * c.C))
        let behind = window.stride == 1 ? made.gradients(dy) : (dx: dy, pending: nil)
        func results(_ x: UnsafePointer<Float>, _ normalized: NormalizedInput?, _ dy: UnsafePointer<Float>, _ gradient: NormalizedGradient?) -> [[Float]] {
            let y = Poisoned(c.N * layer.window.outputPixels * c.C), dW = Poisoned([Float](repeating: 0, count: W.count)), dx = Poisoned(c.x.count)
            layer.forward(y: y.pointer, x: x, normalized: normalized, W: W, N: c.N, scratch: scratch)
            layer.backward(
                dx: dx.pointer, adding: false, dW: dW.pointer, dy: dy, gradient: gradient, x: x, normalized: normalized, W: W, N: c.N, scratch: scratch)
            return [y.values(), dW.values(), dx.values()]
        }
        let eager = results(made.y.pointer, nil, behind.dx.pointer, nil)
        made.x.withUnsafeBufferPointer { x in
            guard let x = x.baseAddress else { return }
            for (own, other) in zip(results(x, made.normalized, dy.pointer, behind.pending), eager) { #expect(firstDifference(own, other) == nil) }
        }
    }

    @Test(arguments: cases)
    func `squeeze-excite reads what is still to be normalised`(_ c: Case) {
        let made = Made(c), K = 6, layer = SqueezeExcite(C: c.C, K: K, activation: .relu, gate: .hardSigmoid), P = c.H * c.W
        let numbers = [K * c.C, K, c.C * K, c.C].map { Poisoned(formula("\($0)", $0)) }, dy = formula("dy", c.x.count)
        let scratch = scratch(layer.scratch(N: c.N))
        func parameters(_ all: [Poisoned]) -> SqueezeExcite.Parameters {
            .init(W1: all[0].pointer, b1: all[1].pointer, W2: all[2].pointer, b2: all[3].pointer)
        }
        func results(_ x: UnsafePointer<Float>, _ normalized: NormalizedInput?) -> [[Float]] {
            let y = Poisoned(c.x.count), kept = Poisoned(layer.saved(N: c.N)), dx = Poisoned(c.x.count)
            let gradients = [K * c.C, K, c.C * K, c.C].map { Poisoned([Float](repeating: 0, count: $0)) }
            withExtendedLifetime((numbers, gradients)) {
                layer.forward(y: y.pointer, saved: kept.pointer, x: x, normalized: normalized, parameters(numbers), N: c.N, P: P, scratch: scratch)
                layer.backward(
                    dx: dx.pointer, parameters(gradients), dy: dy, x: x, normalized: normalized, saved: kept.pointer, parameters(numbers), N: c.N, P: P,
                    scratch: scratch)
            }
            return [y.values(), kept.values(), dx.values()] + gradients.map { $0.values() }
        }
        let eager = results(made.y.pointer, nil)
        made.x.withUnsafeBufferPointer { x in
            guard let x = x.baseAddress else { return }
            for (own, other) in zip(results(x, made.normalized), eager) { #expect(firstDifference(own, other) == nil) }
        }
    }

    /// With a 1×1 window and stride 1 and 2, and with patches; the first uses non-temporal stores.
    @Test(arguments: [
        ConvolutionTests.Case(N: 6, H: 112, W: 112, C: 16, K: 96, kernel: 1, stride: 1, padding: 0),
        ConvolutionTests.Case(N: 3, H: 15, W: 13, C: 40, K: 24, kernel: 1, stride: 1, padding: 0),
        ConvolutionTests.Case(N: 2, H: 17, W: 16, C: 24, K: 50, kernel: 1, stride: 2, padding: 0),
        ConvolutionTests.Case(N: 1, H: 1, W: 1, C: 16, K: 5, kernel: 1, stride: 1, padding: 0),
        ConvolutionTests.Case(N: 2, H: 20, W: 21, C: 20, K: 17, kernel: 3, stride: 1, padding: 1),
    ])
    func `a convolution finds the moments that the batch norm behind it needs`(_ c: ConvolutionTests.Case) {
        let layer = c.layer, norm = BatchNorm(C: c.K, epsilon: 1e-5, momentum: 0.1, activation: .relu), M = c.N * c.window.outputPixels
        // Far from zero: nothing may cancel.
        let x = c.x.map { $0 + 3 }, W = c.weights, plain = c.forward(x, W), y = FloatBuffer(c.outputs), scratch = scratch(layer.scratch(N: c.N))
        var moments = [Double](repeating: .nan, count: max(layer.momentDoubles(N: c.N), BatchNorm.sums(C: c.K, groups: 1)))
        guard let pieces = layer.momentPieces(N: c.N) else {
            Issue.record("leaves them to the batch norm")
            return
        }
        layer.forward(y: y.pointer, x: x, W: W, N: c.N, moments: &moments, scratch: scratch)
        #expect(firstDifference(y.array, plain) == nil)
        let mean = Poisoned(c.K), inverseDeviation = Poisoned(c.K)
        let runningMean = Poisoned([Float](repeating: 1, count: c.K)), runningVariance = Poisoned([Float](repeating: 1, count: c.K))
        norm.measure(
            mean: mean.pointer, inverseDeviation: inverseDeviation.pointer, runningMean: runningMean.pointer, runningVariance: runningVariance.pointer, x: y.pointer, M: M,
            groups: 1, measured: pieces, sums: &moments)
        for k in 0..<c.K {
            let own = (0..<M).map { Double(plain[$0 * c.K + k]) }, average = own.reduce(0, +) / Double(M)
            let squares = own.reduce(0) { $0 + ($1 - average) * ($1 - average) }, variance = squares / Double(M)
            #expect(abs(Double(mean.pointer[k]) - average) <= 1e-6 * max(abs(average), variance.squareRoot()))
            #expect(abs(Double(inverseDeviation.pointer[k]) * (variance + 1e-5).squareRoot() - 1) < 1e-5)
            #expect(abs(Double(runningMean.pointer[k]) - (0.9 + 0.1 * average)) <= 1e-6 * max(1, abs(average)))
            #expect(abs(Double(runningVariance.pointer[k]) - (0.9 + 0.1 * squares / Double(max(1, M - 1)))) <= 1e-5 * max(1, variance))
        }
        _ = (mean.values(), inverseDeviation.values(), runningMean.values(), runningVariance.values())
    }

    @Test(arguments: [(3, 5, 7, 24, 40), (2, 14, 14, 96, 16), (1, 3, 3, 5, 7), (5, 9, 6, 512, 33)])
    func `a convolution multiplies by the gates of squeeze-excite as it reads`(_ size: (N: Int, H: Int, W: Int, C: Int, K: Int)) {
        let (N, H, W, C, K) = (size.N, size.H, size.W, size.C, size.K), P = H * W
        let excite = SqueezeExcite(C: C, K: 6, activation: .silu, gate: .sigmoid), x = formula("x", N * P * C)
        let numbers = [6 * C, 6, C * 6, C].map { Poisoned(formula("\($0)", $0)) }, excited = Poisoned(x.count)
        let layer = Convolution(window: Window(H: H, W: W, C: C, kernel: 1, stride: 1, padding: 0), K: K), w = formula("W", layer.weightCount)
        let packed = Poisoned(layer.packedCount), bias = formula("bias", K), residual = formula("residual", N * P * K)
        layer.pack(w, into: packed.pointer)
        let (other, own) = (scratch(excite.inferenceScratch(N: N)), scratch(layer.inferenceScratch(N: N)))
        withExtendedLifetime(numbers) {
            let parameters = SqueezeExcite.Parameters(
                W1: numbers[0].pointer, b1: numbers[1].pointer, W2: numbers[2].pointer, b2: numbers[3].pointer)
            excite.forward(y: excited.pointer, saved: nil, x: x, parameters, N: N, P: P, scratch: other)
            let gates = excite.gates(saved: nil, x: x, parameters, N: N, P: P, scratch: other)
            for activation in [Activation.none, .relu, .relu6, .hardSwish, .silu, .gelu] {
                let found = Poisoned(N * P * K), expected = Poisoned(N * P * K)
                bias.withUnsafeBufferPointer { bias in
                    residual.withUnsafeBufferPointer { residual in
                        guard let bias = bias.baseAddress else { return }
                        let epilogue = Epilogue(bias: bias, residual: residual.baseAddress, activation: activation)
                        layer.forward(y: found.pointer, x: x, gates: gates, packed: packed.pointer, N: N, epilogue: epilogue, scratch: own)
                        layer.forward(y: expected.pointer, x: excited.pointer, packed: packed.pointer, N: N, epilogue: epilogue, scratch: own)
                    }
                }
                #expect(firstDifference(found.values(), expected.values()) == nil)
            }
        }
    }

    /// Results of 8 MiB and more are written with non-temporal stores, also if the activation is separate from the
    /// product. A single image is smaller.
    @Test(arguments: [(112, 16, 64, 1), (113, 3, 160, 3)])
    func `large activated results are those of the images one by one`(_ size: (side: Int, C: Int, K: Int, kernel: Int)) {
        let (side, C, K, N) = (size.side, size.C, size.K, 3)
        let window = Window(H: side, W: side, C: C, kernel: size.kernel, stride: 1, padding: size.kernel / 2), layer = Convolution(window: window, K: K)
        let x = formula("x", N * side * side * C), w = formula("W", layer.weightCount), packed = Poisoned(layer.packedCount), bias = formula("bias", K)
        layer.pack(w, into: packed.pointer)
        let scratch = scratch(layer.inferenceScratch(N: N))
        for activation in [Activation.hardSwish, .silu] {
            let whole = FloatBuffer(N * window.outputPixels * K), single = FloatBuffer(whole.count)
            x.withUnsafeBufferPointer { x in
                bias.withUnsafeBufferPointer { bias in
                    guard let x = x.baseAddress, let bias = bias.baseAddress else { return }
                    let epilogue = Epilogue(bias: bias, residual: nil, activation: activation)
                    layer.forward(y: whole.pointer, x: x, packed: packed.pointer, N: N, epilogue: epilogue, scratch: scratch)
                    for n in 0..<N {
                        layer.forward(
                            y: single.pointer + n * window.outputPixels * K, x: x + n * side * side * C, packed: packed.pointer, N: 1, epilogue: epilogue,
                            scratch: scratch)
                    }
                }
            }
            #expect(firstDifference(whole.array, single.array) == nil)
        }
    }

    /// Results of 8 MiB and more are written with non-temporal stores. A single image is smaller. The second case
    /// computes the input gradient in one pass with the weight gradient.
    @Test(arguments: [(112, 16, 64, 1), (112, 64, 16, 1), (112, 64, 64, 3), (121, 48, 48, 0)])
    func `large results are those of the images one by one`(_ size: (side: Int, C: Int, K: Int, kernel: Int)) {
        let (side, C, K, N) = (size.side, size.C, size.K, 3)
        let places = side * side, x = formula("x", N * places * C), dy = formula("dy", N * places * K)
        let y = FloatBuffer(dy.count), dx = FloatBuffer(x.count), ownY = FloatBuffer(dy.count), ownX = FloatBuffer(x.count)
        #expect(max(y.count, dx.count) >= 1 << 21 && max(y.count, dx.count) / N < 1 << 21)
        func run(_ N: Int, _ x: UnsafePointer<Float>, _ dy: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>, _ dx: UnsafeMutablePointer<Float>) {
            if size.kernel == 0 {
                let layer = Depthwise(window: Window(H: side, W: side, C: C, kernel: 3, stride: 1, padding: 1)), W = formula("W", layer.weightCount)
                let dW = Poisoned([Float](repeating: 0, count: W.count)), scratch = scratch(layer.scratch(N: N))
                layer.forward(y: y, x: x, W: W, N: N, scratch: scratch)
                layer.backward(dx: dx, adding: false, dW: dW.pointer, dy: dy, x: x, W: W, N: N, scratch: scratch)
            } else {
                let window = Window(H: side, W: side, C: C, kernel: size.kernel, stride: 1, padding: size.kernel / 2)
                let layer = Convolution(window: window, K: K), W = formula("W", layer.weightCount), scratch = scratch(layer.scratch(N: N))
                layer.forward(y: y, x: x, W: W, N: N, scratch: scratch)
                if layer.joinsGradients {
                    let dW = Poisoned([Float](repeating: 0, count: W.count))
                    layer.backward(dx: dx, adding: false, dW: dW.pointer, dy: dy, x: x, W: W, N: N, scratch: scratch)
                } else {
                    layer.backwardData(dx: dx, adding: false, dy: dy, W: W, N: N, scratch: scratch)
                }
            }
        }
        run(N, x, dy, y.pointer, dx.pointer)
        x.withUnsafeBufferPointer { x in
            dy.withUnsafeBufferPointer { dy in
                guard let x = x.baseAddress, let dy = dy.baseAddress else { return }
                for n in 0..<N { run(1, x + n * places * C, dy + n * places * K, ownY.pointer + n * places * K, ownX.pointer + n * places * C) }
            }
        }
        func values(_ buffer: FloatBuffer) -> [Float] { Array(UnsafeBufferPointer(start: buffer.pointer, count: buffer.count)) }
        #expect(firstDifference(values(y), values(ownY)) == nil && firstDifference(values(dx), values(ownX)) == nil)
    }
}
