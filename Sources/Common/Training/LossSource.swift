import Objectives
import TensorStreams
import ToolSupport

/// Where train-step gets its loss from: a record with `student` and `teacher` in, one with `loss` and `gradient` out.
protocol LossSource {
    /// Hands over what the loss kept at the end of the last epoch. Called once, before the first record.
    mutating func restore(_ state: [String: Tensor]) throws
    mutating func answer(_ record: TensorDocument) throws -> TensorDocument
    /// What the loss wants kept for the next epoch. Called once, after the last record.
    mutating func finish() throws -> [String: Tensor]
    /// How many rows of its queue are embeddings by now, and how many it has in all; nil where that is not known.
    var fill: (real: Int, capacity: Int)? { get }
    /// What a person should know of it; asked once, after the first record.
    var notes: [String] { get }
    /// The loss as one gives it to --loss; asked once, after the last record.
    var command: String { get }
}

extension LossSource {
    var notes: [String] { [] }
}

/// The loss in this process.
struct BuiltInLoss: LossSource {
    private var stage: QueueLossStage

    init(_ settings: QueueLossStage.Settings) { stage = QueueLossStage(settings) }

    mutating func restore(_ state: [String: Tensor]) throws {
        if !state.isEmpty { try stage.setQueue(TensorDocument(tensors: state)) }
    }

    mutating func answer(_ record: TensorDocument) throws -> TensorDocument {
        guard let answer = try stage.answer(record) else { throw record.failure("carries a queue where embeddings are expected") }
        return answer
    }

    func finish() throws -> [String: Tensor] { stage.state }

    var fill: (real: Int, capacity: Int)? { stage.queue.map { ($0.filled, $0.capacity) } }

    var notes: [String] { stage.notes }

    var command: String { stage.settings.command }
}
