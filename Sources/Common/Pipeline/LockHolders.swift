import Platform

/// The processes that hold a run's lock, found by what they have open.
enum LockHolders {
    struct Process {
        let id: pid_t
        let name: String
        /// As it was when it was found: numbers of processes are used again.
        let mark: String

        /// Nil where there is none that works.
        init?(_ id: pid_t) {
            mark = LockHolders.mark(of: id)
            guard !mark.isEmpty else { return nil }
            self.id = id
            let bytes = (try? TextFile.bytes("/proc/\(id)/comm")) ?? []
            name = String(decoding: bytes.prefix { $0 != 0x0A }, as: UTF8.self)
        }

        /// "flock (process 4711)".
        var words: String { "\(name) (process \(id))" }

        func send(_ signal: CInt) {
            if LockHolders.mark(of: id) == mark { kill(id, signal) }
        }
    }

    /// The environment variable of all that a make with the lock starts: the lock's descriptor, and the mark of that make behind a blank.
    static let variable = "SEED_LOCK"

    /// Tells a process from all others, also from a later one of its number: the number and when it was started; empty where there is none.
    static func mark(of process: pid_t) -> String {
        // A zombie works on nothing.
        guard let words = words(of: process), words.count > 19, words[0] != "Z" else { return "" }
        return "\(process) \(words[19])"
    }

    /// What the system tells of a process, behind its name: STATE PARENT …, and as the twentieth field when it was started; nil where there is none.
    private static func words(of process: pid_t) -> [String]? {
        guard let bytes = try? TextFile.bytes("/proc/\(process)/stat"), let end = bytes.lastIndex(of: UInt8(ascii: ")")) else { return nil }
        return bytes[bytes.index(after: end)...].split(separator: UInt8(ascii: " ")).map { String(decoding: $0, as: UTF8.self) }
    }

    /// Those that the make of the lock has started and left, if it has ended; none where it has not or that cannot be told.
    ///
    /// Having the file open proves nothing: anybody may hold it by `flock`. What a make starts has the make's mark in its environment.
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

    /// Those that hold the lock, and are not of a make; empty where it is a make's or that cannot be told.
    static func others(than descriptor: CInt) -> [Process] {
        guard deadOwner(descriptor) != nil else { return [] }
        let holders = having(descriptor) { id, number in
            // A line for each lock that is held by this descriptor; who only waits has none.
            let lines = (try? TextFile.bytes("/proc/\(id)/fdinfo/\(number)"))?.split(separator: 0x0A) ?? []
            return lines.contains { $0.starts(with: "lock:".utf8) && String(decoding: $0, as: UTF8.self).contains("FLOCK") }
        }
        // One that has it just now and has not noted itself yet.
        return holders.contains { $0.name == "plan" } ? [] : holders
    }

    /// Whether this process was started by `process`, or by one that was.
    static func isBelow(_ process: Process) -> Bool {
        var id = getppid()
        while id > 1, id != process.id {
            guard let parent = words(of: id)?.dropFirst().first.flatMap({ pid_t($0) }) else { return false }
            id = parent
        }
        return id == process.id
    }

    /// The mark that the lock's last make has noted, or nothing where none has; nil where that make is at work.
    private static func deadOwner(_ descriptor: CInt) -> String? {
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = unsafe pread(descriptor, &bytes, bytes.count, 0)
        let owner = String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
        guard let id = owner.split(separator: " ").first.flatMap({ pid_t($0) }) else { return "" }
        return mark(of: id) == owner ? nil : owner
    }

    /// Processes besides this one that have the file behind `descriptor` open by a number for which `isMeant` holds, in order.
    private static func having(_ descriptor: CInt, where isMeant: (pid_t, String) -> Bool) -> [Process] {
        var lock = stat()
        guard unsafe fstat(descriptor, &lock) == 0 else { return [] }
        // The mark first: it is to be of the process that is looked at, and not of a later one of its number.
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
