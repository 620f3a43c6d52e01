import Platform
import ToolSupport

/// A short-lived program that is run and waited for.
enum ChildProcess {
    /// Runs `words`, the first of which is the path of a program. Its standard output is discarded.
    ///
    /// - Returns: the status from `waitpid`, or ``WaitStatus/unknown``, and the first line of its standard error.
    static func run(_ words: [String]) throws -> (status: CInt, said: String) {
        let (status, said) = try read(words, withOutput: false)
        return (status, String(decoding: said.prefix { $0 != 0x0A }, as: UTF8.self))
    }

    /// The same with all lines of its standard output and standard error.
    static func lines(_ words: [String]) throws -> (status: CInt, lines: [String]) {
        let (status, said) = try read(words, withOutput: true)
        return (status, said.split(separator: 0x0A).map { String(decoding: $0, as: UTF8.self) })
    }

    private static func read(_ words: [String], withOutput: Bool) throws -> (status: CInt, said: [UInt8]) {
        let program = words[0]
        var pipe: [CInt] = [0, 0]
        guard unsafe Platform.pipe(&pipe) == 0 else { throw Failure.errno(.io, path: program, "cannot make a pipe") }
        for end in pipe { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        defer { close(pipe[0]) }
        var spawn = Spawn(words)
        spawn.files = [("/dev/null", O_RDONLY, STDIN_FILENO)] + (withOutput ? [] : [("/dev/null", O_WRONLY, STDOUT_FILENO)])
        spawn.descriptors = [(pipe[1], STDERR_FILENO)] + (withOutput ? [(pipe[1], STDOUT_FILENO)] : [])
        let started = spawn.start(), failure = Failure.errno(.software, path: program, "cannot start it")
        close(pipe[1])
        guard let process = started else { throw failure }
        var said: [UInt8] = []
        _ = DescriptorBytes.forEach(pipe[0], chunk: 4096) { said += $0 }
        return (Spawn.wait(for: process), said)
    }
}
