import Platform
import ToolSupport

/// A file that is open for reading at any offset.
@safe public final class SourceFile: Sendable {
    private let path: BytePath
    private let descriptor: CInt

    /// - Throws: a ``Failure``: `noInput` when it cannot be opened, `data` when it is not a regular file.
    public init(_ path: BytePath) throws {
        self.path = path
        // Non-blocking, because opening a named pipe would wait for its writer.
        descriptor = unsafe path.withCString { unsafe open($0, O_RDONLY | O_CLOEXEC | O_NONBLOCK) }
        guard descriptor >= 0 else { throw Failure.errno(.noInput, path: path.description, "cannot open it") }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw Failure.errno(.io, path: path.description, "cannot access it") }
        guard status.st_mode.isFile else { throw Failure(.data, path: path.description, "is \(status.st_mode.kind), not a file") }
    }

    deinit { close(descriptor) }

    /// Reads bytes from `offset` on into `buffer` until it is full or the file ends, and returns their number.
    public func read(_ buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws -> Int {
        var done = 0
        while done < buffer.count {
            let got = unsafe pread(descriptor, buffer.baseAddress?.advanced(by: done), buffer.count - done, off_t(offset + done))
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else { throw Failure.errno(.io, path: path.description, "cannot read") }
            if got == 0 { break }
            done += got
        }
        return done
    }

    /// Fills `buffer` with the bytes from `offset` on.
    public func readAll(_ buffer: inout [UInt8], at offset: Int, location: String) throws {
        let count = try unsafe buffer.withUnsafeMutableBytes { unsafe try read($0, at: offset) }
        guard count == buffer.count else {
            throw Failure(.data, path: path.description, location: location, "ends early", remedy: "the file has become shorter since it was scanned")
        }
    }
}
