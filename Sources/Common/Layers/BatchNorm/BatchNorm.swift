public import Kernels
import Parallel

/// Batch normalisation in training mode, with the residual sum and activation that follow it.
///
///     x̂ = (x − μ) / √(σ² + ε)        y = activation(γ·x̂ + β + residual)
///
/// | array                  | shape  |                                                                          |
/// |------------------------|--------|--------------------------------------------------------------------------|
/// | x, y, residual         | (M, C) | M = N·H·W pixels                                                         |
/// | γ, β                   | (C)    |                                                                          |
/// | mean, inverseDeviation | (G, C) | of each group: μ and 1 / √(σ² + ε)                                       |
/// | running…               | (C)    | moved towards the batch by ``momentum(batchesSeen:)``, variance unbiased |
///
/// The batch is split into G groups of consecutive images that are normalised separately. This reproduces G machines of
/// a data-parallel run, and MoCo's shuffling needs it (He et al. 2020, section 3.3). Running statistics move towards
/// the mean over groups, as in SplitBatchNorm of MoCo's CIFAR demonstration.
///
/// All passes are memory-bound. Forward reads x twice, or once if its moments were computed when it was produced.
/// Backward reads x and dy twice. The other inputs of a pixel are a few constants per channel, computed once
/// (``ChannelLines``).
public struct BatchNorm: Sendable {
    public let C: Int
    public let epsilon: Float
    public let momentum: Float
    public let activation: Activation
    private let periods: Periods

    public init(C: Int, epsilon: Float, momentum: Float, activation: Activation) {
        self.C = C
        self.epsilon = epsilon
        self.momentum = momentum
        self.activation = activation
        periods = Periods(C: C)
    }

    /// The weight of batch n = `batchesSeen` + 1 in the running statistics: the inverse of
    ///
    ///     span(n) = min(1 / momentum, n, max(10, n/10))
    ///
    /// The running statistics are thus a mean of the first ten batches, then of about the last ten, then of the last
    /// tenth of all batches, until `momentum` takes over. With `momentum` from the first batch on, the initial values 0
    /// and 1 would keep a weight of (1 − momentum)ⁿ: three tenths after 120 batches at the 0.01 of MobileNetV3 and
    /// EfficientNet. Inference would then not match the trained network. PyTorch does that; everything else is as in
    /// PyTorch.
    public func momentum(batchesSeen: Int) -> Float {
        guard momentum > 0, batchesSeen < 1 << 30 else { return momentum }
        let n = Float(batchesSeen + 1)
        return max(momentum, 1 / min(n, max(10, n / 10)))
    }

    /// The number of batches after which ``momentum(batchesSeen:)`` equals `momentum`.
    public static func batches(momentum: Float) -> Int {
        guard momentum > 0 else { return 0 }
        return momentum >= 0.1 ? Int((1 / momentum).rounded(.up)) : Int(min(1e9, (10 / momentum).rounded(.up)))
    }

    /// The number of doubles for the sums of all pieces.
    public static func sums(C: Int, groups: Int) -> Int { PieceMoments.doubles(C: C, pieces: max(mostPieces, groups)) }

    private static let mostPieces = 64

    /// The number of pieces of a group with separate sums. It depends on the size alone, so that the order of summation
    /// is fixed.
    private func pieces(rows: Int, groups: Int) -> Int {
        max(1, min(Self.mostPieces / groups, rows * C / 32768, rows / 32))
    }

