public import Kernels
import Parallel

/// Batch normalisation in training mode, with the residual sum and the activation that follow it.
///
///     x̂ = (x − μ) / √(σ² + ε)        y = activation(γ·x̂ + β + residual)
///
/// | array            | shape     |                                                     |
/// |------------------|-----------|-----------------------------------------------------|
/// | x, y, residual   | (M, C)    | M = N·H·W places                                    |
/// | γ, β             | (C)       |                                                     |
/// | mean, inverse    | (G, C)    | of each group's batch: μ and 1 / √(σ² + ε)          |
/// | running…         | (C)       | moved towards the batch by `momentum`, variance unbiased |
///
/// The batch is cut into G groups of consecutive images that are normalised apart: what G machines of a
/// data-parallel run do, and what MoCo's shuffling needs (He et al. 2020, section 3.3). Running statistics
/// move towards the mean over groups, as in SplitBatchNorm of MoCo's CIFAR demonstration.
///
/// All of it is bound by memory: forward reads x twice, or once if its moments were found when it was made; backward reads x and dy twice.
/// What else a place needs are a few numbers for its channel, made once (``ChannelLines``).
public struct BatchNorm: Sendable {
    public let C: Int
    public let epsilon: Float
    public let momentum: Float
    public let activation: Rows.Activation
    private let periods: Periods

    public init(C: Int, epsilon: Float, momentum: Float, activation: Rows.Activation) {
        self.C = C
        self.epsilon = epsilon
        self.momentum = momentum
        self.activation = activation
        periods = Periods(C: C)
    }

    /// Doubles that hold the sums of all pieces.
    public static func sums(C: Int, groups: Int) -> Int { PieceMoments.doubles(C: C, pieces: max(mostPieces, groups)) }

    private static let mostPieces = 64

    /// Pieces of a group whose sums are made apart; by the size alone, so that the order of summing is fixed.
    private func pieces(rows: Int, groups: Int) -> Int {
        max(1, min(Self.mostPieces / groups, rows * C / 32768, rows / 32))
    }

    /// Sets `y`, `mean` and `inverse` and moves the running statistics.
    ///
    /// - Parameters:
    ///   - measured: pieces of x whose moments whoever made x has put into `sums` already (``Convolution/momentPieces(N:)``), with one group.
    ///   - sums: room for ``sums(C:groups:)`` doubles, or for ``Convolution/momentDoubles(N:)`` if those are `measured`.
    public func forward(
        y: UnsafeMutablePointer<Float>, mean: UnsafeMutablePointer<Float>, inverse: UnsafeMutablePointer<Float>,
        runningMean: UnsafeMutablePointer<Float>, runningVariance: UnsafeMutablePointer<Float>,
        x: UnsafePointer<Float>, gamma: UnsafePointer<Float>, beta: UnsafePointer<Float>, residual: UnsafePointer<Float>?,
        M: Int, groups: Int, measured: Int? = nil, sums: UnsafeMutablePointer<Double>
    ) {
        measure(
            mean: mean, inverse: inverse, runningMean: runningMean, runningVariance: runningVariance, x: x, M: M, groups: groups, measured: measured,
            sums: sums)
        let lines = ChannelLines(periods, mean: mean, inverse: inverse, gamma: gamma, beta: beta, groups: groups)
        switch (activation, streams(to: y, M: M, groups: groups)) {
        case (.none, false): apply(Identity.self, Cached.self)
        case (.relu, false): apply(RectifiedLinear.self, Cached.self)
        case (.hardSwish, false): apply(HardSwish.self, Cached.self)
        case (.silu, false): apply(SiLU.self, Cached.self)
        case (.none, true): apply(Identity.self, Streamed.self)
        case (.relu, true): apply(RectifiedLinear.self, Streamed.self)
        case (.hardSwish, true): apply(HardSwish.self, Streamed.self)
        case (.silu, true): apply(SiLU.self, Streamed.self)
        }
        func apply<A: ActivationFunction, S: Storage>(_: A.Type, _: S.Type) {
            forEachRun(M: M, groups: groups) { start, count, group in
                if let residual {
                    periods.forEach(count, NormalizedSum<A, S>(y: y + start, x: x + start, residual: residual + start, line: lines[group]))
                } else {
                    periods.forEach(count, Normalized<A, S>(y: y + start, x: x + start, line: lines[group]))
                }
            }
        }
    }

