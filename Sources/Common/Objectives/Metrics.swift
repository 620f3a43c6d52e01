/// A number besides the loss that an objective tells of a batch. It stands in the log under its name.
public struct Metric: Sendable {
    public enum Combination: Sendable {
        /// Over an interval: the mean over images.
        case mean
        /// Over an interval: that of its last batch.
        case last
    }

    public enum Style: Sendable {
        /// In the line for people, so many digits behind the point.
        case number(Int)
        /// As a share of a hundred.
        case percent(Int)
        /// In the log alone.
        case hidden
    }

    /// As the log has it: `student_cosine`.
    public let name: String
    public let value: Double
    public let combination: Combination
    /// In the line for people: "mean cosine".
    public let label: String
    public let style: Style

    init(_ name: String, _ value: Double, _ combination: Combination = .mean, label: String? = nil, _ style: Style = .number(4)) {
        (self.name, self.value, self.combination, self.style) = (name, value, combination, style)
        self.label = label ?? name
    }

    /// The same number, and so much more.
    func adding(_ more: Double) -> Metric { Metric(name, value + more, combination, label: label, style) }
}

/// The metrics that several objectives tell, and whoever watches a training looks at.
extension Metric {
    /// The least loss there can be: the entropy of the targets.
    public static func floor(_ value: Double) -> Metric { Metric("floor", value) }
    /// Loss − floor, the Kullback–Leibler divergence from the targets: 0 where the student does what it is told.
    public static func divergence(_ value: Double) -> Metric { Metric("kl", value, label: "KL") }
    /// ln(K + 1): the loss of a student that knows nothing.
    public static func uniformLoss(_ value: Double) -> Metric { Metric("uniform_loss", value, .last, label: "uniform loss") }
    /// The share of the queue's rows that are embeddings by now, 0 to 1.
    public static func queueFill(_ value: Double) -> Metric { Metric("queue_real", value, .last, label: "queue real", .percent(0)) }
    /// The share of rows whose largest logit is where it should be.
    public static func agreement(_ value: Double) -> Metric { Metric("agreement", value, .mean, .percent(1)) }
    /// The mean cosine of two of the student's embeddings of the batch: 1 where all are alike.
    public static func studentCosine(_ value: Double) -> Metric { Metric("student_cosine", value, label: "mean cosine", .number(2)) }
    /// The same of the teacher's, as the loss used them.
    public static func teacherCosine(_ value: Double) -> Metric { Metric("teacher_cosine", value, label: "teacher's mean cosine", .number(2)) }
    /// How far the student's embeddings of the batch differ: the mean deviation of their normalised rows in a dimension, times √D. 0 where all are alike, 1 for
    /// directions that are spread evenly.
    public static func spread(_ value: Double) -> Metric { Metric("spread", value, .last, .hidden) }
    /// Of how many dimensions these differ: the exponential of the entropy of their covariance's normalised eigenvalues, at most the rows less one.
    public static func effectiveRank(_ value: Double) -> Metric { Metric("effective_rank", value, .last, label: "effective rank", .hidden) }
    public static func teacherTemperature(_ value: Double) -> Metric { Metric("teacher_temperature", value, .last, .hidden) }
    /// The length of the mean that is taken off the teacher's embeddings.
    public static func centre(_ value: Double) -> Metric { Metric("centre", value, .last, .hidden) }
}
