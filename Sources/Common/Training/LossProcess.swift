import Objectives
import TensorStreams
import ToolSupport

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

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
    private let process: pid_t
    /// Nil once the program's input is closed.
    private var writer: StreamWriter?
    private var reader: StreamReader?
    /// The pipe that answers come from, until a reader owns it.
    private var answers: CInt?
    private let wait: LongWait
    private var reaped = false
    private(set) var fill: (real: Int, capacity: Int)?

    /// - Parameter warn: is told when no answer comes for long.
    init(_ command: String, header: StreamHeader, warn: @escaping @Sendable (String) -> Void) throws {
        given = command
        wait = LongWait { warn("--loss '\(command)': no answer for \($0); it must answer every record at once, flush its output, and end with its input") }
        var toChild: [CInt] = [0, 0], fromChild: [CInt] = [0, 0]
        guard unsafe pipe(&toChild) == 0, unsafe pipe(&fromChild) == 0 else { throw Failure.errno(.io, path: "--loss", "cannot make a pipe") }
        // The program must not hold our ends, or it would never see the end of its input.
        for descriptor in toChild + fromChild { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        unsafe posix_spawn_file_actions_adddup2(&actions, toChild[0], STDIN_FILENO)
        unsafe posix_spawn_file_actions_adddup2(&actions, fromChild[1], STDOUT_FILENO)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        // The program shall see SIGPIPE as any program does.
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        var defaults = sigset_t()
        unsafe sigemptyset(&defaults)
        unsafe sigaddset(&defaults, SIGPIPE)
        unsafe sigaddset(&defaults, SIGXFSZ)
        unsafe posix_spawnattr_setsigdefault(&attributes, &defaults)
        unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF))
        var process = pid_t()
        let words = ["/bin/sh", "-c", command]
        var arguments: [UnsafeMutablePointer<CChar>?] = unsafe words.map { unsafe strdup($0) } + [nil]
        let status = unsafe posix_spawn(&process, "/bin/sh", &actions, &attributes, &arguments, environ)
        for unsafe argument in unsafe arguments { unsafe free(argument) }
        Glibc.close(toChild[0])
        Glibc.close(fromChild[1])
        guard status == 0 else {
            throw Failure(.io, path: "--loss", "cannot start '\(command)': \(unsafe String(cString: strerror(status)))")
        }
        self.process = process
        answers = fromChild[0]
        do {
            writer = try StreamWriter(descriptor: toChild[1], name: name, header: header, level: -1)
        } catch let closed as Failure where closed.kind == .closedPipe {
            throw failure("ended at once")
        }
    }

    var command: String { reader?.header.metadata[QueueLossStage.Settings.key] ?? given }

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
            fill = (real, capacity)
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
        var status: CInt = 0
        unsafe waitpid(process, &status, 0)
        reaped = true
        guard status == 0 else { throw Failure(.data, path: name, "gave all answers, but \(Self.words(status))", remedy: Self.remedy) }
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
            throw failure(damage.what, at: damage.place)
        }
    }

    private static let remedy = "run it by hand on a stored stream of 'student' and 'teacher'"

    /// A failure that says what the program did and how it ended.
    private func failure(_ what: String, at place: String? = nil) -> Failure {
        Failure(.data, path: name, place: place, "\(what); the program \(end())", remedy: Self.remedy)
    }

    /// Closes the pipes and says how the program ended. One that is still at work after a moment is told to end, and then made to.
    private func end() -> String {
        writer = nil
        reader = nil
        if let answers { Glibc.close(answers) }
        answers = nil
        reaped = true
        if let status = statusSoon() { return Self.words(status) }
        kill(process, SIGTERM)
        if statusSoon() == nil {
            kill(process, SIGKILL)
            waitpid(process, nil, 0)
        }
        return "was still running, and was stopped"
    }

    /// How the program ended, if it does within two seconds.
    private func statusSoon() -> CInt? {
        var status: CInt = 0
        for _ in 0..<200 {
            if unsafe waitpid(process, &status, WNOHANG) != 0 { return status }
            usleep(10_000)
        }
        return nil
    }

    private static func words(_ status: CInt) -> String {
        status & 0x7F == 0 ? "ended with exit status \(status >> 8 & 0xFF)" : "was ended by signal \(status & 0x7F)"
    }

    deinit {
        if !reaped { _ = end() }
    }
}
