import Parallel

/// Stochastic gradient descent whose rate is adapted, tensor by tensor, to the norms of the parameter and of its gradient
/// (You et al., "Large Batch Training of Convolutional Networks", 2017). Of its many forms these four are kept apart, since results differ:
///
/// | name          | of                                           | u                                       | ratio                                  | step |
/// |---------------|----------------------------------------------|-----------------------------------------|----------------------------------------|------|
/// | `lars-simclr` | google-research/simclr                       | g + λ·w                                 | η‖w‖ / ‖u‖                             | v ← m·v + rate·ratio·u; w ← w − v |
/// | `lars-byol`   | deepmind-research/byol                       | g + λ·w                                 | η‖w‖ / ‖u‖                             | v ← m·v + ratio·u; w ← w − rate·v |
/// | `lars`        | facebookresearch/barlowtwins, moco-v3        | g + λ·w                                 | η‖w‖ / ‖u‖                             | as BYOL's |
/// | `larc`        | NVIDIA apex, without clipping: SwAV, VISSL   | g + λ·w                                 | η‖w‖ / (‖g‖ + λ‖w‖ + 1e-8)             | as BYOL's |
///
/// Of the first three the ratio is 1 where a norm is zero, and tensors of one dimension are neither decayed nor adapted: these have the same steps here, and
/// the two names say whose settings are meant. LARC adapts and decays everything; where a norm is zero, u is g and the ratio 1.
public struct LARS: Optimizer, Equatable {
    public let name: OptimizerName
    /// m.
    public var momentum: Double
    /// λ.
    public var weightDecay: Double
    /// η.
    public var trust: Double

    /// - Precondition: `name` is one of the table's.
    public init(_ name: OptimizerName, momentum: Double = 0.9, weightDecay: Double = 1e-6, trust: Double = 0.001) {
        precondition(name.family == .lars)
        self.name = name
        self.momentum = momentum
        self.weightDecay = weightDecay
        self.trust = trust
    }

    public var excludesVectors: Bool { name != .larc }

    private static let epsilon = 1e-8

    public func step(_ parameters: [ParameterBuffer], learningRate: Double, step: Int = 1) {
        let pieces = Pieces(parameters.map(\.count)).pieces
        let scales = scales(parameters, pieces)
        let m = Float(momentum), isRateInside = name == .larsSimCLR
        Parallel.forEach(pieces.count) { piece, _ in
            let (buffer, range) = pieces[piece]
            let parameter = parameters[buffer], (decay, ratio) = scales[buffer]
            let (w, g, v) = (parameter.values, parameter.gradient, parameter.momentum)
            let rate = Float(parameter.learningRate ?? learningRate)
            let (inside, outside) = isRateInside ? (rate * ratio, 1) : (ratio, rate)
            for i in range {
                v[i] = m * v[i] + inside * (g[i] + decay * w[i])
                w[i] -= outside * v[i]
            }
        }
    }

    /// Of each parameter λ and the ratio. Norms are summed in double precision, piece by piece and then in the pieces' order.
    private func scales(_ parameters: [ParameterBuffer], _ pieces: [(buffer: Int, range: Range<Int>)]) -> [(decay: Float, ratio: Float)] {
        let isLARC = name == .larc
        func decay(_ parameter: ParameterBuffer) -> Float { parameter.decays ? Float(weightDecay) : 0 }
        var squares = [(w: Double, u: Double)](repeating: (0, 0), count: pieces.count)
        squares.withUnsafeMutableBufferPointer { squares in
            let squares = squares
            Parallel.forEach(pieces.count) { piece, _ in
                let (buffer, range) = pieces[piece]
                let parameter = parameters[buffer]
                guard parameter.adapts else { return }
                let (w, g) = (parameter.values, parameter.gradient), wd = isLARC ? 0 : decay(parameter)
                // Eight sums side by side, else each addition waits for the one before.
                var (ws, us) = (SIMD8<Double>(repeating: 0), SIMD8<Double>(repeating: 0))
                for i in range {
                    let u = Double(g[i] + wd * w[i]), lane = (i - range.lowerBound) & 7
                    ws[lane] += Double(w[i]) * Double(w[i])
                    us[lane] += u * u
                }
                squares[piece] = (ws.sum(), us.sum())
            }
        }
        var sums = [(w: Double, u: Double)](repeating: (0, 0), count: parameters.count)
        for (piece, square) in zip(pieces, squares) { sums[piece.buffer] = (sums[piece.buffer].w + square.w, sums[piece.buffer].u + square.u) }
        return zip(parameters, sums).map { parameter, sums in
            let wd = decay(parameter)
            guard parameter.adapts else { return (wd, 1) }
            let (w, u) = (sums.w.squareRoot(), sums.u.squareRoot())
            guard w > 0, u > 0 else { return (isLARC ? 0 : wd, 1) }
            return (wd, Float(trust * w / (isLARC ? u + Double(wd) * w + Self.epsilon : u)))
        }
    }
}