    /// Sets `y`, `mean` and `inverseDeviation` and updates the running statistics.
    ///
    /// - Parameters:
    ///   - batchesSeen: the number of batches that have updated the running statistics so far. This batch moves them by
    ///     ``momentum(batchesSeen:)``.
    ///   - measured: the number of pieces of x whose moments its producer has already put into `sums`
    ///     (``Convolution/momentPieces(N:)``); with one group only.
    ///   - sums: workspace of ``sums(C:groups:)`` doubles, or ``Convolution/momentDoubles(N:)`` if `measured` is given.
    public func forward(
        y: UnsafeMutablePointer<Float>, mean: UnsafeMutablePointer<Float>, inverseDeviation: UnsafeMutablePointer<Float>,
        runningMean: UnsafeMutablePointer<Float>, runningVariance: UnsafeMutablePointer<Float>,
        x: UnsafePointer<Float>, gamma: UnsafePointer<Float>, beta: UnsafePointer<Float>, residual: UnsafePointer<Float>?,
        M: Int, groups: Int, batchesSeen: Int = .max, measured: Int? = nil, sums: UnsafeMutablePointer<Double>
    ) {
        measure(
            mean: mean, inverseDeviation: inverseDeviation, runningMean: runningMean, runningVariance: runningVariance, x: x, M: M, groups: groups,
            batchesSeen: batchesSeen, measured: measured, sums: sums)
        normalize(y: y, x: x, mean: mean, inverseDeviation: inverseDeviation, gamma: gamma, beta: beta, residual: residual, M: M, groups: groups)
    }

    /// The second half of the forward pass: sets y, which may be x, from existing moments.
    ///
    /// Parameters as in
    /// ``forward(y:mean:inverseDeviation:runningMean:runningVariance:x:gamma:beta:residual:M:groups:batchesSeen:measured:sums:)``.
    public func normalize(
        y: UnsafeMutablePointer<Float>, x: UnsafePointer<Float>, mean: UnsafePointer<Float>, inverseDeviation: UnsafePointer<Float>, gamma: UnsafePointer<Float>,
        beta: UnsafePointer<Float>, residual: UnsafePointer<Float>?, M: Int, groups: Int
    ) {
        let lines = ChannelLines(periods, mean: mean, inverseDeviation: inverseDeviation, gamma: gamma, beta: beta, groups: groups)
        let pass = NormalizePass(layer: self, y: y, x: x, residual: residual, lines: lines, M: M, groups: groups)
        if isNonTemporal(y, M: M, groups: groups) { activation.apply(pass.stored(NonTemporalStore.self)) } else { activation.apply(pass.stored(RegularStore.self)) }
    }

    private struct NormalizePass {
        let layer: BatchNorm
        let y: UnsafeMutablePointer<Float>
        let x: UnsafePointer<Float>
        let residual: UnsafePointer<Float>?
        let lines: ChannelLines
        let M, groups: Int

        func stored<S: StorePolicy>(_: S.Type) -> Stored<S> { Stored(pass: self) }

        struct Stored<S: StorePolicy>: ActivationBody {
            let pass: NormalizePass

            func run<A: ActivationFunction>(_: A.Type) {
                let (y, x, periods) = (pass.y, pass.x, pass.layer.periods)
                pass.layer.forEachRun(M: pass.M, groups: pass.groups) { start, count, group in
                    if let residual = pass.residual {
                        periods.forEach(count, NormalizedSum<A, S>(y: y + start, x: x + start, residual: residual + start, line: pass.lines[group]))
                    } else {
                        periods.forEach(count, Normalized<A, S>(y: y + start, x: x + start, line: pass.lines[group]))
                    }
                }
            }
        }
    }

    /// The first half of the forward pass: the mean and inverse deviation of every group and channel.
    ///
    /// ``NormalizedInput`` is the other half. Parameters as in
    /// ``forward(y:mean:inverseDeviation:runningMean:runningVariance:x:gamma:beta:residual:M:groups:batchesSeen:measured:sums:)``.
    public func measure(
        mean: UnsafeMutablePointer<Float>, inverseDeviation: UnsafeMutablePointer<Float>, runningMean: UnsafeMutablePointer<Float>,
        runningVariance: UnsafeMutablePointer<Float>, x: UnsafePointer<Float>, M: Int, groups: Int,
        batchesSeen: Int = .max, measured: Int? = nil, sums: UnsafeMutablePointer<Double>
    ) {
        let momentum = momentum(batchesSeen: batchesSeen)
        precondition(measured == nil || groups == 1)
        let rows = M / groups, pieces = measured ?? pieces(rows: rows, groups: groups), moments = PieceMoments(periods, sums)
        if measured == nil {
            Parallel.forEach(groups * pieces) { piece, _ in
                let own = periods.part(piece % pieces, of: pieces, in: rows)
                moments.measure(piece, x + (piece / pieces * rows + own.lowerBound) * C, rows: own.count)
            }
        }
        Periods.forEachBlock(of: C, sums: groups * pieces * C) { channels in
            let all = UnsafeMutablePointer<Double>.allocate(capacity: 2 * channels.count)
            defer { all.deallocate() }
            all.initialize(repeating: 0, count: 2 * channels.count)
            let (means, variances) = (all, all + channels.count)
            for group in 0..<groups {
                moments.join((group * pieces)..<((group + 1) * pieces), channels) { c, average, squares in
                    mean[group * C + c] = Float(average)
                    inverseDeviation[group * C + c] = Float(1 / (squares / Double(rows) + Double(epsilon)).squareRoot())
                    means[c - channels.lowerBound] += average
                    variances[c - channels.lowerBound] += squares / Double(max(1, rows - 1))
                }
            }
            for (i, c) in channels.enumerated() {
                runningMean[c] += momentum * (Float(means[i] / Double(groups)) - runningMean[c])
                runningVariance[c] += momentum * (Float(variances[i] / Double(groups)) - runningVariance[c])
            }
        }
    }

