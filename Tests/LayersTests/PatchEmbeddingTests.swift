import Kernels
import Layers
import TestSupport
import Testing

@Suite struct PatchEmbeddingTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let N: Int, H: Int, W: Int, C: Int, P: Int, K: Int, prefix: Int
        var T: Int { prefix + (H / P) * (W / P) }
        var testDescription: String { "\(N) of \(H)×\(W)×\(C) in patches of \(P), \(K) numbers, \(prefix) tokens before" }
        var x: [Float] { formula("x", N * H * W * C) }
        var weights: [Float] { formula("W", K * P * P * C) }
        var bias: [Float] { formula("bias", K) }
        var tokens: [Float] { formula("tokens", T * K) }
    }

    /// One patch, patches of one pixel, lines of one patch, more patches than rows of a tile, widths below a vector, no
    /// leading token and several.
    static let cases = [
        Case(N: 1, H: 2, W: 2, C: 3, P: 2, K: 16, prefix: 0), Case(N: 2, H: 5, W: 3, C: 1, P: 1, K: 48, prefix: 1), Case(N: 3, H: 7, W: 21, C: 3, P: 7, K: 24, prefix: 1),
        Case(N: 1, H: 42, W: 14, C: 3, P: 14, K: 80, prefix: 5), Case(N: 2, H: 16, W: 144, C: 3, P: 16, K: 32, prefix: 1), Case(N: 1, H: 8, W: 232, C: 2, P: 8, K: 17, prefix: 2),
        Case(N: 2, H: 98, W: 70, C: 3, P: 14, K: 112, prefix: 1),
    ]

    @Test(arguments: cases)
    func `each token is a linear layer of its patch and what stands at its position`(_ c: Case) {
        let (x, weights, bias, tokens) = (c.x, c.weights, c.bias, c.tokens), y = Poisoned(c.N * c.T * c.K)
        PatchEmbedding(H: c.H, W: c.W, C: c.C, P: c.P, K: c.K, tokens: tokens, weights: weights, bias: bias).forward(y: y.pointer, x: x, N: c.N)
        var expected: [Double] = []
        for n in 0..<c.N {
            for t in 0..<c.T {
                for k in 0..<c.K {
                    var sum = Double(tokens[t * c.K + k])
                    if t >= c.prefix {
                        let (p, q) = (t - c.prefix).quotientAndRemainder(dividingBy: c.W / c.P)
                        sum += Double(bias[k])
                        for r in 0..<c.P {
                            for i in 0..<(c.P * c.C) { sum += Double(weights[(k * c.P + r) * c.P * c.C + i]) * Double(x[((n * c.H + c.P * p + r) * c.W + c.P * q) * c.C + i]) }
                        }
                    }
                    expected.append(sum)
                }
            }
        }
        #expect(relativeError(y.values(), expected) < 1e-6)
    }
}
