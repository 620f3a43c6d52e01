import Archives
import Datasets
import Platform
import TensorStreams
import ToolSupport

/// What the system tells of a file that changes whenever its bytes may have: size, times of its bytes and of its entry, inode.
struct FileStamp: Equatable {
    let size: Int
    /// Whether a write after this stamp was taken must show in a later one. The system's clock for files goes in steps, so a write right after another
    /// may leave the times as they are. It is decided when the stamp is taken: a write in the same step may come as soon as that.
    let isSettled: Bool
    private let modified: Time
    /// When its entry changed last. The system alone sets that time.
    private let changed: Time
    private let inode: UInt64

    private struct Time: Equatable {
        let seconds: Int
        let nanoseconds: Int

        init(_ time: timespec) { (seconds, nanoseconds) = (Int(time.tv_sec), Int(time.tv_nsec)) }
        var text: String { "\(seconds).\(nanoseconds)" }
    }

    /// Nil where there is no regular file at `path`.
    init?(_ path: String) { self.init(BytePath(path)) }

    init?(_ path: BytePath) {
        let now = time(nil)
        var status = stat()
        guard unsafe path.withCString({ unsafe stat($0, &status) }) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        size = Int(status.st_size)
        modified = Time(status.st_mtim)
        changed = Time(status.st_ctim)
        inode = UInt64(status.st_ino)
        isSettled = changed.seconds < now - 2
    }

    /// `size mtime ctime inode`, times as seconds, a dot, nanoseconds.
    var text: String { "\(size) \(modified.text) \(changed.text) \(inode)" }

    /// The stamp in eight bytes, for lists of a million files.
    var mark: UInt64 {
        var hash = XXH64()
        let words = [size, modified.seconds, modified.nanoseconds, changed.seconds, changed.nanoseconds, Int(truncatingIfNeeded: inode)]
        unsafe words.withUnsafeBytes { unsafe hash.update($0) }
        return hash.value
    }

    /// Whether the file is as it was, whenever the stamps were taken.
    static func == (a: FileStamp, b: FileStamp) -> Bool {
        a.size == b.size && a.inode == b.inode && a.modified == b.modified && a.changed == b.changed
    }
}
