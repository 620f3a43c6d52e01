import Losses
import Platform
import TensorStreams
import ToolSupport

/// The source of the loss of pairs: takes a record with `student` and `teacher`, returns one with `loss` and
/// `gradient`.
protocol LossSource {
    /// Restores the state that the loss kept at the end of the previous epoch. Called once, before the first record.
    mutating func restore(_ state: [String: Tensor]) throws
    mutating func answer(_ record: TensorDocument) throws -> TensorDocument
    /// The state to keep for the next epoch. Called once, after the last record.
    mutating func finish() throws -> [String: Tensor]
    /// The same state after any answer; nil where the loss gives it only at the end.
    mutating func interim() throws -> [String: Tensor]?
    /// The fill of the queue; nil where it is unknown.
    var fill: QueueFill? { get }
    /// Notes for the user; asked for once, after the first record.
    var notes: [String] { get }
    /// The loss as an argument of --loss; asked for once, after the last record.
    var command: String { get }
}

extension LossSource {
    var notes: [String] { [] }
}

/// The number of queue rows that are embeddings so far, and the number of rows in total.
struct QueueFill {
    let real: Int
    let capacity: Int

    /// ln(K + 1).
    var uniformLoss: Double { log(Double(capacity) + 1) }
}

/// A loss in this process.
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
