public import Kernels
import Platform

/// Squeeze-and-excitation by its definition, forward and backward: the reference for tests of ``SqueezeExcite``, and
/// the place to start reading.
///
/// Continue with `SqueezeExcite.swift`, then `+Pixels` and `+Images`, which organize the memory access. Computes in
/// double precision. Arrays and equations are those of ``SqueezeExcite``.
public struct SqueezeExciteReference: Sendable {
    public let C, K: Int
    public let activation: Activation
    public let gate: SqueezeExcite.Gate
    public let W1, b1, W2, b2: [Double]

    public init(C: Int, K: Int, activation: Activation, gate: SqueezeExcite.Gate, W1: [Float], b1: [Float], W2: [Float], b2: [Float]) {
        (self.C, self.K, self.activation, self.gate) = (C, K, activation, gate)
        (self.W1, self.b1, self.W2, self.b2) = (W1.map { Double($0) }, b1.map { Double($0) }, W2.map { Double($0) }, b2.map { Double($0) })
    }

    /// The gate of v and its derivative.
    private func opened(_ v: Double) -> (value: Double, derivative: Double) {
        switch gate {
        case .sigmoid:
            let g = 1 / (1 + exp(-v))
            return (g, g * (1 - g))
        case .hardSigmoid: return (min(max(v + 3, 0), 6) / 6, v > -3 && v < 3 ? 1.0 / 6 : 0)
        }
    }

    /// For one image: s, u, h = activation(u) and v.
    private func inner(_ x: [Double], _ n: Int, P: Int) -> (s: [Double], u: [Double], h: [Double], v: [Double]) {
        let s = (0..<C).map { c in (0..<P).reduce(0) { $0 + x[(n * P + $1) * C + c] } / Double(P) }
        let u = (0..<K).map { k in b1[k] + (0..<C).reduce(0) { $0 + W1[k * C + $1] * s[$1] } }
        let h = u.map { activation.reference($0).value }
        let v = (0..<C).map { c in b2[c] + (0..<K).reduce(0) { $0 + W2[c * K + $1] * h[$1] } }
        return (s, u, h, v)
    }

    public func forward(x: [Float], N: Int) -> [Double] {
        let x = x.map { Double($0) }, P = x.count / N / C
        return (0..<N).flatMap { n in
            let gates = inner(x, n, P: P).v.map { opened($0).value }
            return (0..<P * C).map { x[n * P * C + $0] * gates[$0 % C] }
        }
    }

    /// From y = x · gate(v), the gradient reaches x through y and through the mean s:
    ///
    ///     dv = gate′(v) · Σ dy·x      du = activation′(u) · W₂ᵀdv      ds = W₁ᵀdu      dx = dy·gate(v) + ds/P
    ///     dW₂ = Σ dv·hᵀ      db₂ = Σ dv      dW₁ = Σ du·sᵀ      db₁ = Σ du
    public func backward(dy: [Float], x: [Float], N: Int) -> (dx: [Double], dW1: [Double], db1: [Double], dW2: [Double], db2: [Double]) {
        let x = x.map { Double($0) }, dy = dy.map { Double($0) }, P = x.count / N / C
        var dx = x, dW1 = W1.map { _ in 0.0 }, db1 = b1.map { _ in 0.0 }, dW2 = W2.map { _ in 0.0 }, db2 = b2.map { _ in 0.0 }
        for n in 0..<N {
            let (s, u, h, v) = inner(x, n, P: P), gates = v.map(opened)
            let dv = (0..<C).map { c in gates[c].derivative * (0..<P).reduce(0) { $0 + dy[(n * P + $1) * C + c] * x[(n * P + $1) * C + c] } }
            let du = (0..<K).map { k in activation.reference(u[k]).derivative * (0..<C).reduce(0) { $0 + W2[$1 * K + k] * dv[$1] } }
            let ds = (0..<C).map { c in (0..<K).reduce(0) { $0 + W1[$1 * C + c] * du[$1] } }
            for i in 0..<P * C { dx[n * P * C + i] = dy[n * P * C + i] * gates[i % C].value + ds[i % C] / Double(P) }
            for k in 0..<K {
                db1[k] += du[k]
                for c in 0..<C {
                    dW1[k * C + c] += du[k] * s[c]
                    dW2[c * K + k] += dv[c] * h[k]
                }
            }
            for c in 0..<C { db2[c] += dv[c] }
        }
        return (dx, dW1, db1, dW2, db2)
    }
}
