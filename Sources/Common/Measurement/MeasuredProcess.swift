import Platform
import TensorStreams
import ToolSupport

/// A process that measures when it is its turn, and is stopped otherwise.
///
/// It uses the protocol of ``Turns``. Between its turns a signal stops it: threads that spin while they wait for work,
/// as in most numeric libraries, would disturb the other measurements. It leads its own process group, so that all that
/// it starts is stopped too, and so that the system wakes and ends it if this process is killed.
final class MeasuredProcess {
    let name: String
    private let process: pid_t
    private var toIt: CInt
    private let fromIt: CInt
    private var unread: [UInt8] = []
    private var ended = false

    /// Starts it and waits until it is ready, then stops it.
    ///
    /// - Parameters:
    ///   - words: the program and its arguments; a program with a slash is a path.
    ///   - errors: a file that its standard error is appended to.
    ///   - patience: the maximum number of seconds until it is ready, and for each turn.
    convenience init(_ name: String, _ words: [String], errors: String? = nil, patience: Double = 600) throws {
        try self.init(name, starting: words, errors: errors, patience: patience)
        guard try answer("ready").asBool == true else { throw failure("is not ready") }
        stop()
    }

    /// Runs a command to its end and returns the value of `key` in its answer.
    static func query(_ name: String, _ words: [String], errors: String?, for key: String) throws -> JSON {
        try MeasuredProcess(name, starting: words, errors: errors, patience: 120).answer(key)
    }

    private let patience: Double

    private init(_ name: String, starting words: [String], errors: String?, patience: Double) throws {
        self.name = name
        self.patience = patience
        var input: [CInt] = [0, 0], output: [CInt] = [0, 0]
        guard pipe(&input) == 0, pipe(&output) == 0 else { throw Failure.errno(.io, path: name, "cannot make a pipe") }
        for descriptor in input + output { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
        var spawn = Spawn(words)
        spawn.searches = true
        spawn.descriptors = [(input[0], STDIN_FILENO), (output[1], STDOUT_FILENO)]
        spawn.files = errors.map { [($0, O_WRONLY | O_CREAT | O_APPEND, STDERR_FILENO)] } ?? []
        spawn.leadsGroup = true
        let started = spawn.start(), failure = Failure.errno(.io, path: name, "cannot start '\(words.joined(separator: " "))'")
        close(input[0])
        close(output[1])
        (toIt, fromIt) = (input[1], output[0])
        process = started ?? 0
        guard started != nil else {
            ended = true
            throw failure
        }
    }

    /// Lets it measure alone and returns the seconds per batch.
    func turn() throws -> Double {
        kill(-process, SIGCONT)
        defer { stop() }
        let line: [UInt8] = Array("run\n".utf8)
        guard write(toIt, line, line.count) == line.count else { throw failure("no longer reads its input") }
        guard let seconds = try answer("seconds").asNumber, seconds > 0 else { throw failure("measured nothing") }
        return seconds
    }

    /// Ends it and returns its peak memory in bytes.
    func finish() throws -> Int {
        kill(-process, SIGCONT)
        close(toIt)
        toIt = -1
        defer { end() }
        guard let memory = try answer("memory").asInteger else { throw failure("does not report its memory") }
        return memory
    }

    private func stop() { kill(-process, SIGSTOP) }

    /// The value of `key` in its next line.
    private func answer(_ key: String) throws -> JSON {
        let start = Progress.now()
        while true {
            if let end = unread.firstIndex(of: UInt8(ascii: "\n")) {
                let line = Array(unread[..<end])
                unread.removeFirst(end + 1)
                if let value = try? JSON(parsing: line)[key] { return value }
                throw failure("says '\(String(decoding: line.prefix(200), as: UTF8.self))', expected \"\(key)\"")
            }
            var question = pollfd(fd: fromIt, events: Int16(POLLIN), revents: 0)
            guard Progress.now() - start < patience else { throw failure("has not answered for \(Progress.duration(patience))") }
            guard poll(&question, 1, 1000) > 0 else { continue }
            var bytes = [UInt8](repeating: 0, count: 4096)
            let count = read(fromIt, &bytes, bytes.count)
            guard count > 0 else { throw failure("ended before it answered") }
            unread += bytes[..<count]
        }
    }

    private func failure(_ what: String) -> Failure { Failure(.data, path: name, what) }

    private func end() {
        guard !ended else { return }
        ended = true
        if toIt >= 0 { close(toIt) }
        close(fromIt)
        kill(-process, SIGKILL)
        var status: CInt = 0
        waitpid(process, &status, 0)
    }

    deinit { end() }
}
