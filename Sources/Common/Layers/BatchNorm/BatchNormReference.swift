public import Kernels

/// Batch norm by its definition, forward and backward: the reference for tests of ``BatchNorm``, and the place to start
/// reading.
///
/// Continue with `BatchNorm.swift` (the passes over memory), `PieceMoments.swift` and `ChannelLines.swift` (the values
/// per channel), then `NormalizedInput.swift`, `NormalizedGradient.swift` and `Prologue.swift`, which move half of the
/// work into neighbouring layers. Computes in double precision. Arrays are those of ``BatchNorm``.
public struct BatchNormReference: Sendable {
    public let C: Int
    public let epsilon: Double
    public let activation: Activation

    public init(C: Int, epsilon: Float, activation: Activation) { (self.C, self.epsilon, self.activation) = (C, Double(epsilon), activation) }

    /// μ and σ² of every group and channel (G, C).
    public func moments(_ x: [Float], groups: Int) -> (mean: [Double], variance: [Double]) {
        let M = x.count / C, rows = M / groups
        var mean = [Double](repeating: 0, count: groups * C), variance = mean
        for i in x.indices { mean[i / C / rows * C + i % C] += Double(x[i]) / Double(rows) }
        for i in x.indices {
            let d = Double(x[i]) - mean[i / C / rows * C + i % C]
            variance[i / C / rows * C + i % C] += d * d / Double(rows)
        }
        return (mean, variance)
    }

    /// x̂ = (x − μ) / √(σ² + ε), z = γ·x̂ + β + residual and y = activation(z).
    public func forward(_ x: [Float], gamma: [Float], beta: [Float], residual: [Float]?, groups: Int) -> (normal: [Double], z: [Double], y: [Double]) {
        let (mean, variance) = moments(x, groups: groups), rows = x.count / C / groups
        let normal = x.indices.map { i in
            let g = i / C / rows * C + i % C
            return (Double(x[i]) - mean[g]) / (variance[g] + epsilon).squareRoot()
        }
        let z = x.indices.map { i in Double(gamma[i % C]) * normal[i] + Double(beta[i % C]) + (residual.map { Double($0[i]) } ?? 0) }
        return (normal, z, z.map { activation.reference($0).value })
    }

    /// With g = dy·activation′(z), which is also the residual's gradient:
    ///
    ///     dβ = Σ g      dγ = Σ g·x̂      dx = γ / √(σ² + ε) · (g − mean g − x̂ · mean(g·x̂))
    ///
    /// The means run over a group; dβ and dγ sum over all groups.
    public func backward(
        dy: [Float], _ x: [Float], gamma: [Float], beta: [Float], residual: [Float]?, groups: Int
    ) -> (dx: [Double], dgamma: [Double], dbeta: [Double], dresidual: [Double]) {
        let (normal, z, _) = forward(x, gamma: gamma, beta: beta, residual: residual, groups: groups), variance = moments(x, groups: groups).variance
        let rows = x.count / C / groups
        let g = x.indices.map { Double(dy[$0]) * activation.reference(z[$0]).derivative }
        var sums = [Double](repeating: 0, count: groups * C), products = sums
        for i in x.indices {
            sums[i / C / rows * C + i % C] += g[i]
            products[i / C / rows * C + i % C] += g[i] * normal[i]
        }
        let dx = x.indices.map { i in
            let group = i / C / rows * C + i % C
            return Double(gamma[i % C]) / (variance[group] + epsilon).squareRoot() * (g[i] - sums[group] / Double(rows) - normal[i] * products[group] / Double(rows))
        }
        func all(_ values: [Double]) -> [Double] { (0..<C).map { c in (0..<groups).reduce(0) { $0 + values[$1 * C + c] } } }
        return (dx, all(products), all(sums), g)
    }
}
