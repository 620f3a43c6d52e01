/// A number that an objective reports for a batch besides the loss. The log lists it by its name.
public struct Metric: Sendable {
    public enum Combination: Sendable {
        /// Over an interval: the mean over the images.
        case mean
        /// Over an interval: the value of the last batch.
        case last
    }

    public enum Style: Sendable {
        /// Shown in the progress line, with this many decimals.
        case number(Int)
        /// Shown as a percentage.
        case percent(Int)
        /// Only in the log.
        case hidden
    }

    /// The name in the log: `student_cosine`.
    public let name: String
    public let value: Double
    public let combination: Combination
    /// The label in the progress line: "mean cosine".
    public let label: String
    public let style: Style

    init(_ name: String, _ value: Double, _ combination: Combination = .mean, label: String? = nil, _ style: Style = .number(4)) {
        (self.name, self.value, self.combination, self.style) = (name, value, combination, style)
        self.label = label ?? name
    }

    /// The same metric with `more` added to its value.
    func adding(_ more: Double) -> Metric { Metric(name, value + more, combination, label: label, style) }
}

/// Metrics that several objectives report and that the training watch uses.
extension Metric {
    /// The smallest possible loss: the entropy of the targets.
    public static func floor(_ value: Double) -> Metric { Metric("floor", value) }
    /// Loss − floor, the Kullback–Leibler divergence from the targets: 0 where the student matches them exactly.
    public static func divergence(_ value: Double) -> Metric { Metric("kl", value, label: "KL") }
    /// ln(K + 1): the loss of an untrained student.
    public static func uniformLoss(_ value: Double) -> Metric { Metric("uniform_loss", value, .last, label: "uniform loss") }
    /// The share of the queue's rows that are embeddings so far, 0 to 1.
    public static func queueFill(_ value: Double) -> Metric { Metric("queue_real", value, .last, label: "queue real", .percent(0)) }
    /// The share of rows whose largest logit is the right one.
    public static func agreement(_ value: Double) -> Metric { Metric("agreement", value, .mean, .percent(1)) }
    /// The mean cosine of two of the student's embeddings of the batch: 1 where all are equal.
    public static func studentCosine(_ value: Double) -> Metric { Metric("student_cosine", value, label: "mean cosine", .number(2)) }
    /// The mean cosine of two of the teacher's embeddings, as the loss uses them.
    public static func teacherCosine(_ value: Double) -> Metric { Metric("teacher_cosine", value, label: "teacher's mean cosine", .number(2)) }
    /// How much the student's embeddings of the batch differ: the mean standard deviation per dimension of their
    /// normalised rows, times √D.
    ///
    /// It is 0 where all are equal and 1 for evenly spread directions.
    public static func spread(_ value: Double) -> Metric { Metric("spread", value, .last, .hidden) }
    /// In how many dimensions the embeddings differ: the exponential of the entropy of the normalised eigenvalues of
    /// their covariance.
    ///
    /// It is at most the number of rows minus one.
    public static func effectiveRank(_ value: Double) -> Metric { Metric("effective_rank", value, .last, label: "effective rank", .hidden) }
    public static func teacherTemperature(_ value: Double) -> Metric { Metric("teacher_temperature", value, .last, .hidden) }
    /// The length of the mean that is subtracted from the teacher's embeddings.
    public static func centre(_ value: Double) -> Metric { Metric("centre", value, .last, .hidden) }
}
