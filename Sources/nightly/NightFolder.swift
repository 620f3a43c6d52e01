import Pipeline
import Platform
import ToolSupport

/// The folder of the nights: `.nightly` in the folder of runs. Only one process works in it at a time.
final class NightFolder {
    private let path: String
    /// The lock, held for the lifetime of this object.
    let lock: CInt

    /// - Throws: ``Failure``: `io` if another night is in progress; `cannotCreate`.
    init(_ runs: String) throws {
        guard unsafe mkdir(runs + "/.nightly", 0o777) == 0 || errno == EEXIST else { throw Failure.errno(.cannotCreate, path: runs + "/.nightly", "cannot make the folder") }
        guard let whole = unsafe realpath(runs + "/.nightly", nil) else { throw Failure.errno(.cannotCreate, path: runs + "/.nightly", "cannot be opened") }
        path = unsafe String(cString: whole)
        unsafe free(whole)
        lock = try NightFolder.lock(path + "/lock")
    }

    /// Takes a lock. Child processes inherit it, so those that a killed nightly has left behind hold it until they end.
    ///
    /// - Throws: ``Failure`` `io` if another process holds it.
    static func lock(_ name: String) throws -> CInt {
        let lock = unsafe open(name, O_RDWR | O_CREAT | O_NOFOLLOW, 0o666)
        guard lock >= 0 else { throw Failure.errno(.cannotCreate, path: name, "cannot create it") }
        guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
            close(lock)
            throw Failure(.io, path: name, "is locked: another nightly is running, or a process left behind by one that was killed", remedy: "wait until it ends")
        }
        return lock
    }

    deinit { close(lock) }

    func file(_ name: String) -> String { "\(path)/\(name)" }

    /// An empty folder for intermediate files.
    func work() throws -> String {
        clean()
        let folder = file("work")
        guard unsafe mkdir(folder, 0o777) == 0 || errno == EEXIST else { throw Failure.errno(.cannotCreate, path: folder, "cannot make the folder") }
        return folder
    }

    /// Removes the files that a killed night has left behind.
    func clean() { FolderNames.remove(file("work")) }

    func write(_ text: String, to name: String) throws {
        try OutputFile.write(text, to: file(name))
    }
}

/// The clock time, UTC, ISO 8601.
enum Clock {
    static func now() -> String {
        var now = time(nil), parts = unsafe tm()
        guard unsafe gmtime_r(&now, &parts) != nil else { return "?" }
        func two(_ value: CInt) -> String { value < 10 ? "0\(value)" : "\(value)" }
        return unsafe "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))T\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))Z"
    }
}

/// The command that runs if a result has fallen.
struct FallCommand {
    private let command: String

    init(_ command: String) { self.command = command }

    /// - Parameters:
    ///   - text: the standard input of the command.
    ///   - closed: descriptors that the command must not inherit, such as locks.
    ///   - tell: receives a message if the command fails, which has no other effect.
    func run(_ text: String, closed: [CInt], tell: (String) -> Void) {
        var pipe: [CInt] = [0, 0]
        guard unsafe Platform.pipe(&pipe) == 0 else { return tell("--on-fall: cannot make a pipe") }
        for end in pipe { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        var spawn = Spawn(["/bin/sh", "-c", command])
        spawn.descriptors = [(pipe[0], STDIN_FILENO)]
        spawn.closed = closed
        let started = spawn.start()
        close(pipe[0])
        guard let process = started else {
            close(pipe[1])
            return tell("--on-fall: cannot start /bin/sh")
        }
        var rest = Array(text.utf8)[...]
        // The command need not read all of its input.
        while !rest.isEmpty {
            let written = unsafe rest.withUnsafeBytes { unsafe write(pipe[1], $0.baseAddress, $0.count) }
            if written < 0, errno == EINTR { continue }
            guard written > 0 else { break }
            rest = rest.dropFirst(written)
        }
        close(pipe[1])
        let status = Spawn.wait(for: process)
        if status != 0 { tell("--on-fall: '\(command.printable)' \(WaitStatus.words(status))") }
    }
}
