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
    /// What is unwise about its options, if anything; asked once, after the first record.
    var warning: String? { get }
}

extension LossSource {
    var warning: String? { nil }
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

    func finish() throws -> [String: Tensor] { stage.queue.map(QueueState.tensors) ?? [:] }

    var fill: (real: Int, capacity: Int)? { stage.queue.map { ($0.filled, $0.capacity) } }

    var warning: String? { stage.warning }
}

/// A loss in a program of its own, started by the shell, that reads records from its standard input and answers on its
/// standard output.
///
/// What it keeps from batch to batch travels with the student's checkpoint: a record with the metadata `state` = `1` comes
/// before the first pair of embeddings where there is something kept, and a program that wants something kept answers with such a
/// record after the last one. The header's `state` = `wanted` asks for it.
final class LossProcess: LossSource {
    private let command: String
    private let process: pid_t
    private let writer: StreamWriter
    private var reader: StreamReader?
    private let answers: CInt
    private var finished = false
    private(set) var fill: (real: Int, capacity: Int)?

    init(_ command: String, header: StreamHeader) throws {
        self.command = command
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
        unsafe posix_spawnattr_setsigdefault(&attributes, &defaults)
        unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF))
        var process = pid_t()
        let words = ["/bin/sh", "-c", command]
        var arguments: [UnsafeMutablePointer<CChar>?] = unsafe words.map { unsafe strdup($0) } + [nil]
        let status = unsafe posix_spawn(&process, "/bin/sh", &actions, &attributes, &arguments, environ)
        for unsafe argument in unsafe arguments { unsafe free(argument) }
        close(toChild[0])
        close(fromChild[1])
        guard status == 0 else {
            throw Failure(.io, path: "--loss", "cannot start '\(command)': \(unsafe String(cString: strerror(status)))")
        }
        self.process = process
        answers = fromChild[0]
        writer = try StreamWriter(descriptor: toChild[1], name: "--loss '\(command)'", header: header, level: -1)
    }

    func restore(_ state: [String: Tensor]) throws {
        if !state.isEmpty { try send(TensorDocument(metadata: [QueueState.key: "1"], tensors: state)) }
    }

    func answer(_ record: TensorDocument) throws -> TensorDocument {
        try send(record)
        guard let answer = try receive() else { throw ended("ended its answers before the last batch") }
        if let real = answer.metadata["queue_filled"].flatMap({ Int($0) }), let capacity = answer.metadata["queue_size"].flatMap({ Int($0) }) {
            fill = (real, capacity)
        }
        return answer
    }

    func finish() throws -> [String: Tensor] {
        do {
            try writer.commit()
        } catch let failure as Failure where failure.kind == .closedPipe {
            throw ended("ended before its input did")
        }
        var state: [String: Tensor] = [:]
        while let record = try receive() {
            guard record.metadata[QueueState.key] == "1" else { throw ended("gave more answers than it was asked for") }
            state = record.tensors
        }
        finished = true
        var status: CInt = 0
        unsafe waitpid(process, &status, 0)
        guard status == 0 else { throw Failure(.data, path: "--loss '\(command)'", "ended with \(Self.words(status))") }
        return state
    }

    private func send(_ record: TensorDocument) throws {
        do {
            try writer.write(record)
        } catch let failure as Failure where failure.kind == .closedPipe {
            throw ended("stopped reading")
        }
    }

    private func receive() throws -> TensorDocument? {
        if let reader { return try reader.next() }
        let reader = try StreamReader(descriptor: answers, name: "--loss '\(command)'")
        self.reader = reader
        return try reader.next()
    }

    /// A failure that says how the program ended, once it has.
    private func ended(_ what: String) -> Failure {
        finished = true
        var status: CInt = 0
        close(answers)
        unsafe waitpid(process, &status, 0)
        return Failure(.data, path: "--loss '\(command)'", "\(what): \(Self.words(status))", remedy: "run it by hand on a stored stream")
    }

    private static func words(_ status: CInt) -> String {
        status & 0x7F == 0 ? "exit status \(status >> 8 & 0xFF)" : "signal \(status & 0x7F)"
    }

    deinit {
        if !finished {
            kill(process, SIGTERM)
            var status: CInt = 0
            unsafe waitpid(process, &status, 0)
        }
    }
}
