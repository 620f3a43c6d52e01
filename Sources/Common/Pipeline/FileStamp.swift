import Archives
import Datasets
import Platform
import TensorStreams
import ToolSupport

/// The metadata of a file that changes whenever its bytes may have changed: size, mtime, ctime, inode.
struct FileStamp: Equatable {
    let size: Int
    /// Whether any write after this stamp was taken changes a later stamp. The clock for file times advances in steps,
    /// so two writes in quick succession may get the same times. The value is fixed when the stamp is taken, because a
    /// write in the same step may follow immediately.
    let isSettled: Bool
    private let modified: Time
    /// The time of the last inode change (ctime). Only the system sets it.
    private let changed: Time
    private let inode: UInt64

    private struct Time: Equatable {
        let seconds: Int
        let nanoseconds: Int

        init(_ time: timespec) { (seconds, nanoseconds) = (Int(time.tv_sec), Int(time.tv_nsec)) }
        var text: String { "\(seconds).\(nanoseconds)" }
    }

    /// Nil if there is no regular file at `path`.
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

    /// `size mtime ctime inode`, with times as seconds, a dot, and nanoseconds.
    var text: String { "\(size) \(modified.text) \(changed.text) \(inode)" }

    /// A hash of the stamp in eight bytes, for lists of a million files.
    var mark: UInt64 {
        var hash = XXH64()
        let words = [size, modified.seconds, modified.nanoseconds, changed.seconds, changed.nanoseconds, Int(truncatingIfNeeded: inode)]
        unsafe words.withUnsafeBytes { unsafe hash.update($0) }
        return hash.value
    }

    /// Whether the file is unchanged, regardless of when the stamps were taken.
    static func == (a: FileStamp, b: FileStamp) -> Bool {
        a.size == b.size && a.inode == b.inode && a.modified == b.modified && a.changed == b.changed
    }
}
