import Parallel

/// Stochastic gradient descent with a layer-wise adaptive rate, from the norms of each parameter and its gradient (You
/// et al., "Large Batch Training of Convolutional Networks", 2017). Results differ between its variants, so four of
/// them are distinguished:
///
/// | name          | of                                           | u                                       | ratio                                  | step |
/// |---------------|----------------------------------------------|-----------------------------------------|----------------------------------------|------|
/// | `lars-simclr` | google-research/simclr                       | g + λ·w                                 | η‖w‖ / ‖u‖                             | v ← m·v + rate·ratio·u; w ← w − v |
/// | `lars-byol`   | deepmind-research/byol                       | g + λ·w                                 | η‖w‖ / ‖u‖                             | v ← m·v + ratio·u; w ← w − rate·v |
/// | `lars`        | facebookresearch/barlowtwins, moco-v3        | g + λ·w                                 | η‖w‖ / ‖u‖                             | as BYOL's |
/// | `larc`        | NVIDIA apex, without clipping: SwAV, VISSL   | g + λ·w                                 | η‖w‖ / (‖g‖ + λ‖w‖ + 1e-8)             | as BYOL's |
///
/// In the first three, the ratio is 1 if a norm is zero, and one-dimensional tensors are neither decayed nor adapted.
/// `lars-byol` and `lars` take the same steps here; the two names tell whose settings are meant. LARC adapts and decays
/// everything; if a norm is zero, u is g and the ratio is 1.
public struct LARS: Optimizer, Equatable {
    public let name: OptimizerName
    /// m.
    public var momentum: Double
    /// λ.
    public var weightDecay: Double
    /// η.
    public var trust: Double

    /// - Precondition: `name` is one of those in the table.
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

    /// λ and the ratio for each parameter. Norms are summed in double precision, piece by piece and then over the
    /// pieces in order.
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
                // Eight independent sums, so that an addition does not wait for the one before.
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
