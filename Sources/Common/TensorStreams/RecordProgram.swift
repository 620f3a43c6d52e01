import Platform
public import ToolSupport

/// A user command that answers records: the shell runs it, and it reads a stream from its standard input and writes one
/// to its standard output.
///
/// It must answer each record before it gets the next, so that the two sides cannot deadlock. Everything that goes
/// wrong is reported as one ``Failure`` that names the command and says how it ended.
public final class RecordProgram {
    private let command: String
    private let option: String
    /// The remedy where it fails.
    private let remedy: String
    private let program: ShellProgram
    private let supervision: ProgramSupervision
    /// Nil once the program's input is closed.
    private var writer: StreamWriter?
    private var reader: StreamReader?
    /// The pipe with the answers, until a reader owns it.
    private var answers: CInt?
    private let wait: LongWait

    /// The command's name in messages: `--loss 'python3 loss.py'`.
    public var name: String { Self.name(option, command) }
    /// The header of its answers, once the first answer has arrived.
    public var header: StreamHeader? { reader?.header }

    private static func name(_ option: String, _ command: String) -> String { "\(option) '\(command)'" }

    /// - Parameters:
    ///   - option: the option that names the command.
    ///   - header: the header of the stream that the command reads.
    ///   - remedy: the remedy where it fails.
    public init(_ command: String, option: String, header: StreamHeader, remedy: String, _ supervision: ProgramSupervision) throws {
        (self.command, self.option, self.remedy, self.supervision) = (command, option, remedy, supervision)
        var toChild: [CInt] = [0, 0], fromChild: [CInt] = [0, 0]
        guard unsafe pipe(&toChild) == 0, unsafe pipe(&fromChild) == 0 else { throw Failure.errno(.io, path: option, "cannot make a pipe") }
        // The program must not inherit our ends, or it would never see the end of its input.
        for descriptor in toChild + fromChild { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
        do {
            program = try ShellProgram(command, option: option, input: toChild[0], output: fromChild[1], ownGroup: supervision.timeout != nil, ignoresTermination: supervision.ignoresTermination)
        } catch {
            for descriptor in toChild + fromChild { Platform.close(descriptor) }
            throw error
        }
        Platform.close(toChild[0])
        Platform.close(fromChild[1])
        let limit = supervision.timeout.map { [program] seconds in
            LongWait.Limit(seconds: seconds) {
                program.stopForTime()
                // By now its pipe is closed, unless a process that left its group still holds it.
                sleep(5)
                if program.isRunning { supervision.abandon(Self.late(option, command, seconds, supervision, remedy)) }
            }
        }
        let name = Self.name(option, command)
        wait = LongWait(limit: limit) {
            supervision.warn("\(name): no answer for \($0); it must answer each record at once, flush its output, and exit when its input ends")
        }
        answers = fromChild[0]
        do {
            writer = try StreamWriter(descriptor: toChild[1], name: name, header: header, level: -1)
        } catch let closed as Failure where closed.kind == .closedPipe {
            throw failure("closed its input at once")
        }
    }

    /// Sends a record that needs no answer.
    public func send(_ record: TensorDocument) throws {
        try wait.during { try write { try $0.write(record) } }
    }

    /// Sends a record and waits for the answer.
    public func answer(_ record: TensorDocument) throws -> TensorDocument {
        let received = try wait.during {
            try write { try $0.write(record) }
            return try receive()
        }
        guard let received else { throw failure("stopped answering before the last batch") }
        return received
    }

    /// Closes its input and waits for its end.
    ///
    /// - Parameter unasked: called with the records that it writes after its answers.
    /// - Throws: a ``Failure`` where its answers end incorrectly, or its exit status is not 0.
    public func finish(_ unasked: (TensorDocument) throws -> Void) throws {
        try wait.during {
            try write { try $0.commit() }
            while let record = try receive() { try unasked(record) }
            let status = program.wait()
            if let late { throw late }
            guard status == 0 else { throw Failure(.data, path: name, "gave all answers, but \(WaitStatus.words(status))", remedy: remedy) }
        }
    }

    private func write(_ body: (StreamWriter) throws -> Void) throws {
        guard let writer else { throw Failure(.software, path: name, "is asked for more after its end") }
        do {
            try body(writer)
        } catch let closed as Failure where closed.kind == .closedPipe {
            throw failure("stopped reading before the last batch")
        }
    }

    private func receive() throws -> TensorDocument? {
        do {
            if let reader { return try reader.next() }
            guard let answers else { throw Failure(.software, path: name, "is asked for more after its end") }
            self.answers = nil  // The reader owns it now, even if it throws.
            let reader = try StreamReader(descriptor: answers, name: name)
            self.reader = reader
            return try reader.next()
        } catch let damage as Failure {
            throw failure(damage.what, at: damage.location)
        }
    }

    /// The failure for an exceeded timeout.
    private var late: Failure? { program.wasLate ? supervision.timeout.map { Self.late(option, command, $0, supervision, remedy) } : nil }

    private static func late(_ option: String, _ command: String, _ seconds: Double, _ supervision: ProgramSupervision, _ remedy: String) -> Failure {
        Failure(
            .io, path: name(option, command),
            "gave no answer for \(Progress.duration(seconds)), the limit of \(supervision.limit ?? "\(option)-timeout"), and was stopped",
            remedy: remedy)
    }

    /// A failure that says what the program did and how it ended; stops the program if it is still running.
    public func failure(_ what: String, at location: String? = nil) -> Failure {
        let ending = end()
        return late ?? Failure(.data, path: name, location: location, "\(what); the program \(ending)", remedy: remedy)
    }

    /// Closes the pipes and describes how the program ended.
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
