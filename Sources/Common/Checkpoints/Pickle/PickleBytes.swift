import Platform
import ToolSupport

/// The bytes of a pickle, from memory or, piecewise, from a file that may contain more after it.
final class PickleBytes {
    let path: String
    private let file: CInt?
    private var buffer: [UInt8]
    private var next = 0
    /// The file position of the byte after the buffer, and the size of the file.
    private var filled: Int
    private let size: Int

    init(_ bytes: [UInt8], path: String) {
        (self.path, buffer, file) = (path, bytes, nil)
        (filled, size) = (bytes.count, bytes.count)
    }

    /// - Parameter file: a file of `size` bytes, open for reading; read from its beginning.
    init(file: CInt, size: Int, path: String) {
        (self.path, self.file, self.size) = (path, file, size)
        (buffer, filled) = ([], 0)
    }

    /// The file position of the next byte.
    var position: Int { filled - (buffer.count - next) }
    var remaining: Int { size - position }

    func failure(_ what: String, remedy: String? = "the file is damaged, or of another kind") -> Failure {
        Failure(.data, path: path, offset: position, what, remedy: remedy)
    }

    private var cutOff: Failure { failure("the pickle ends too early", remedy: "the file is truncated; copy or download it again") }

    func byte() throws -> UInt8 {
        if next == buffer.count { try fill() }
        defer { next += 1 }
        return buffer[next]
    }

    /// The next `count` bytes. A count beyond the end of the file is rejected before memory is allocated.
    func bytes(_ count: Int) throws -> [UInt8] {
        guard count >= 0, count <= remaining else { throw cutOff }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        while bytes.count < count {
            if next == buffer.count { try fill() }
            let piece = min(count - bytes.count, buffer.count - next)
            bytes += buffer[next..<next + piece]
            next += piece
        }
        return bytes
    }

    /// Fills `target` with the next bytes. Bytes that are not buffered yet are read from the file directly.
    func read(into target: UnsafeMutableRawBufferPointer) throws {
        guard target.count <= remaining else { throw cutOff }
        var done = min(target.count, buffer.count - next)
        unsafe UnsafeMutableRawBufferPointer(rebasing: target[..<done]).copyBytes(from: buffer[next..<next + done])
        next += done
        while done < target.count {
            guard let file else { throw cutOff }
            let count = unsafe pread(file, target.baseAddress?.advanced(by: done), target.count - done, off_t(filled))
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Failure.errno(.io, path: path, "cannot read") }
            guard count > 0 else { throw cutOff }
            (done, filled) = (done + count, filled + count)
        }
    }

    /// Skips `count` bytes without reading those beyond the buffer.
    func skip(_ count: Int) throws {
        guard count >= 0, count <= remaining else { throw cutOff }
        let piece = min(count, buffer.count - next)
        next += piece
        filled += count - piece
    }

    /// An unsigned little-endian number of `count` bytes.
    func unsigned(_ count: Int) throws -> UInt64 { try bytes(count).reversed().reduce(0) { $0 << 8 | UInt64($1) } }

    /// The bytes up to the end of the line, without the newline.
    func line() throws -> [UInt8] {
        var bytes: [UInt8] = []
        while true {
            let byte = try byte()
            if byte == 0x0A { return bytes }
            bytes.append(byte)
            guard bytes.count <= 1 << 16 else { throw failure("a line of the pickle is longer than 65536 bytes") }
        }
    }

    private func fill() throws {
        guard let file, filled < size else { throw cutOff }
        buffer = [UInt8](repeating: 0, count: min(1 << 16, size - filled))
        let count = unsafe buffer.withUnsafeMutableBytes { bytes in
            var count = 0
            repeat { count = unsafe pread(file, bytes.baseAddress, bytes.count, off_t(filled)) } while count < 0 && errno == EINTR
            return count
        }
        guard count >= 0 else { throw Failure.errno(.io, path: path, "cannot read") }
        guard count > 0 else { throw cutOff }
        buffer.removeLast(buffer.count - count)
        (next, filled) = (0, filled + count)
    }
}
