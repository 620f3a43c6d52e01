import TensorStreams
import ToolSupport

/// A loss in a program of its own, started by the shell, that reads records from its standard input and answers on its
/// standard output.
///
/// What it keeps from batch to batch travels with the student's checkpoint: a record with the metadata `state` = `1` comes
/// before the first pair of embeddings where there is something kept, and a program that wants something kept answers with such a
/// record after the last one. The header's `state` = `wanted` asks for it. What loss it is, the answers' header may say under
/// `loss`, in words that are equal for equal losses.
///
/// Where it also says `state` = `at any time`, the program may be asked for such a record between two pairs, by one without tensors and with `state` = `wanted`: without that
/// there are no checkpoints in the middle of an epoch.
final class LossProcess: LossSource {
    private let given: String
    private let program: RecordProgram
    private(set) var fill: QueueFill?

    init(_ command: String, header: StreamHeader, _ supervision: ProgramSupervision) throws {
        given = command
        program = try RecordProgram(
            command, option: "--loss", header: header, remedy: "run it by hand on a stored stream of 'student' and 'teacher'", supervision)
    }

    var command: String { program.header?.metadata[PairLossStage.Settings.key] ?? given }

    func restore(_ state: [String: Tensor]) throws {
        if !state.isEmpty { try program.send(TensorDocument(metadata: [QueueState.key: "1"], tensors: state)) }
    }

    func answer(_ record: TensorDocument) throws -> TensorDocument {
        let answer = try program.answer(record)
        if let real = answer.metadata.count("queue_filled"), let capacity = answer.metadata.count("queue_size") {
            fill = QueueFill(real: real, capacity: capacity)
        }
        return answer
    }

    func interim() throws -> [String: Tensor]? {
        guard program.header?.metadata[QueueState.key] == QueueState.anyTime else { return nil }
        let answer = try program.answer(TensorDocument(metadata: [QueueState.key: QueueState.wanted], tensors: [:]))
        guard answer.metadata[QueueState.key] == "1" else { throw program.failure("answers a record that asks for its state with another one") }
        return answer.tensors
    }

    func finish() throws -> [String: Tensor] {
        var state: [String: Tensor] = [:]
        try program.finish { record in
            guard record.metadata[QueueState.key] == "1" else { throw program.failure("gave more answers than it was asked for") }
            state = record.tensors
        }
        return state
    }
}
