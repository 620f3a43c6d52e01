import Parallel

/// Stochastic gradient descent with momentum and weight decay, as `torch.optim.SGD` defines it.
///
///     g ← gradient + weightDecay · w
///     v ← momentum · v + g
///     w ← w − learningRate · v                       Nesterov: w ← w − learningRate · (g + momentum · v)
///
/// PyTorch's first step sets v = g. Zero initial momenta give the same result.
public struct SGD: Optimizer, Equatable {
    public var momentum: Double
    public var weightDecay: Double
    public var isNesterov: Bool

    /// The defaults are those of SEED and MoCo.
    public init(momentum: Double = 0.9, weightDecay: Double = 1e-4, nesterov: Bool = false) {
        self.momentum = momentum
        self.weightDecay = weightDecay
        isNesterov = nesterov
    }

    public var name: OptimizerName { .sgd }

    /// One step: updates the values and the momenta of all `parameters`.
    public func step(_ parameters: [ParameterBuffer], learningRate: Double, step: Int = 1) {
        let pieces = Pieces(parameters.map(\.count)).pieces
        let (m, decay) = (Float(momentum), Float(weightDecay))
        Parallel.forEach(pieces.count) { piece, _ in
            let (buffer, range) = pieces[piece]
            let parameter = parameters[buffer]
            let (w, g, v) = (parameter.values, parameter.gradient, parameter.momentum)
            let wd = parameter.decays ? decay : 0, rate = Float(parameter.learningRate ?? learningRate)
            if isNesterov {
                for i in range {
                    let d = g[i] + wd * w[i]
                    v[i] = m * v[i] + d
                    w[i] -= rate * (d + m * v[i])
                }
            } else {
                for i in range {
                    v[i] = m * v[i] + (g[i] + wd * w[i])
                    w[i] -= rate * v[i]
                }
            }
        }
    }
}
