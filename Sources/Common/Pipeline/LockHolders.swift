#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The processes that hold a run's lock, found by what they have open.
enum LockHolders {
    struct Process {
        let id: pid_t
        let name: String
    }

    /// Tells a process from all others, also from a later one of its number: the number and when it was started; empty where there is none.
    static func mark(of process: pid_t) -> String {
        // PID (NAME) STATE …; the twentieth word behind the name.
        guard let bytes = try? TextFile.bytes("/proc/\(process)/stat"), let end = bytes.lastIndex(of: UInt8(ascii: ")")) else { return "" }
        let words = bytes[bytes.index(after: end)...].split(separator: UInt8(ascii: " "))
        // A zombie works on nothing.
        guard words.count > 19, words[0].first != UInt8(ascii: "Z") else { return "" }
        return "\(process) \(String(decoding: words[19], as: UTF8.self))"
    }

    /// Those that have the file behind `descriptor` open, this process left out, if the make that took the lock has ended; nil where it has not or that
    /// cannot be told.
    static func leftBehind(by descriptor: CInt) -> [Process]? {
        var lock = stat()
        guard unsafe fstat(descriptor, &lock) == 0 else { return nil }
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = unsafe pread(descriptor, &bytes, bytes.count, 0)
        let owner = String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
        guard let id = owner.split(separator: " ").first.flatMap({ pid_t($0) }), mark(of: id) != owner else { return nil }
        var holders: [Process] = []
        for id in FolderNames.all(in: "/proc").compactMap({ pid_t($0) }) where id != getpid() {
            for number in FolderNames.all(in: "/proc/\(id)/fd") {
                var status = stat()
                guard unsafe stat("/proc/\(id)/fd/\(number)", &status) == 0, status.st_ino == lock.st_ino, status.st_dev == lock.st_dev else { continue }
                let bytes = (try? TextFile.bytes("/proc/\(id)/comm")) ?? []
                holders.append(Process(id: id, name: String(decoding: bytes.prefix { $0 != 0x0A }, as: UTF8.self)))
                break
            }
        }
        // Another plan waits as this one does.
        return holders.filter { $0.name != "plan" }
    }
}
