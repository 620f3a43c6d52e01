import Parallel
import Platform

/// Adam (Kingma and Ba, ICLR 2015) and AdamW (Loshchilov and Hutter, ICLR 2019), as `torch.optim` defines them.
///
///     Adam: g ← gradient + λ·w                        AdamW: w ← w − rate·λ·w
///     v ← β₁·v + (1 − β₁)·g        s ← β₂·s + (1 − β₂)·g²
///     w ← w − rate/(1 − β₁ᵗ) · v / (√s / √(1 − β₂ᵗ) + ε)
public struct Adam: Optimizer, Equatable {
    public let name: OptimizerName
    /// β₁ and β₂.
    public var betas: (first: Double, second: Double) { (first, second) }
    private var first: Double
    private var second: Double
    /// ε.
    public var epsilon: Double
    /// λ.
    public var weightDecay: Double

    /// - Precondition: `name` is `adam` or `adamW`.
    public init(_ name: OptimizerName = .adam, betas: (first: Double, second: Double) = (0.9, 0.999), epsilon: Double = 1e-8, weightDecay: Double = 0) {
        precondition(name.family == .adam)
        self.name = name
        (first, second) = betas
        self.epsilon = epsilon
        self.weightDecay = weightDecay
    }

    public var slots: [OptimizerSlot] { [.momentum, .square] }

    /// - Precondition: every parameter has both slots.
    public func step(_ parameters: [ParameterBuffer], learningRate: Double, step: Int) {
        let pieces = Pieces(parameters.map(\.count)).pieces
        let (b1, b2, eps) = (Float(first), Float(second), Float(epsilon)), (c1, c2) = (Float(1 - first), Float(1 - second))
        let t = Double(max(1, step)), firstCorrection = 1 - pow(first, t), root = Float((1 - pow(second, t)).squareRoot())
        let isDecoupled = name == .adamW
        Parallel.forEach(pieces.count) { piece, _ in
            let (buffer, range) = pieces[piece]
            let parameter = parameters[buffer]
            guard let s = parameter.square else { preconditionFailure("Adam has two slots") }
            let (w, g, v) = (parameter.values, parameter.gradient, parameter.momentum)
            let full = parameter.learningRate ?? learningRate, decay = parameter.decays ? weightDecay : 0
            let rate = Float(full / firstCorrection), inside = isDecoupled ? 0 : Float(decay), keep = isDecoupled ? Float(1 - full * decay) : 1
            for i in range {
                let d = g[i] + inside * w[i]
                v[i] = b1 * v[i] + c1 * d
                s[i] = b2 * s[i] + c2 * d * d
                w[i] = keep * w[i] - rate * v[i] / (s[i].squareRoot() / root + eps)
            }
        }
    }
}
