import Platform
import Synchronization

/// A user command that the shell runs, from its start to its end.
public final class ShellProgram: Sendable {
    /// The environment variable with the command's working directory; if unset, it is that of this process.
    ///
    /// make's stages run in the run's folder, but a user's command refers to files relative to where make was called.
    public static let folderVariable = "SEED_PROGRAM_FOLDER"

    private let process: pid_t
    private let ownGroup: Bool
    /// The state. After a process has been reaped its number is invalid, so no signal is sent any more.
    private let course = Mutex<(isRunning: Bool, wasLate: Bool)>((true, false))

    /// - Parameters:
    ///   - option: the option that names the command, for messages.
    ///   - input: becomes its standard input.
    ///   - output: becomes its standard output.
    ///   - ownGroup: whether it gets its own process group, so that it can be stopped with all that it starts. Then a
    ///     terminal's Ctrl-C does not reach it.
    ///   - ignoresTermination: whether it, and what it starts, ignores SIGTERM.
    public init(_ command: String, option: String, input: CInt, output: CInt, ownGroup: Bool, ignoresTermination: Bool = false) throws {
        self.ownGroup = ownGroup
        // Signals that a shell ignores stay ignored in its programs.
        let command = (ignoresTermination ? "trap '' TERM; " : "") + command
        let folder = unsafe getenv(ShellProgram.folderVariable).map { unsafe String(cString: $0) }
        var spawn = Spawn(folder.map { ["/bin/sh", "-c", "cd \"$0\" || exit; " + command, $0] } ?? ["/bin/sh", "-c", command])
        spawn.descriptors = [(input, STDIN_FILENO), (output, STDOUT_FILENO)]
        spawn.leadsGroup = ownGroup
        // Processes that the program leaves behind must not hold the run's lock.
        let lockWords = unsafe getenv("SEED_LOCK").map { unsafe String(cString: $0).split(separator: " ") } ?? []
        if let lock = lockWords.first.flatMap({ CInt($0) }), lock > STDERR_FILENO, fcntl(lock, F_GETFD) >= 0 {
            spawn.closed = [lock]
        }
        guard let process = spawn.start() else { throw Failure.errno(.io, path: option, "cannot start '\(command)'") }
        self.process = process
    }

    public var isRunning: Bool { course.withLock { $0.isRunning } }
    /// Whether it was stopped by its timeout.
    public var wasLate: Bool { course.withLock { $0.wasLate } }

    /// Waits for its end and returns the status from `waitpid`, or ``WaitStatus/unknown``.
    public func wait() -> CInt {
        // It stays a zombie, with its number, until it is reaped.
        var information = unsafe siginfo_t()
        while unsafe waitid(P_PID, id_t(process), &information, WEXITED | WNOWAIT) < 0, errno == EINTR {}
        return reap() ?? WaitStatus.unknown
    }

    /// Describes how it ended. If it is still running after two seconds, it gets SIGTERM and, if necessary, SIGKILL.
    public func end() -> String {
        if let status = statusSoon() { return WaitStatus.words(status) }
        send(SIGTERM)
        if statusSoon() == nil {
            send(SIGKILL)
            _ = wait()
        }
        return "was still running, and was stopped"
    }

    /// Stops it, from another thread than the one that waits for it.
    public func stopForTime() {
        course.withLock { $0.wasLate = true }
        send(SIGTERM)
        for _ in 0..<200 where isRunning { usleep(10_000) }
        send(SIGKILL)
    }

    /// Its status, if it ends within two seconds.
    private func statusSoon() -> CInt? {
        for _ in 0..<200 {
            if let status = reap() { return status }
            usleep(10_000)
        }
        return nil
    }

    private func reap() -> CInt? {
        course.withLock { course in
            var status: CInt = 0
            let ended = unsafe waitpid(process, &status, WNOHANG)
            guard ended != 0 else { return nil }
            course.isRunning = false
            // A failure rather than status 0 where another thread has reaped it.
            return ended == process ? status : WaitStatus.unknown
        }
    }

    private func send(_ signal: CInt) {
        course.withLock { if $0.isRunning { kill(ownGroup ? -process : process, signal) } }
    }
}