    /// Sets `dx` (which may be `dy` itself), adds to `dgamma` and `dbeta`, and sets or adds to `dresidual`.
    ///
    /// With g = dy · activation′(z), z = γ·x̂ + β (+ residual), and means over a group's M/G pixels:
    ///
    ///     dresidual = g        dβ = Σ g        dγ = Σ g·x̂
    ///     dx = γ / √(σ² + ε) · (g − mean(g) − x̂·mean(g·x̂))
    ///
    /// z is recomputed from x, bit for bit, so that y need not be read. Only after a residual is y read: a rectifier
    /// tests y > 0.
    ///
    /// - Precondition: `dresidual` is given if `forward` was given a residual; then the activation is none or a
    ///   rectifier.
    public func backward(
        dx: UnsafeMutablePointer<Float>, dgamma: UnsafeMutablePointer<Float>, dbeta: UnsafeMutablePointer<Float>,
        dresidual: UnsafeMutablePointer<Float>?, addingToResidual: Bool,
        dy: UnsafePointer<Float>, y: UnsafePointer<Float>, x: UnsafePointer<Float>, mean: UnsafePointer<Float>, inverseDeviation: UnsafePointer<Float>,
        gamma: UnsafePointer<Float>, beta: UnsafePointer<Float>, M: Int, groups: Int, sums: UnsafeMutablePointer<Double>
    ) {
        precondition(activation.isInvertible || dresidual == nil)
        activation.apply(
            BackwardPass(
                layer: self, dx: dx, dresidual: dresidual, addingToResidual: addingToResidual, dy: dy, y: y, x: x,
                sums: SumPass(
                    layer: self, lines: ChannelLines(periods, mean: mean, inverseDeviation: inverseDeviation, gamma: gamma, beta: beta, groups: groups), dgamma: dgamma,
                    dbeta: dbeta, x: x, inverseDeviation: inverseDeviation, M: M, groups: groups, sums: sums)))
    }

    /// Runs two passes. If the first has saved g, the second reads it there, and the first has not read what it
    /// overwrites.
    private struct BackwardPass: ActivationBody {
        let layer: BatchNorm
        let dx: UnsafeMutablePointer<Float>
        let dresidual: UnsafeMutablePointer<Float>?
        let addingToResidual: Bool
        let dy, y, x: UnsafePointer<Float>
        let sums: SumPass

        func run<A: ActivationFunction>(_: A.Type) {
            guard let g = dresidual else {
                if A.isExpensive { both(FromInputSaving<A>(dy: dy, g: dx), SavedGradient(g: dx)) } else { both(FromInput<A>(dy: dy), FromInput<A>(dy: dy)) }
                return
            }
            guard A.isInvertible else { return }
            if addingToResidual {
                both(FromOutput<A>(dy: dy, y: y), FromOutputAdding<A>(dy: dy, y: y, sum: g))
            } else if layer.isNonTemporal( g, M: sums.M, groups: sums.groups), layer.isNonTemporal( dx, M: sums.M, groups: sums.groups) {
                both(FromOutputSaving<A, NonTemporalStore>(dy: dy, y: y, g: g), SavedGradient(g: g), NonTemporalStore.self)
            } else {
                both(FromOutputSaving<A, RegularStore>(dy: dy, y: y, g: g), SavedGradient(g: g))
            }
        }

