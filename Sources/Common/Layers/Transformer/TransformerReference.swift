import Kernels
import Platform

/// The layers of a vision transformer (Dosovitskiy et al., "An Image is Worth 16x16 Words", ICLR 2021) as plain loops
/// in double precision: the reference for tests of the fused layers, and the place to start reading.
///
/// An image is T tokens of C numbers. Reading order: this file, ``NormalizedLinear``, ``TokenRows`` (operations on rows
/// of tokens), ``Attention``,
/// ``FeedForward``, ``PatchEmbedding``, ``PositionGrid``.
public enum TransformerReference {
    /// y[c] = γ[c] · (x[c] − mean x) / √(var x + ε) + β[c], over the C numbers of a row, with the population variance.
    public static func layerNorm(_ x: [Double], scale: [Double], bias: [Double], epsilon: Double) -> [Double] {
        let mean = x.reduce(0, +) / Double(x.count), variance = x.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(x.count)
        return x.indices.map { scale[$0] * (x[$0] - mean) / (variance + epsilon).squareRoot() + bias[$0] }
    }

    /// y[o] = Σᵢ W[o, i] · x[i] + b[o]
    public static func linear(_ x: [Double], _ W: [Double], _ b: [Double]) -> [Double] {
        b.indices.map { o in b[o] + x.indices.reduce(0) { $0 + W[o * x.count + $1] * x[$1] } }
    }

    /// One head: y[t] = Σᵤ softmaxᵤ(q[t]·k[u] / √d) · v[u]
    public static func attention(q: [[Double]], k: [[Double]], v: [[Double]]) -> [[Double]] {
        q.map { q in
            let scores = k.map { k in zip(q, k).reduce(0) { $0 + $1.0 * $1.1 } / Double(q.count).squareRoot() }
            let most = scores.max() ?? 0, weights = scores.map { exp($0 - most) }, sum = weights.reduce(0, +)
            return (v.first ?? []).indices.map { c in zip(weights, v).reduce(0) { $0 + $1.0 * $1.1[c] } / sum }
        }
    }
}
