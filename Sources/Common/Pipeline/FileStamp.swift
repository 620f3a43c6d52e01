import TensorStreams
import ToolSupport

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// What the system tells of a file that changes whenever its bytes may have: size, times of its bytes and of its entry, inode.
struct FileStamp: Equatable {
    /// `size mtime ctime inode`, times as seconds, a dot, nanoseconds.
    let text: String
    /// When its entry changed last, in seconds since 1970. The system alone sets that time.
    private let changed: Int
    let size: Int

    /// Nil where there is no regular file at `path`.
    init?(_ path: String) {
        var status = stat()
        guard unsafe stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        func words(_ time: timespec) -> String { "\(time.tv_sec).\(time.tv_nsec)" }
        size = Int(status.st_size)
        text = "\(size) \(words(status.st_mtim)) \(words(status.st_ctim)) \(status.st_ino)"
        changed = status.st_ctim.tv_sec
    }

    /// Whether a write from now on must show in the stamp. The system's clock for files goes in steps, so a write right after another may leave the
    /// times as they are.
    var isSettled: Bool { changed < time(nil) - 2 }
}

extension XXH64 {
    /// The hash of the bytes of the file at `path`.
    static func ofFile(_ path: String) throws -> String {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw Failure.errno(.noInput, path: path, "cannot open it") }
        defer { close(descriptor) }
        var hash = XXH64()
        var chunk = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            let count = unsafe Glibc.read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Failure.errno(.io, path: path, "cannot read it") }
            guard count > 0 else { return hash.text }
            unsafe chunk.withUnsafeBytes { unsafe hash.update(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
        }
    }

    /// The hash of `words`, each with its length, so that no two lists have one text.
    static func of(_ words: [String]) -> String {
        var hash = XXH64()
        for word in words {
            var text = "\(word.utf8.count):\(word);"
            text.withUTF8 { unsafe hash.update(UnsafeRawBufferPointer($0)) }
        }
        return hash.text
    }
}
