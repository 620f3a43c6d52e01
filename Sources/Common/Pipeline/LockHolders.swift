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

    /// Those that have the file behind `descriptor` open, this process left out, if no make is among them; nil where that cannot be told.
    static func leftBehind(by descriptor: CInt) -> [Process]? {
        var lock = stat()
        guard unsafe fstat(descriptor, &lock) == 0 else { return nil }
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
        return holders.contains { ["make", "gmake", "plan"].contains($0.name) } ? nil : holders
    }
}
