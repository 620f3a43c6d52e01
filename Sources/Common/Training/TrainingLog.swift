public import Objectives
import Platform
import TensorStreams
import ToolSupport

/// The metrics of a training per interval, as JSON lines in a file.
///
/// | key                              |                                                                    |
/// |----------------------------------|--------------------------------------------------------------------|
/// | `epoch`, `step`                  | of the interval's last step                                        |
/// | `images`, `seconds`              | of the interval                                                    |
/// | `loss`                           | mean over the interval's images                                    |
/// | the objective's ``Metric``s      | by name, in the order in which it reports them                     |
/// | `learning_rate`, `gradient_norm` | of the interval's last step; mean over the interval's steps        |
/// | `images_per_second`              | of the interval                                                    |
/// | `waiting`                        | share of the interval's time spent waiting for input               |
public final class TrainingLog {
    /// Steps so far.
    public private(set) var steps = 0
    private let file: LineFile?
    private let interval: Int
    private var all = Sums()
    private var recent = Sums()
    private let start = Progress.now()
    private var intervalStart: Double
    private var intervalWaited = 0.0

    private struct Sums {
        var steps = 0, images = 0
        var loss = 0.0, norm = 0.0
        var last: StepReport?
        /// By metric: the sum over images, and the number of images.
        private var metrics: [String: (sum: Double, images: Int)] = [:]

        mutating func add(_ report: StepReport) {
            let n = Double(report.images)
            steps += 1
            images += report.images
            loss += report.loss * n
            norm += report.gradientNorm
            last = report
            for metric in report.metrics {
                let before = metrics[metric.name] ?? (0, 0)
                metrics[metric.name] = (before.sum + metric.value * n, before.images + report.images)
            }
        }

        var meanLoss: Double { loss / Double(max(1, images)) }

        /// A metric of the last step, aggregated over all steps; nil where a step did not report it.
        func value(_ metric: Metric) -> Double? {
            if case .last = metric.combination { return metric.value }
            return metrics[metric.name].flatMap { $0.images == images ? $0.sum / Double(max(1, images)) : nil }
        }
    }

    /// - Parameters:
    ///   - path: the file; nil for none. The first line replaces its old contents.
    ///   - batch: the number of batches of the epoch that are done. The lines of these batches stay.
    public init(_ path: String?, interval: Int, epoch: Int = 0, after batch: Int = 0) throws {
        file = try path.map { path in
            guard batch > 0 else { return try LineFile(path) }
            return try LineFile(path) { line in
                guard let json = try? JSON(parsing: line), let step = json["step"]?.asInteger else { return false }
                return step < batch && json["epoch"]?.asInteger == epoch
            }
        }
        self.interval = interval
        intervalStart = start
    }

    /// Counts a step, and writes a line when the interval is complete.
    ///
    /// - Parameter waited: the total time spent waiting for input so far, in seconds.
    public func add(_ report: StepReport, waited: Double) throws {
        steps += 1
        all.add(report)
        recent.add(report)
        if recent.steps == interval { try flush(waited) }
    }

    /// Writes the rest of an interval: at the end, and before a checkpoint, so that the log ends at the same step.
    public func finish(waited: Double) throws {
        if recent.steps > 0 { try flush(waited) }
    }

    private func flush(_ waited: Double) throws {
        let now = Progress.now()
        let seconds = max(now - intervalStart, 1e-9)
        if let file, let last = recent.last {
            var line = JSON.Object()
            func number(_ value: Double?) -> JSON? { value.map { $0.isFinite ? .number($0) : .null } }
            line["epoch"] = .integer(Int64(last.epoch))
            line["step"] = .integer(Int64(last.step))
            line["images"] = .integer(Int64(recent.images))
            line["seconds"] = number(seconds)
            line["loss"] = number(recent.meanLoss)
            for metric in last.metrics { line[metric.name] = number(recent.value(metric)) }
            line["learning_rate"] = number(last.learningRate)
            line["gradient_norm"] = number(recent.norm / Double(recent.steps))
            line["images_per_second"] = number(Double(recent.images) / seconds)
            line["waiting"] = number(min(1, max(0, (waited - intervalWaited) / seconds)))
            try file.write(JSON.object(line).text)
        }
        recent = Sums()
        intervalStart = now
        intervalWaited = waited
    }

    /// A one-line summary of the epoch.
    public var summary: String {
        let metrics = (all.last?.metrics ?? []).compactMap { metric -> String? in
            guard let value = all.value(metric) else { return nil }
            switch metric.style {
            case .number(let digits): return "\(metric.label) \(Progress.fixed(value, digits))"
            case .percent(let digits): return "\(metric.label) \(Progress.fixed(100 * value, digits)) %"
            case .hidden: return nil
            }
        }
        return (["loss \(Progress.fixed(all.meanLoss, 4))"] + metrics).joined(separator: ", ")
    }
}
