/// What an objective says about one batch.
///
/// A cross-entropy alone cannot be read: its floor is the entropy of its targets, which moves with the
/// teacher and the temperature. Hence the floor beside it: their difference is the Kullback–Leibler divergence,
/// which is 0 when the student does what it is told.
public struct LossValues: Sendable, Equatable {
    /// The loss of each row (N).
    public var loss: [Float]
    /// The derivative of ``mean`` with respect to each embedding (N, D), where all of its D numbers are free.
    public var gradient: [Float]
    /// The entropy of each row's targets (N): no student can have a smaller loss.
    public var floor: [Float]?
    /// 1 where the objective's largest logit is where it should be, else 0 (N).
    public var agreement: [Float]?
    /// How many rows the mean is over. Less than N where some rows have no target; these have loss 0.
    public var counted: Int

    public init(loss: [Float], gradient: [Float], floor: [Float]? = nil, agreement: [Float]? = nil, counted: Int? = nil) {
        self.loss = loss
        self.gradient = gradient
        self.floor = floor
        self.agreement = agreement
        self.counted = counted ?? loss.count
    }

    /// The mean loss, which ``gradient`` is the derivative of.
    public var mean: Double { average(loss) }
    /// The mean floor.
    public var meanFloor: Double? { floor.map(average) }
    /// The share of rows that agree.
    public var meanAgreement: Double? { agreement.map(average) }

    private func average(_ values: [Float]) -> Double {
        values.reduce(0.0) { $0 + Double($1) } / Double(max(1, counted))
    }
}
