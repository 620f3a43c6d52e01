import TensorStreams
import ToolSupport

/// A loss in a separate program, started by the shell.
///
/// The program reads records from its standard input and answers on its standard output.
///
/// Its state travels with the student's checkpoint from epoch to epoch. If there is a state, a record with the
/// metadata `state` = `1` precedes the first pair of embeddings. A program that wants to keep a state answers with
/// such a record after the last pair. The header's `state` = `wanted` asks for it. The header of the answers may
/// describe the loss under `loss`, in words that are equal for equal losses.
///
/// If that header also has `state` = `at any time`, the program can be asked for its state between two pairs, by a
/// record without tensors and with `state` = `wanted`. Otherwise there are no checkpoints in the middle of an epoch.
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
        guard answer.metadata[QueueState.key] == "1" else { throw program.failure("answered a request for its state with another record") }
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
