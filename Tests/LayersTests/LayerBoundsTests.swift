import Kernels
import Layers
import TestSupport
import Testing

/// Layers on memory that begins or ends at inaccessible pages, in separate processes, because an access outside ends
/// the process.
@Suite struct LayerBoundsTests {
    /// In addition to the usual cases: more rows of patches than of gradients fit into the same scratch, and the
    /// reverse; large and small images in sequence.
    static let convolutions = ConvolutionTests.cases + WinogradConvolutionTests.cases + [
        .init(N: 1, H: 112, W: 112, C: 64, K: 1024, kernel: 1, stride: 2, padding: 0), .init(N: 1, H: 56, W: 56, C: 1024, K: 64, kernel: 1, stride: 2, padding: 0),
        .init(N: 2, H: 56, W: 56, C: 16, K: 512, kernel: 3, stride: 2, padding: 1), .init(N: 1, H: 60, W: 60, C: 512, K: 16, kernel: 3, stride: 1, padding: 1),
        .init(N: 1, H: 60, W: 60, C: 16, K: 512, kernel: 3, stride: 1, padding: 1), .init(N: 1, H: 96, W: 96, C: 3, K: 1024, kernel: 7, stride: 2, padding: 3),
    ]

    @Test(arguments: Side.allCases)
    func `convolutions stay within images, weights and scratch`(side: Side) async {
        await #expect(processExitsWith: .success) { [side = side as Side] in
            for c in Self.convolutions {
                let layer = c.layer, bias = Guarded(formula("bias", c.K), side), need = layer.scratch(N: c.N)
                let x = Guarded(c.x, side), W = Guarded(c.weights, side), dy = Guarded(formula("dy", c.outputs), side)
                let y = Guarded<Float>(c.outputs, side), packed = Guarded<Float>(layer.packedCount, side)
                let dx = Guarded<Float>(c.x.count, side), dW = Guarded(c.weights, side)
                let measured = MeasuredScratch(need), inference = MeasuredScratch(layer.inferenceScratch(N: c.N))

                layer.forward(y: y.pointer, x: x.pointer, W: W.pointer, N: c.N, scratch: measured.scratch)
                for N in [c.N, 1] where layer.momentPieces(N: N) != nil {
                    let moments = Guarded([Double](repeating: .nan, count: layer.momentDoubles(N: N)), side)
                    layer.forward(y: y.pointer, x: x.pointer, W: W.pointer, N: N, moments: moments.pointer, scratch: measured.scratch)
                    #expect(moments.values().allSatisfy { $0.isFinite }, "\(c.testDescription)")
                }
                layer.pack(W.pointer, into: packed.pointer)
                for (residual, activation) in [(nil, Activation.none), (dy.pointer, .relu), (nil, .silu), (dy.pointer, .hardSwish)] {
                    let epilogue = Epilogue(bias: bias.pointer, residual: residual.map { UnsafePointer($0) }, activation: activation)
                    layer.forward(y: y.pointer, x: x.pointer, packed: packed.pointer, N: c.N, epilogue: epilogue, scratch: inference.scratch)
                }
                inference.expectWithin()
                for adding in [false, true] {
                    layer.backwardData(dx: dx.pointer, adding: adding, dy: dy.pointer, W: W.pointer, N: c.N, scratch: measured.scratch)
                }
                layer.backwardWeights(dW: dW.pointer, dy: dy.pointer, x: x.pointer, N: c.N, scratch: measured.scratch)
                // With fewer images, as at the end of an epoch, in the same scratch.
                layer.backwardWeights(dW: dW.pointer, dy: dy.pointer, x: x.pointer, N: 1, scratch: measured.scratch)
                if layer.joinsGradients {
                    for (adding, N) in [(false, c.N), (true, c.N), (true, 1)] {
                        layer.backward(
                            dx: dx.pointer, adding: adding, dW: dW.pointer, dy: dy.pointer, x: x.pointer, W: W.pointer, N: N, scratch: measured.scratch)
                    }
                }
                measured.expectWithin()
                #expect((y.values() + dx.values() + dW.values()).allSatisfy { $0.isFinite }, "\(c.testDescription)")
            }
        }
    }

    @Test(arguments: Side.allCases)
    func `depthwise convolutions stay within images, weights and scratch`(side: Side) async {
        await #expect(processExitsWith: .success) { [side = side as Side] in
            for c in DepthwiseTests.cases {
                let layer = c.layer, bias = Guarded(formula("bias", c.C), side)
                let measured = MeasuredScratch(layer.scratch(N: c.N)), inference = MeasuredScratch(layer.inferenceScratch(N: c.N))
                let x = Guarded(c.x, side), W = Guarded(c.weights, side), dy = Guarded(c.dy, side)
                let y = Guarded<Float>(c.outputs, side), dx = Guarded<Float>(c.x.count, side), dW = Guarded(c.weights, side)
                layer.forward(y: y.pointer, x: x.pointer, W: W.pointer, N: c.N, scratch: measured.scratch)
                for activation in [Activation.relu, .relu6, .hardSwish, .silu] {
                    layer.forward(y: y.pointer, x: x.pointer, W: W.pointer, N: c.N, bias: bias.pointer, activation, scratch: inference.scratch)
                }
                inference.expectWithin()
                // Also with fewer images, as at the end of an epoch, in the same scratch.
                for (adding, N) in [(false, c.N), (true, c.N), (true, 1)] {
                    layer.backward(
                        dx: dx.pointer, adding: adding, dW: dW.pointer, dy: dy.pointer, x: x.pointer, W: W.pointer, N: N, scratch: measured.scratch)
                }
                measured.expectWithin()
                #expect((y.values() + dx.values() + dW.values()).allSatisfy { $0.isFinite }, "\(c.testDescription)")
            }
        }
    }

    @Test(arguments: Side.allCases)
    func `grouped convolutions and rows of unit length stay within what they are given`(side: Side) async {
        await #expect(processExitsWith: .success) { [side = side as Side] in
            for c in GroupedConvolutionTests.cases + GroupedConvolutionTests.more.filter({ $0.N * $0.H * $0.W < 2000 && $0.C < 400 }) {
                let layer = c.layer, bias = Guarded(formula("bias", c.K), side)
                let measured = MeasuredScratch(layer.scratch(N: c.N)), inference = MeasuredScratch(layer.inferenceScratch(N: c.N))
                let x = Guarded(c.x, side), W = Guarded(c.weights, side), dy = Guarded(c.dy, side), packed = Guarded<Float>(layer.packedCount, side)
                let y = Guarded<Float>(c.outputs, side), dx = Guarded<Float>(c.x.count, side), dW = Guarded(c.weights, side)
                layer.forward(y: y.pointer, x: x.pointer, W: W.pointer, N: c.N, scratch: measured.scratch)
                layer.pack(W.pointer, into: packed.pointer)
                for activation in [Activation.relu, .relu6, .hardSwish, .silu] {
                    let epilogue = Epilogue(bias: bias.pointer, activation: activation)
                    layer.forward(y: y.pointer, x: x.pointer, packed: packed.pointer, N: c.N, epilogue: epilogue, scratch: inference.scratch)
                }
                inference.expectWithin()
                for (adding, N) in [(false, c.N), (true, c.N), (true, 1)] {
                    layer.backwardData(dx: dx.pointer, adding: adding, dy: dy.pointer, W: W.pointer, N: N, scratch: measured.scratch)
                    layer.backwardWeights(dW: dW.pointer, dy: dy.pointer, x: x.pointer, N: N, scratch: measured.scratch)
                }
                measured.expectWithin()
                #expect((y.values() + dx.values() + dW.values()).allSatisfy { $0.isFinite }, "\(c.testDescription)")
            }
            for (N, D) in [(1, 1), (3, 5), (33, 16), (70, 17), (5, 129)] {
                let x = Guarded(formula("x", N * D), side), dy = Guarded(formula("dy", N * D), side)
                let y = Guarded<Float>(N * D, side), dx = Guarded<Float>(N * D, side), norm = Guarded<Float>(N, side)
                func all(_ memory: Guarded<Float>) -> UnsafeMutableBufferPointer<Float> { UnsafeMutableBufferPointer(start: memory.pointer, count: memory.count) }
                L2Normalization.forward(y: all(y), norm: all(norm), x: UnsafeBufferPointer(all(x)), N: N, D: D)
                L2Normalization.backward(
                    dx: all(dx), dy: UnsafeBufferPointer(all(dy)), y: UnsafeBufferPointer(all(y)), norm: UnsafeBufferPointer(all(norm)), N: N, D: D)
                #expect((y.values() + dx.values() + norm.values()).allSatisfy { $0.isFinite }, "\(N) rows of \(D)")
            }
        }
    }

    @Test(arguments: Side.allCases)
    func `batch norm stays within its rows`(side: Side) async {
        await #expect(processExitsWith: .success) { [side = side as Side] in
            for C in [1, 3, 5, 8, 16, 17, 20, 24, 40, 100, 129] {
                for (rows, groups) in [(1, 1), (2, 3), (7, 1), (13, 2), (1100, 2)] {
                    let M = rows * groups, x = Guarded(formula("x", M * C), side), dy = Guarded(formula("dy", M * C), side), residual = Guarded(formula("r", M * C), side)
                    let gamma = Guarded(formula("gamma", C), side), beta = Guarded(formula("beta", C), side)
                    let mean = Guarded<Float>(groups * C, side), inverseDeviation = Guarded<Float>(groups * C, side)
                    let zeros = [Float](repeating: 0, count: C), sums = Guarded([Double](repeating: .nan, count: BatchNorm.sums(C: C, groups: groups)), side)
                    let running = [zeros, zeros, zeros, zeros].map { Guarded($0, side) }
                    for activation in [Activation.none, .relu, .relu6, .hardSwish, .silu] {
                        let layer = BatchNorm(C: C, epsilon: 1e-5, momentum: 0.1, activation: activation)
                        let y = Guarded<Float>(M * C, side), dx = Guarded<Float>(M * C, side), dresidual = Guarded<Float>(M * C, side)
                        for (withResidual, adding) in [(false, false), (true, false), (true, true)] where !withResidual || activation == .none || activation == .relu {
                            layer.forward(
                                y: y.pointer, mean: mean.pointer, inverseDeviation: inverseDeviation.pointer, runningMean: running[0].pointer, runningVariance: running[1].pointer,
                                x: x.pointer, gamma: gamma.pointer, beta: beta.pointer, residual: withResidual ? residual.pointer : nil, M: M, groups: groups,
                                sums: sums.pointer)
                            layer.backward(
                                dx: dx.pointer, dgamma: running[2].pointer, dbeta: running[3].pointer, dresidual: withResidual ? dresidual.pointer : nil,
                                addingToResidual: adding, dy: dy.pointer, y: y.pointer, x: x.pointer, mean: mean.pointer, inverseDeviation: inverseDeviation.pointer,
                                gamma: gamma.pointer, beta: beta.pointer, M: M, groups: groups, sums: sums.pointer)
                        }
                        #expect((y.values() + dx.values()).allSatisfy { $0.isFinite }, "\(M) places of \(C), \(activation)")
                        if activation == .none || activation == .relu { #expect(dresidual.values().allSatisfy { $0.isFinite }) }
                    }
                    _ = (sums.values(), mean.values(), inverseDeviation.values(), running.map { $0.values() })
                }
            }
        }
    }

    @Test(arguments: Side.allCases)
    func `pools stay within images`(side: Side) async {
        await #expect(processExitsWith: .success) { [side = side as Side] in
            for c in MaxPoolTests.cases {
                let pool = MaxPool(window: c.window), x = Guarded(formula("x", c.inputs), side), y = Guarded<Float>(c.outputs, side)
                let taps = Guarded([UInt8](repeating: 255, count: c.outputs), side), dx = Guarded<Float>(c.inputs, side), dy = Guarded(formula("dy", c.outputs), side)
                pool.forward(y: y.pointer, argmax: nil, x: x.pointer, N: c.N)
                pool.forward(y: y.pointer, argmax: taps.pointer, x: x.pointer, N: c.N)
                for adding in [false, true] { pool.backward(dx: dx.pointer, adding: adding, dy: dy.pointer, argmax: taps.pointer, N: c.N) }
                #expect((y.values() + dx.values()).allSatisfy { $0.isFinite } && taps.values().allSatisfy { $0 < c.kernel * c.kernel })
            }
            for (N, P, C) in AveragePoolTests.sizes {
                let x = Guarded(formula("x", N * P * C), side), y = Guarded<Float>(N * C, side), dx = Guarded<Float>(N * P * C, side)
                AveragePool.forward(y: y.pointer, x: x.pointer, N: N, P: P, C: C)
                for adding in [false, true] { AveragePool.backward(dx: dx.pointer, adding: adding, dy: y.pointer, N: N, P: P, C: C) }
                #expect((y.values() + dx.values()).allSatisfy { $0.isFinite })
            }
        }
    }

    @Test(arguments: Side.allCases)
    func `fully connected layers stay within their matrices`(side: Side) async {
        await #expect(processExitsWith: .success) { [side = side as Side] in
            for c in LinearTests.cases {
                let layer = Linear(I: c.I, O: c.O), x = Guarded(formula("x", c.N * c.I), side), W = Guarded(formula("W", c.O * c.I), side)
                let b = Guarded(formula("b", c.O), side), dy = Guarded(formula("dy", c.N * c.O), side), y = Guarded<Float>(c.N * c.O, side)
                let dx = Guarded<Float>(c.N * c.I, side), dW = Guarded(formula("dW", c.O * c.I), side), db = Guarded(formula("db", c.O), side)
                PackedLinear(I: c.I, O: c.O, W: W.pointer, b: b.pointer).forward(y: y.pointer, x: x.pointer, N: c.N)
                for activation in [Activation.none, .relu, .hardSwish] { layer.forward(y: y.pointer, x: x.pointer, W: W.pointer, b: b.pointer, N: c.N, activation) }
                for adding in [false, true] {
                    layer.backward(dx: dx.pointer, adding: adding, dW: dW.pointer, db: db.pointer, dy: dy.pointer, x: x.pointer, W: W.pointer, N: c.N)
                }
                #expect((y.values() + dx.values() + dW.values() + db.values()).allSatisfy { $0.isFinite })
            }
        }
    }

    @Test(arguments: Side.allCases)
    func `squeeze-excite stays within images and parameters`(side: Side) async {
        await #expect(processExitsWith: .success) { [side = side as Side] in
            for c in SqueezeExciteTests.cases {
                let layer = c.layer, measured = MeasuredScratch(layer.scratch(N: c.N)), inference = MeasuredScratch(layer.inferenceScratch(N: c.N))
                let x = Guarded(c.x, side), dy = Guarded(formula("dy", c.x.count), side), y = Guarded<Float>(c.x.count, side), dx = Guarded<Float>(c.x.count, side)
                let kept = Guarded<Float>(layer.saved(N: c.N), side), numbers = [c.W1, c.b1, c.W2, c.b2].map { Guarded($0, side) }
                let gradients = numbers.map { Guarded($0.values(), side) }
                func parameters(_ all: [Guarded<Float>]) -> SqueezeExcite.Parameters {
                    .init(W1: all[0].pointer, b1: all[1].pointer, W2: all[2].pointer, b2: all[3].pointer)
                }
                // Swift may free arrays after their last use.
                withExtendedLifetime((numbers, gradients)) {
                    layer.forward(y: y.pointer, saved: nil, x: x.pointer, parameters(numbers), N: c.N, P: c.P, scratch: inference.scratch)
                    inference.expectWithin()
                    layer.forward(y: y.pointer, saved: kept.pointer, x: x.pointer, parameters(numbers), N: c.N, P: c.P, scratch: measured.scratch)
                    layer.backward(
                        dx: dx.pointer, parameters(gradients), dy: dy.pointer, x: x.pointer, saved: kept.pointer, parameters(numbers), N: c.N, P: c.P,
                        scratch: measured.scratch)
                }
                measured.expectWithin()
                #expect((y.values() + dx.values() + kept.values() + gradients.flatMap { $0.values() }).allSatisfy { $0.isFinite }, "\(c.testDescription)")
            }
        }
    }

    @Test(arguments: Side.allCases)
    func `activations, dropout and stochastic depth stay within their rows`(side: Side) async {
        await #expect(processExitsWith: .success) { [side = side as Side] in
            for count in [1, 3, 15, 16, 17, 24, 40, 1029, 16391] {
                let N = 3, x = Guarded(formula("x", N * count), side), dy = Guarded(formula("dy", N * count), side)
                let y = Guarded<Float>(N * count, side), dx = Guarded<Float>(N * count, side), sum = Guarded(formula("sum", N * count), side)
                for activation in [Activation.none, .relu, .relu6, .hardSwish, .silu] {
                    Elementwise(activation).forward(y: y.pointer, x: x.pointer, count: N * count)
                    Elementwise(activation).backward(dx: dx.pointer, dy: dy.pointer, x: x.pointer, count: N * count)
                }
                let randomKey = RandomKey(seed: 1, epoch: 2, step: 3)
                Dropout(0.3).apply(y: y.pointer, x: x.pointer, N: N, C: count, randomKey, operation: 4)
                StochasticDepth(0.3).forward(y: y.pointer, x: x.pointer, residual: dy.pointer, N: N, count: count, randomKey, operation: 5)
                for adding in [false, true] {
                    StochasticDepth(0.3).backward(
                        dx: dx.pointer, dresidual: sum.pointer, addingToResidual: adding, dy: dy.pointer, N: N, count: count, randomKey, operation: 5)
                }
                #expect((y.values() + dx.values() + sum.values()).allSatisfy { $0.isFinite })
            }
        }
    }
}