        private func both<First: GradientSource, Second: GradientSource, S: StorePolicy>(_ first: First, _ second: Second, _: S.Type = RegularStore.self) {
            sums.run(first)
            layer.forEachRun(M: sums.M, groups: sums.groups) { start, count, group in
                layer.periods.forEach(count, InputGradient<Second, S>(start: start, dx: dx, x: x, source: second, line: sums.lines[group]))
            }
        }
    }

    /// The first half of ``backward`` alone, for one group and without a residual.
    ///
    /// Adds to `dgamma` and `dbeta` and returns the pending gradient. May overwrite `dy` with g = dy·activation′(z);
    /// the returned gradient then reads g there.
    public func sumGradient(
        dgamma: UnsafeMutablePointer<Float>, dbeta: UnsafeMutablePointer<Float>, dy: UnsafeMutablePointer<Float>, x: UnsafePointer<Float>,
        mean: UnsafePointer<Float>, inverseDeviation: UnsafePointer<Float>, gamma: UnsafePointer<Float>, beta: UnsafePointer<Float>, M: Int,
        sums: UnsafeMutablePointer<Double>
    ) -> NormalizedGradient {
        let lines = ChannelLines(periods, mean: mean, inverseDeviation: inverseDeviation, gamma: gamma, beta: beta, groups: 1)
        let pass = SumPass(layer: self, lines: lines, dgamma: dgamma, dbeta: dbeta, x: x, inverseDeviation: inverseDeviation, M: M, groups: 1, sums: sums)
        activation.apply(SumOnly(pass: pass, dy: dy))
        return NormalizedGradient(activation: activation.isExpensive ? .none : activation, x: x, periods: periods, lines: lines)
    }

    private struct SumOnly: ActivationBody {
        let pass: SumPass
        let dy: UnsafeMutablePointer<Float>

        func run<A: ActivationFunction>(_: A.Type) {
            if A.isExpensive { pass.run(FromInputSaving<A>(dy: dy, g: dy)) } else { pass.run(FromInput<A>(dy: dy)) }
        }
    }

    /// Computes the sums of g and g·(x − μ), and what follows from them.
    private struct SumPass {
        let layer: BatchNorm
        let lines: ChannelLines
        let dgamma, dbeta: UnsafeMutablePointer<Float>
        let x, inverseDeviation: UnsafePointer<Float>
        let M, groups: Int
        let sums: UnsafeMutablePointer<Double>

        func run<Source: GradientSource>(_ source: Source) {
            let C = layer.C, periods = layer.periods, rows = M / groups, pieces = layer.pieces(rows: rows, groups: groups)
            Parallel.forEach(groups * pieces) { piece, _ in
                let group = piece / pieces
                let own = periods.part(piece % pieces, of: pieces, in: rows)
                let start = (group * rows + own.lowerBound) * C
                periods.sum(own.count * C, into: sums + piece * 2 * C, GradientSums(start: start, x: x, source: source, line: lines[group]))
            }
            lines.finish(dgamma: dgamma, dbeta: dbeta, inverseDeviation: inverseDeviation, sums: sums, pieces: pieces, rows: rows)
        }
    }

    private func isNonTemporal(_ y: UnsafeMutablePointer<Float>, M: Int, groups: Int) -> Bool {
        NonTemporalStore.pays(y, count: M * C) && (groups == 1 || M / groups * C % 16 == 0)
    }

    /// Calls `body` for runs of rows within one group, each about 32 K floats, last first: the end of what was just
    /// read is still in the cache.
    @inline(__always)
    private func forEachRun(M: Int, groups: Int, _ body: (_ start: Int, _ count: Int, _ group: Int) -> Void) {
        let rows = M / groups
        let runs = max(1, rows * C / 32768)
        Parallel.forEach(groups * runs) { number, _ in
            let run = groups * runs - 1 - number, group = run / runs
            let own = periods.part(run % runs, of: runs, in: rows)
            body((group * rows + own.lowerBound) * C, own.count * C, group)
        }
    }
}