    /// The first half of the pass forward: mean and deviation of every group and channel. ``NormalizedInput`` is the other. Parameters as in
    /// ``forward(y:mean:inverse:runningMean:runningVariance:x:gamma:beta:residual:M:groups:measured:sums:)``.
    public func measure(
        mean: UnsafeMutablePointer<Float>, inverse: UnsafeMutablePointer<Float>, runningMean: UnsafeMutablePointer<Float>,
        runningVariance: UnsafeMutablePointer<Float>, x: UnsafePointer<Float>, M: Int, groups: Int, measured: Int? = nil,
        sums: UnsafeMutablePointer<Double>
    ) {
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
                    inverse[group * C + c] = Float(1 / (squares / Double(rows) + Double(epsilon)).squareRoot())
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
    /// With g = dy · activation′(z), z = γ·x̂ + β (+ residual), and means over a group's M/G places:
    ///
    ///     dresidual = g        dβ = Σ g        dγ = Σ g·x̂
    ///     dx = γ / √(σ² + ε) · (g − mean(g) − x̂·mean(g·x̂))
    ///
    /// z is made again from x, bit for bit, so that y need not be read. Only behind a residual it is: a rectifier looks where y > 0.
    ///
    /// - Precondition: `dresidual` is given where `forward` was given a residual, and then the activation is none or a rectifier.
    public func backward(
        dx: UnsafeMutablePointer<Float>, dgamma: UnsafeMutablePointer<Float>, dbeta: UnsafeMutablePointer<Float>,
        dresidual: UnsafeMutablePointer<Float>?, addingToResidual: Bool,
        dy: UnsafePointer<Float>, y: UnsafePointer<Float>, x: UnsafePointer<Float>, mean: UnsafePointer<Float>, inverse: UnsafePointer<Float>,
        gamma: UnsafePointer<Float>, beta: UnsafePointer<Float>, M: Int, groups: Int, sums: UnsafeMutablePointer<Double>
    ) {
        precondition(activation == .none || activation == .relu || dresidual == nil)
        let lines = ChannelLines(periods, mean: mean, inverse: inverse, gamma: gamma, beta: beta, groups: groups)

        /// Two passes; the second may find g where the first has kept it, and has then not read what it overwrites.
        func run<First: GradientSource, Second: GradientSource, S: Storage>(_ first: First, _ second: Second, _: S.Type = Cached.self) {
            sumGradient(first, lines, dgamma: dgamma, dbeta: dbeta, x: x, inverse: inverse, M: M, groups: groups, sums: sums)
            forEachRun(M: M, groups: groups) { start, count, group in
                periods.forEach(count, InputGradient<Second, S>(start: start, dx: dx, x: x, source: second, line: lines[group]))
            }
        }
        func runBehindResidual<A: ActivationFunction>(_: A.Type, _ dresidual: UnsafeMutablePointer<Float>) {
            if addingToResidual {
                run(FromOutput<A>(dy: dy, y: y), FromOutputAdding<A>(dy: dy, y: y, sum: dresidual))
            } else if streams(to: dresidual, M: M, groups: groups), streams(to: dx, M: M, groups: groups) {
                run(FromOutputKeeping<A, Streamed>(dy: dy, y: y, g: dresidual), Kept(g: dresidual), Streamed.self)
            } else {
                run(FromOutputKeeping<A, Cached>(dy: dy, y: y, g: dresidual), Kept(g: dresidual))
            }
        }

        switch (activation, dresidual) {
        case (.none, let dresidual?): runBehindResidual(Identity.self, dresidual)
        case (_, let dresidual?): runBehindResidual(RectifiedLinear.self, dresidual)
        case (.none, nil): run(FromInput<Identity>(dy: dy), FromInput<Identity>(dy: dy))
        case (.relu, nil): run(FromInput<RectifiedLinear>(dy: dy), FromInput<RectifiedLinear>(dy: dy))
        case (.hardSwish, nil): run(FromInput<HardSwish>(dy: dy), FromInput<HardSwish>(dy: dy))
        // An exponential costs more than a way to memory.
        case (.silu, nil): run(FromInputKeeping<SiLU>(dy: dy, g: dx), Kept(g: dx))
        }
    }

    /// The first half of ``backward`` alone, for one group and without a residual: adds to `dgamma` and `dbeta` and returns the gradient that
    /// is still to be made. `dy` may be changed, but for what that makes of it.
    public func sumGradient(
        dgamma: UnsafeMutablePointer<Float>, dbeta: UnsafeMutablePointer<Float>, dy: UnsafeMutablePointer<Float>, x: UnsafePointer<Float>,
        mean: UnsafePointer<Float>, inverse: UnsafePointer<Float>, gamma: UnsafePointer<Float>, beta: UnsafePointer<Float>, M: Int,
        sums: UnsafeMutablePointer<Double>
    ) -> NormalizedGradient {
        let lines = ChannelLines(periods, mean: mean, inverse: inverse, gamma: gamma, beta: beta, groups: 1)
        func run<Source: GradientSource>(_ source: Source) {
            sumGradient(source, lines, dgamma: dgamma, dbeta: dbeta, x: x, inverse: inverse, M: M, groups: 1, sums: sums)
        }
        switch activation {
        case .none: run(FromInput<Identity>(dy: dy))
        case .relu: run(FromInput<RectifiedLinear>(dy: dy))
        case .hardSwish: run(FromInput<HardSwish>(dy: dy))
        case .silu: run(FromInputKeeping<SiLU>(dy: dy, g: dy))
        }
        return NormalizedGradient(activation: activation == .silu ? .none : activation, x: x, periods: periods, lines: lines)
    }

    /// Sums of g and g·(x − μ), and what follows from them.
    private func sumGradient<Source: GradientSource>(
        _ source: Source, _ lines: ChannelLines, dgamma: UnsafeMutablePointer<Float>, dbeta: UnsafeMutablePointer<Float>, x: UnsafePointer<Float>,
        inverse: UnsafePointer<Float>, M: Int, groups: Int, sums: UnsafeMutablePointer<Double>
    ) {
        let rows = M / groups, pieces = pieces(rows: rows, groups: groups)
        Parallel.forEach(groups * pieces) { piece, _ in
            let group = piece / pieces
            let own = periods.part(piece % pieces, of: pieces, in: rows)
            let start = (group * rows + own.lowerBound) * C
            periods.sum(own.count * C, into: sums + piece * 2 * C, GradientSums(start: start, x: x, source: source, line: lines[group]))
        }
        lines.finish(dgamma: dgamma, dbeta: dbeta, inverse: inverse, sums: sums, pieces: pieces, rows: rows)
    }

    private func streams(to y: UnsafeMutablePointer<Float>, M: Int, groups: Int) -> Bool {
        Streamed.pays(y, count: M * C) && (groups == 1 || M / groups * C % 16 == 0)
    }

    /// Runs of rows that lie in one group, each about 32 K floats, the last first: of what was just read, the end is still in the cache.
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
