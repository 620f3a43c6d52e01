import Losses
import Platform
import TensorStreams
import ToolSupport

/// Where the loss of pairs comes from: a record with `student` and `teacher` in, one with `loss` and `gradient` out.
protocol LossSource {
    /// Hands over what the loss kept at the end of the last epoch. Called once, before the first record.
    mutating func restore(_ state: [String: Tensor]) throws
    mutating func answer(_ record: TensorDocument) throws -> TensorDocument
    /// What the loss wants kept for the next epoch. Called once, after the last record.
    mutating func finish() throws -> [String: Tensor]
    /// The same in between, after any answer; nil where the loss tells it at the end alone.
    mutating func interim() throws -> [String: Tensor]?
    /// nil where it is not known.
    var fill: QueueFill? { get }
    /// What a person should know of it; asked once, after the first record.
    var notes: [String] { get }
    /// The loss as one gives it to --loss; asked once, after the last record.
    var command: String { get }
}

extension LossSource {
    var notes: [String] { [] }
}

/// How many rows of a queue are embeddings by now, and how many it has in all.
struct QueueFill {
    let real: Int
    let capacity: Int

    /// ln(K + 1).
    var uniformLoss: Double { log(Double(capacity) + 1) }
}

/// The loss in this process.
struct BuiltInLoss: LossSource {
    private var stage: PairLossStage

    init(_ settings: PairLossStage.Settings) { stage = PairLossStage(settings) }

    mutating func restore(_ state: [String: Tensor]) throws {
        if !state.isEmpty { try stage.setQueue(TensorDocument(tensors: state)) }
    }

    mutating func answer(_ record: TensorDocument) throws -> TensorDocument {
        guard let answer = try stage.answer(record) else { throw record.failure("carries a queue where embeddings are expected") }
        return answer
    }

    func finish() throws -> [String: Tensor] { stage.state }
    func interim() throws -> [String: Tensor]? { stage.state }

    var fill: QueueFill? { stage.queue.map { QueueFill(real: $0.filled, capacity: $0.capacity) } }
    var notes: [String] { stage.notes }
    var command: String { stage.settings.command }
}
