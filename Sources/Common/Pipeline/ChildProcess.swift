import Platform
import ToolSupport

/// A short program that is asked something and waited for.
enum ChildProcess {
    /// Runs `words`, the first of which is the path of a program; its standard output is dropped.
    ///
    /// - Returns: what `waitpid` tells of its end, or ``WaitStatus/unknown``; and the first line that it wrote to standard error.
    static func run(_ words: [String]) throws -> (status: CInt, said: String) {
        let program = words[0]
        var pipe: [CInt] = [0, 0]
        guard unsafe Platform.pipe(&pipe) == 0 else { throw Failure.errno(.io, path: program, "cannot make a pipe") }
        for end in pipe { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        defer { close(pipe[0]) }
        var spawn = Spawn(words)
        spawn.files = [("/dev/null", O_WRONLY, STDOUT_FILENO)]
        spawn.descriptors = [(pipe[1], STDERR_FILENO)]
        let started = spawn.start(), failure = Failure.errno(.software, path: program, "cannot start it")
        close(pipe[1])
        guard let process = started else { throw failure }
        var said: [UInt8] = []
        _ = DescriptorBytes.forEach(pipe[0], chunk: 4096) { said += $0 }
        return (Spawn.wait(for: process), String(decoding: said.prefix { $0 != 0x0A }, as: UTF8.self))
    }
}
