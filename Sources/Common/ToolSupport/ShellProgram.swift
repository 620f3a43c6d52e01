import Platform
import Synchronization

/// A command of the user's that the shell runs, from its start to its end.
public final class ShellProgram: Sendable {
    /// The environment variable that names the folder it starts in; unset, it starts where this process is.
    ///
    /// make's stages work in the run's folder, and a command of the user's means files as seen from where make was called.
    public static let folderVariable = "SEED_PROGRAM_FOLDER"

    private let process: pid_t
    private let ownGroup: Bool
    /// How far it is. A process that has been waited for has no number any more, so nothing is sent to it.
    private let course = Mutex<(isRunning: Bool, wasLate: Bool)>((true, false))

    /// - Parameters:
    ///   - option: the option that names the command, for messages.
    ///   - input: becomes its standard input; `output` its standard output.
    ///   - ownGroup: whether it gets a process group, so that all it starts can be stopped with it. A terminal's Ctrl-C does not reach it then.
    ///   - ignoresTermination: whether it, and what it starts, ignores SIGTERM.
    public init(_ command: String, option: String, input: CInt, output: CInt, ownGroup: Bool, ignoresTermination: Bool = false) throws {
        self.ownGroup = ownGroup
        // What a shell ignores stays ignored in its programs.
        let command = (ignoresTermination ? "trap '' TERM; " : "") + command
        let folder = unsafe getenv(ShellProgram.folderVariable).map { unsafe String(cString: $0) }
        var spawn = Spawn(folder.map { ["/bin/sh", "-c", "cd \"$0\" || exit; " + command, $0] } ?? ["/bin/sh", "-c", command])
        spawn.descriptors = [(input, STDIN_FILENO), (output, STDOUT_FILENO)]
        spawn.leadsGroup = ownGroup
        // A run's lock must not last as long as what the program leaves behind.
        let lockWords = unsafe getenv("SEED_LOCK").map { unsafe String(cString: $0).split(separator: " ") } ?? []
        if let lock = lockWords.first.flatMap({ CInt($0) }), lock > STDERR_FILENO, fcntl(lock, F_GETFD) >= 0 {
            spawn.closed = [lock]
        }
        guard let process = spawn.start() else { throw Failure.errno(.io, path: option, "cannot start '\(command)'") }
        self.process = process
    }

    public var isRunning: Bool { course.withLock { $0.isRunning } }
    /// Whether it was stopped because its time was over.
    public var wasLate: Bool { course.withLock { $0.wasLate } }

    /// Waits for its end; returns the status that `waitpid` gives, or ``WaitStatus/unknown``.
    public func wait() -> CInt {
        // It stays a zombie with its number until it is marked.
        var information = unsafe siginfo_t()
        while unsafe waitid(P_PID, id_t(process), &information, WEXITED | WNOWAIT) < 0, errno == EINTR {}
        return reap() ?? WaitStatus.unknown
    }

    /// Says how it ended. One that is still at work after two seconds is told to end, and then made to.
    public func end() -> String {
        if let status = statusSoon() { return WaitStatus.words(status) }
        send(SIGTERM)
        if statusSoon() == nil {
            send(SIGKILL)
            _ = wait()
        }
        return "was still running, and was stopped"
    }

    /// Stops it from another thread, which waits for it.
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
            // A failure, and not status 0, where somebody else has reaped it.
            return ended == process ? status : WaitStatus.unknown
        }
    }

    private func send(_ signal: CInt) {
        course.withLock { if $0.isRunning { kill(ownGroup ? -process : process, signal) } }
    }
}
