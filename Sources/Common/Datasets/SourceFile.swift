import ToolSupport

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A file open for reading at any place.
struct SourceFile: ~Copyable {
    private let path: String
    private let descriptor: CInt

    init(_ path: String) throws {
        self.path = path
        descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Failure.errno(.noInput, path: path, "cannot open it") }
    }

    deinit { close(descriptor) }

    /// Its length in bytes; an error for what is not a file.
    func size() throws -> Int {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw Failure.errno(.io, path: path, "cannot look at it") }
        guard status.st_mode.isFile else { throw Failure(.data, path: path, "is not a regular file") }
        return Int(status.st_size)
    }

    /// Reads `count` bytes at `offset` to the beginning of `buffer`, which has room for them.
    func read(_ buffer: inout [UInt8], count: Int, at offset: Int, place: String) throws {
        precondition(count <= buffer.count)
        try unsafe buffer.withUnsafeMutableBytes { bytes in
            var done = 0
            while done < count {
                let got = unsafe pread(descriptor, bytes.baseAddress?.advanced(by: done), count - done, off_t(offset + done))
                if got < 0, errno == EINTR { continue }
                guard got >= 0 else { throw Failure.errno(.io, path: path, "cannot read") }
                guard got > 0 else { throw Failure(.data, path: path, place: place, "ends early", remedy: "the file has become shorter since it was first looked at") }
                done += got
            }
        }
    }
}
