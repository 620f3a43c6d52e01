import Platform

/// The processes that hold a run's lock, found by their open files.
enum LockHolders {
    struct Process {
        let id: pid_t
        let name: String
        /// The mark when the process was found, because process numbers are reused.
        let mark: String

        /// Nil if there is no such active process.
        init?(_ id: pid_t) {
            mark = LockHolders.mark(of: id)
            guard !mark.isEmpty else { return nil }
            self.id = id
            let bytes = (try? TextFile.bytes("/proc/\(id)/comm")) ?? []
            name = String(decoding: bytes.prefix { $0 != 0x0A }, as: UTF8.self)
        }

        /// For messages: "flock (process 4711)".
        var words: String { "\(name) (process \(id))" }

        func send(_ signal: CInt) {
            if LockHolders.mark(of: id) == mark { kill(id, signal) }
        }
    }

    /// The environment variable of all processes that a make with the lock starts: the descriptor of the lock, a space,
    /// and the mark of that make.
    static let variable = "SEED_LOCK"

    /// Identifies a process, even if its number is reused later: the number and the start time. Empty if there is no
    /// such process.
    static func mark(of process: pid_t) -> String {
        // A zombie does no work.
        guard let words = words(of: process), words.count > 19, words[0] != "Z" else { return "" }
        return "\(process) \(words[19])"
    }

    /// The fields of `/proc/PID/stat` after the name: STATE PARENT …; the twentieth is the start time. Nil if there is
    /// no such process.
    private static func words(of process: pid_t) -> [String]? {
        guard let bytes = try? TextFile.bytes("/proc/\(process)/stat"), let end = bytes.lastIndex(of: UInt8(ascii: ")")) else { return nil }
        return bytes[bytes.index(after: end)...].split(separator: UInt8(ascii: " ")).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The processes that the lock's make has started and left behind, if it has ended; empty if it has not, or this is
    /// unknown.
    ///
    /// An open lock file is no proof, because anybody may hold it with `flock`. Processes of a make have its mark in
    /// their environment.
    static func leftBehind(by descriptor: CInt) -> [Process] {
        guard let owner = deadOwner(descriptor) else { return [] }
        return having(descriptor) { id, _ in
            let variables = (try? TextFile.bytes("/proc/\(id)/environ"))?.split(separator: 0) ?? []
            return variables.contains { variable in
                let words = variable.split(separator: UInt8(ascii: " "), maxSplits: 1)
                return variable.starts(with: (LockHolders.variable + "=").utf8) && words.count == 2 && words[1].elementsEqual(owner.utf8)
            }
        }
    }

    /// The processes outside any make that hold the lock; empty if a make holds it, or this is unknown.
    static func others(than descriptor: CInt) -> [Process] {
        guard deadOwner(descriptor) != nil else { return [] }
        let holders = having(descriptor) { id, number in
            // It has a line for each lock held through this descriptor. A process that waits for the lock has none.
            let lines = (try? TextFile.bytes("/proc/\(id)/fdinfo/\(number)"))?.split(separator: 0x0A) ?? []
            return lines.contains { $0.starts(with: "lock:".utf8) && String(decoding: $0, as: UTF8.self).contains("FLOCK") }
        }
        // A plan process that has just taken the lock and has not recorded its mark yet.
        return holders.contains { $0.name == "plan" } ? [] : holders
    }

    /// Whether `process` is an ancestor of this process.
    static func isBelow(_ process: Process) -> Bool {
        var id = getppid()
        while id > 1, id != process.id {
            guard let parent = words(of: id)?.dropFirst().first.flatMap({ pid_t($0) }) else { return false }
            id = parent
        }
        return id == process.id
    }

    /// The mark that the lock's last make has recorded, or an empty string if there is none; nil if that make is still
    /// running.
    private static func deadOwner(_ descriptor: CInt) -> String? {
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = unsafe pread(descriptor, &bytes, bytes.count, 0)
        let owner = String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
        guard let id = owner.split(separator: " ").first.flatMap({ pid_t($0) }) else { return "" }
        return mark(of: id) == owner ? nil : owner
    }

    /// Other processes that have the file behind `descriptor` open under a number for which `isMeant` holds, in order
    /// of process number.
    private static func having(_ descriptor: CInt, where isMeant: (pid_t, String) -> Bool) -> [Process] {
        var lock = stat()
        guard unsafe fstat(descriptor, &lock) == 0 else { return [] }
        // Take the marks first, so that they belong to the processes inspected and not to later ones with the same
        // numbers.
        let all = FolderNames.all(in: "/proc").compactMap { pid_t($0) }.sorted().filter { $0 != getpid() }.compactMap { Process($0) }
        return all.filter { process in
            let id = process.id
            return FolderNames.all(in: "/proc/\(id)/fd").contains { number in
                var status = stat()
                guard unsafe stat("/proc/\(id)/fd/\(number)", &status) == 0 else { return false }
                return status.st_ino == lock.st_ino && status.st_dev == lock.st_dev && isMeant(id, number)
            }
        }
    }
}
