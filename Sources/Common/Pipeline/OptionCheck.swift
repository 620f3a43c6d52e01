import ToolSupport

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Asks a tool whether it would take some options, by its `--check-options`.
struct OptionCheck {
    /// The folder that the tools lie in.
    let tools: String

    /// - Throws: ``Failure`` `usage` in the tool's words, after the name of the setting that the options came from.
    func check(_ tool: String, _ arguments: [String], setting: String) throws {
        var pipe: [CInt] = [0, 0]
        guard unsafe Glibc.pipe(&pipe) == 0 else { throw Failure.errno(.io, path: tool, "cannot make a pipe") }
        for end in pipe { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_adddup2(&actions, pipe[1], STDERR_FILENO)
        let program = tools + "/" + tool
        var process = pid_t()
        var words: [UnsafeMutablePointer<CChar>?] = unsafe ([program, "--check-options"] + arguments).map { unsafe strdup($0) } + [nil]
        let status = unsafe posix_spawn(&process, program, &actions, nil, &words, environ)
        for unsafe word in unsafe words { unsafe free(word) }
        close(pipe[1])
        defer { close(pipe[0]) }
        guard status == 0 else { throw Failure(.software, path: program, "cannot start it: \(unsafe String(cString: strerror(status)))") }
        var said: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = unsafe read(pipe[0], &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            said += chunk[..<count]
        }
        var result: CInt = 0
        unsafe waitpid(process, &result, 0)
        guard result != 0 else { return }
        let line = String(decoding: said.prefix { $0 != 0x0A }, as: UTF8.self)
        throw Failure(.usage, path: setting, line.isEmpty ? "\(tool) ended with \(result)" : line)
    }
}
