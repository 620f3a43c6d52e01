public import Losses
import Platform
import ToolSupport

/// A summary of losses over many batches, with reference values to read them.
///
///     loss 7.214, floor 4.101, KL 3.113 (uniform ln(K+1) = 11.090), queue 65536 rows, 15.6 % real, agreement 41.2 %
public struct LossSummary: Sendable {
    /// The number of rows that count in the means.
    public private(set) var rows = 0
    private var loss = 0.0
    private var floor = 0.0
    private var agreement = 0.0

    public init() {}

    /// Adds one batch.
    public mutating func add(_ values: LossValues) {
        rows += values.counted
        let count = Double(values.counted)
        loss += values.mean * count
        floor += (values.meanFloor ?? 0) * count
        agreement += (values.meanAgreement ?? 0) * count
    }

    /// The mean loss per row.
    public var meanLoss: Double { loss / Double(max(1, rows)) }
    /// The mean entropy of the targets.
    public var meanFloor: Double { floor / Double(max(1, rows)) }
    /// The mean Kullback–Leibler divergence from the targets: what remains to be learnt.
    public var divergence: Double { meanLoss - meanFloor }
    /// The share of rows that agree, 0 to 1.
    public var meanAgreement: Double { agreement / Double(max(1, rows)) }

    /// The summary as text.
    public func text(_ queue: EmbeddingQueue) -> String {
        let percent = { (share: Double) in Progress.fixed(100 * share, 1) + " %" }
        let figures = [meanLoss, meanFloor, divergence, log(Double(queue.capacity) + 1)].map { Progress.fixed($0, 3) }
        return "loss \(figures[0]), floor \(figures[1]), KL \(figures[2]) (uniform ln(K+1) = \(figures[3])), "
            + "queue \(queue.capacity) rows, \(percent(queue.realShare)) real, agreement \(percent(meanAgreement))"
    }
}
