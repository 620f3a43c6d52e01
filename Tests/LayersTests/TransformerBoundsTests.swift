import Kernels
import Layers
import TestSupport
import Testing

/// Transformer layers on memory that begins or ends at inaccessible pages, in separate processes, because an access
/// outside ends the process.
@Suite struct TransformerBoundsTests {
    @Test(arguments: Side.allCases)
    func `attention stays within tokens, weights and scratch`(side: Side) async {
        await #expect(processExitsWith: .success) { [side = side as Side] in
            for (N, T, C, heads) in [(1, 1, 16, 1), (3, 1, 48, 1), (1, 2, 96, 2), (2, 5, 32, 2), (3, 17, 64, 1), (1, 63, 112, 7), (2, 197, 80, 1), (1, 259, 160, 2), (1, 1250, 32, 1)] {
                for (onlyFirst, layerScale) in [(false, false), (true, true)] {
                    let rows = onlyFirst ? N : N * T, x = Guarded(formula("x", N * T * C), side), y = Guarded<Float>(rows * C, side)
                    let numbers = [C, C, 3 * C * C, 3 * C, C * C, C, C].map { Guarded(formula("\($0)", $0), side) }, p = numbers.map { UnsafePointer($0.pointer) }
                    // Swift may free arrays after their last use.
                    let layer = withExtendedLifetime(numbers) {
                        Attention(
                            T: T, C: C, heads: heads, onlyFirst: onlyFirst, epsilon: 1e-6,
                            .init(normScale: p[0], normBias: p[1], qkv: p[2], qkvBias: p[3], output: p[4], outputBias: p[5], layerScale: layerScale ? p[6] : nil))
                    }
                    let measured = MeasuredScratch(layer.scratch(N: N))
                    layer.forward(y: y.pointer, x: x.pointer, N: N, scratch: measured.scratch)
                    // With fewer images, as at the end of a stream, in the same scratch.
                    if N > 1 { layer.forward(y: y.pointer, x: x.pointer, N: N - 1, scratch: measured.scratch) }
                    measured.expectWithin()
                    #expect((y.values() + x.values() + numbers.flatMap { $0.values() }).allSatisfy { $0.isFinite }, "\(N) of \(T)×\(C), \(heads) heads")
                }
            }
        }
    }

    @Test(arguments: Side.allCases)
    func `feed forward and layer norm stay within rows, weights and scratch`(side: Side) async {
        await #expect(processExitsWith: .success) { [side = side as Side] in
            for (M, C, F) in [(1, 16, 16), (2, 48, 16), (7, 32, 80), (57, 64, 256), (113, 80, 112), (130, 96, 384)] {
                for layerScale in [false, true] {
                    let x = Guarded(formula("x", M * C), side), y = Guarded<Float>(M * C, side)
                    let numbers = [C, C, F * C, F, C * F, C, C].map { Guarded(formula("\($0)", $0), side) }, p = numbers.map { UnsafePointer($0.pointer) }
                    let layer = withExtendedLifetime(numbers) {
                        FeedForward(
                            C: C, F: F, epsilon: 1e-6,
                            .init(normScale: p[0], normBias: p[1], first: p[2], firstBias: p[3], second: p[4], secondBias: p[5], layerScale: layerScale ? p[6] : nil))
                    }
                    let measured = MeasuredScratch(layer.scratch())
                    layer.forward(y: y.pointer, x: x.pointer, M: M, scratch: measured.scratch)
                    let apart = y.values()
                    layer.forward(y: x.pointer, x: x.pointer, M: M, scratch: measured.scratch)
                    measured.expectWithin()
                    #expect(apart.allSatisfy { $0.isFinite } && firstDifference(apart, x.values()) == nil && numbers.flatMap { $0.values() }.allSatisfy { $0.isFinite }, "\(M) of \(C)")
                }
            }
            // With a stride between rows, nothing is read after the last row.
            for (N, T, C) in [(1, 1, 16), (1, 5, 48), (3, 2, 32), (2, 7, 80)] {
                let x = Guarded(formula("x", ((N - 1) * T + 1) * C), side), y = Guarded<Float>(N * C, side), scale = Guarded(formula("scale", C), side), bias = Guarded(formula("bias", C), side)
                LayerNorm(C: C, epsilon: 1e-6, scale: scale.pointer, bias: bias.pointer).forward(y: y.pointer, x: x.pointer, stride: T * C, N: N)
                #expect((y.values() + x.values() + scale.values() + bias.values()).allSatisfy { $0.isFinite })
            }
        }
    }

    @Test(arguments: Side.allCases)
    func `patch embeddings stay within images, weights and tokens`(side: Side) async {
        await #expect(processExitsWith: .success) { [side = side as Side] in
            for c in PatchEmbeddingTests.cases {
                let x = Guarded(c.x, side), y = Guarded<Float>(c.N * c.T * c.K, side), weights = Guarded(c.weights, side), bias = Guarded(c.bias, side)
                let layer = withExtendedLifetime((weights, bias)) {
                    PatchEmbedding(H: c.H, W: c.W, C: c.C, P: c.P, K: c.K, tokens: c.tokens, weights: weights.pointer, bias: bias.pointer)
                }
                layer.forward(y: y.pointer, x: x.pointer, N: c.N)
                #expect((y.values() + x.values() + weights.values() + bias.values()).allSatisfy { $0.isFinite }, "\(c.testDescription)")
            }
        }
    }
}
