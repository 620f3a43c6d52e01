import Platform
import TensorStreams
public import ToolSupport

/// How long a program that gives a loss is waited for.
public struct LossSupervision: Sendable {
    /// Seconds after which a program that does not answer is stopped; nil for never.
    public var timeout: Double?
    /// Is told when no answer comes for long.
    public var warn: @Sendable (String) -> Void
    /// Is told, on a thread of its own, of a program that was stopped and whose pipe is held open by a process that it left behind: whoever
    /// reads the pipe waits on, and nothing but the end of this process can change that.
    public var abandon: @Sendable (Failure) -> Void

    public init(
        timeout: Double? = nil, warn: @escaping @Sendable (String) -> Void = { _ in }, abandon: @escaping @Sendable (Failure) -> Void = { _ in }
    ) {
        (self.timeout, self.warn, self.abandon) = (timeout, warn, abandon)
    }
}

/// A loss in a program of its own, started by the shell, that reads records from its standard input and answers on its
/// standard output.
///
/// What it keeps from batch to batch travels with the student's checkpoint: a record with the metadata `state` = `1` comes
/// before the first pair of embeddings where there is something kept, and a program that wants something kept answers with such a
/// record after the last one. The header's `state` = `wanted` asks for it. What loss it is, the answers' header may say under
/// `loss`, in words that are equal for equal losses.
final class LossProcess: LossSource {
    private let given: String
    private var name: String { "--loss '\(given)'" }
    private let program: LossProgram
    private let supervision: LossSupervision
    /// Nil once the program's input is closed.
    private var writer: StreamWriter?
    private var reader: StreamReader?
    /// The pipe that answers come from, until a reader owns it.
    private var answers: CInt?
    private let wait: LongWait
    private(set) var fill: QueueFill?

    init(_ command: String, header: StreamHeader, _ supervision: LossSupervision) throws {
        given = command
        self.supervision = supervision
        var toChild: [CInt] = [0, 0], fromChild: [CInt] = [0, 0]
        guard unsafe pipe(&toChild) == 0, unsafe pipe(&fromChild) == 0 else { throw Failure.errno(.io, path: "--loss", "cannot make a pipe") }
        // The program must not hold our ends, or it would never see the end of its input.
        for descriptor in toChild + fromChild { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
        do {
            program = try LossProgram(command, input: toChild[0], output: fromChild[1], ownGroup: supervision.timeout != nil)
        } catch {
            for descriptor in toChild + fromChild { Platform.close(descriptor) }
            throw error
        }
        Platform.close(toChild[0])
        Platform.close(fromChild[1])
        let limit = supervision.timeout.map { [program] seconds in
            LongWait.Limit(seconds: seconds) {
                program.stopForTime()
                // Its pipe is closed now, unless something that left its group holds it.
                sleep(5)
                if program.isRunning { supervision.abandon(Self.late(command, seconds)) }
            }
        }
        wait = LongWait(limit: limit) {
            supervision.warn("--loss '\(command)': no answer for \($0); it must answer every record at once, flush its output, and end with its input")
        }
        answers = fromChild[0]
        do {
            writer = try StreamWriter(descriptor: toChild[1], name: name, header: header, level: -1)
        } catch let closed as Failure where closed.kind == .closedPipe {
            throw failure("closed its input at once")
        }
    }

    var command: String { reader?.header.metadata[PairLossStage.Settings.key] ?? given }

    func restore(_ state: [String: Tensor]) throws {
        if !state.isEmpty {
            let record = TensorDocument(metadata: [QueueState.key: "1"], tensors: state)
            try wait.during { try send { try $0.write(record) } }
        }
    }

    func answer(_ record: TensorDocument) throws -> TensorDocument {
        let received = try wait.during {
            try send { try $0.write(record) }
            return try receive()
        }
        guard let answer = received else { throw failure("ended its answers before the last batch") }
        if let real = answer.metadata.count("queue_filled"), let capacity = answer.metadata.count("queue_size") {
            fill = QueueFill(real: real, capacity: capacity)
        }
        return answer
    }

    func finish() throws -> [String: Tensor] { try wait.during { try close() } }

    private func close() throws -> [String: Tensor] {
        try send { try $0.commit() }
        var state: [String: Tensor] = [:]
        while let record = try receive() {
            guard record.metadata[QueueState.key] == "1" else { throw failure("gave more answers than it was asked for") }
            state = record.tensors
        }
        let status = program.wait()
        if let late { throw late }
        guard status == 0 else { throw Failure(.data, path: name, "gave all answers, but \(WaitStatus.words(status))", remedy: Self.remedy) }
        return state
    }

    private func send(_ write: (StreamWriter) throws -> Void) throws {
        guard let writer else { throw Failure(.software, path: name, "is asked for more after its end") }
        do {
            try write(writer)
        } catch let closed as Failure where closed.kind == .closedPipe {
            throw failure("stopped reading before the last batch")
        }
    }

    private func receive() throws -> TensorDocument? {
        do {
            if let reader { return try reader.next() }
            guard let answers else { throw Failure(.software, path: name, "is asked for more after its end") }
            self.answers = nil  // The reader's now, also where it throws.
            let reader = try StreamReader(descriptor: answers, name: name)
            self.reader = reader
            return try reader.next()
        } catch let damage as Failure {
            throw failure(damage.what, at: damage.location)
        }
    }

    private static let remedy = "run it by hand on a stored stream of 'student' and 'teacher'"

    /// What there is to say once the time was over.
    private var late: Failure? { program.wasLate ? supervision.timeout.map { Self.late(given, $0) } : nil }

    private static func late(_ command: String, _ seconds: Double) -> Failure {
        Failure(
            .io, path: "--loss '\(command)'", "gave no answer for \(Progress.duration(seconds)), as long as --loss-timeout allows, and was stopped",
            remedy: remedy)
    }

    /// A failure that says what the program did and how it ended.
    private func failure(_ what: String, at location: String? = nil) -> Failure {
        let ending = end()
        return late ?? Failure(.data, path: name, location: location, "\(what); the program \(ending)", remedy: Self.remedy)
    }

    /// Closes the pipes and says how the program ended.
    private func end() -> String {
        writer = nil
        reader = nil
        if let answers { Platform.close(answers) }
        answers = nil
        return program.end()
    }

    deinit {
        if program.isRunning { _ = end() }
    }
}
