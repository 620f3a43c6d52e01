/// The result of an objective for one batch.
///
/// A cross-entropy alone is hard to interpret: its floor is the entropy of its targets, which depends on the teacher
/// and the temperature. The floor is therefore reported too. The difference is the Kullback–Leibler divergence, which
/// is 0 when the student matches its targets.
public struct LossValues: Sendable, Equatable {
    /// The loss of each row (N).
    public var loss: [Float]
    /// The derivative of ``mean`` with respect to each embedding (N, D), with all D components independent.
    public var gradient: [Float]
    /// The entropy of each row's targets (N): a lower bound of the loss.
    public var floor: [Float]?
    /// 1 if the objective's largest logit is where it should be, otherwise 0 (N).
    public var agreement: [Float]?
    /// The number of rows in the mean. Less than N if some rows have no target; those have loss 0.
    public var counted: Int

    public init(loss: [Float], gradient: [Float], floor: [Float]? = nil, agreement: [Float]? = nil, counted: Int? = nil) {
        self.loss = loss
        self.gradient = gradient
        self.floor = floor
        self.agreement = agreement
        self.counted = counted ?? loss.count
    }

    /// The mean loss, whose derivative is ``gradient``.
    public var mean: Double { average(loss) }
    /// The mean floor.
    public var meanFloor: Double? { floor.map(average) }
    /// The share of rows that agree.
    public var meanAgreement: Double? { agreement.map(average) }

    private func average(_ values: [Float]) -> Double {
        values.reduce(0.0) { $0 + Double($1) } / Double(max(1, counted))
    }
}
