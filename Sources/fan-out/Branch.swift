import Platform
import ToolSupport

/// A program that reads the stream.
struct Branch {
    /// The name in messages.
    let name: String
    private let process: pid_t
    /// The pipe to it; nil once it is closed.
    private var pipe: CInt?

    /// Starts it.
    ///
    /// - Parameter words: the program, found on PATH, and its arguments.
    init(_ words: [String]) throws {
        name = "'\(words.joined(separator: " "))'"
        var ends: [CInt] = [0, 0]
        guard unsafe Platform.pipe(&ends) == 0 else { throw Failure.errno(.io, path: name, "cannot make a pipe") }
        // If another program held its pipe, it would never see the end of its input.
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        var spawn = Spawn(words)
        spawn.searches = true
        spawn.descriptors = [(ends[0], STDIN_FILENO)]
        let started = spawn.start(), failure = Failure.errno(.usage, path: name, "cannot start it")
        Platform.close(ends[0])
        guard let started else {
            Platform.close(ends[1])
            throw failure
        }
        (process, pipe) = (started, ends[1])
        widenPipe(ends[1])
    }

    var isReading: Bool { pipe != nil }

    /// Writes all of `bytes` to the program, blocking if necessary, or closes its pipe if it reads no more.
    mutating func write(_ bytes: RawSpan) throws {
        guard let pipe else { return }
        if DescriptorBytes.write(bytes, to: pipe) { return }
        guard errno == EPIPE else { throw Failure.errno(.io, path: name, "cannot write to it") }
        close()
    }

    mutating func close() {
        if let pipe { Platform.close(pipe) }
        pipe = nil
    }

    /// Waits for its end and returns the status from `waitpid`.
    func wait() -> CInt { Spawn.wait(for: process) }
}
