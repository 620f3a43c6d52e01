import Platform
import ToolSupport

/// The bytes of a file, a pipe or a terminal, in order.
///
/// It calls `read` only when its buffer is empty, and takes what is available. So it never waits for more bytes than
/// the caller needs, which would deadlock two programs that answer each other.
@safe final class ByteSource {
    /// The size of a read: a quarter of a widened pipe, half of a core's second-level cache.
    private static let chunk = 256 << 10

    let name: String
    /// The position of the next byte, counted from the first that was read.
    private(set) var position = 0
    /// The size of a regular file that is read from its start.
    let size: Int?
    private let descriptor: CInt
    private let ownsDescriptor: Bool
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: ByteSource.chunk, alignment: 64)
    private var start = 0
    private var end = 0

    /// Opens `path`; `-` is standard input.
    convenience init(_ path: String) throws {
        if path == OutputFile.standard {
            try self.init(descriptor: STDIN_FILENO, name: "standard input", owned: false)
            return
        }
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Failure.errno(.noInput, path: path, "cannot open it") }
        try self.init(descriptor: descriptor, name: path, owned: true)
    }

    init(descriptor: CInt, name: String, owned: Bool) throws {
        self.name = name
        self.descriptor = descriptor
        ownsDescriptor = owned
        var status = stat()
        let known = unsafe fstat(descriptor, &status) == 0
        let type = status.st_mode & S_IFMT
        size = known && type == S_IFREG && lseek(descriptor, 0, SEEK_CUR) == 0 ? Int(status.st_size) : nil
        if known, type == S_IFDIR { throw Failure(.noInput, path: name, "is a folder", remedy: "name a file in it") }
        if known, type == S_IFIFO { widenPipe(descriptor) }
    }

    deinit {
        unsafe buffer.deallocate()
        if ownsDescriptor { close(descriptor) }
    }

    /// The number of buffered bytes.
    var available: Int { end - start }

    /// The buffered bytes: read, but not yet taken.
    var atHand: UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[start..<end])
    }

    /// The buffered bytes; waits until there is at least one, or the end is reached.
    func bytes() throws -> UnsafeRawBufferPointer {
        if start == end { _ = try fill() }
        return unsafe atHand
    }

    /// Whether the end is reached. Waits where that is not known yet.
    func isAtEnd() throws -> Bool { try start == end && !fill() }

    /// The next `count` bytes without taking them, or as many as there are.
    func peek(_ count: Int) throws -> [UInt8] {
        while available < count, try fill() {}
        return unsafe Array(UnsafeRawBufferPointer(buffer)[start..<min(end, start + count)])
    }

    func skip(_ count: Int) {
        precondition(count <= available)
        start += count
        position += count
    }

    /// Fills `target`, or as much of it as there are bytes, and returns the number of bytes.
    func read(into target: UnsafeMutableRawBufferPointer) throws -> Int {
        var done = min(available, target.count)
        if done > 0 {
            unsafe target.copyMemory(from: UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[start..<start + done]))
            skip(done)
        }
        while done < target.count {
            let count = try unsafe ask(UnsafeMutableRawBufferPointer(rebasing: target[done...]))
            if count == 0 { break }
            done += count
            position += count
        }
        return done
    }

    /// Seeks to `offset` of a regular file.
    func seek(to offset: Int) throws {
        guard lseek(descriptor, offset, SEEK_SET) == offset else { throw Failure.errno(.io, path: name, "cannot seek") }
        (start, end, position) = (0, 0, offset)
    }

    /// The bytes of `range` of a regular file; the position does not change.
    func bytes(of range: Range<Int>) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: range.count)
        var done = 0
        while done < range.count {
            let count = unsafe bytes.withUnsafeMutableBytes { unsafe pread(descriptor, $0.baseAddress! + done, range.count - done, range.lowerBound + done) }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Failure.errno(.io, path: name, "cannot read") }
            guard count > 0 else { throw Failure(.data, path: name, offset: range.lowerBound + done, "the file became shorter while it was read") }
            done += count
        }
        return bytes
    }

    /// Reads available bytes into the buffer; false at the end.
    private func fill() throws -> Bool {
        if start == end { (start, end) = (0, 0) }
        if unsafe start > 0 && end == buffer.count {
            unsafe buffer.baseAddress?.copyMemory(from: buffer.baseAddress! + start, byteCount: end - start)
            (start, end) = (0, end - start)
        }
        let count = try unsafe ask(UnsafeMutableRawBufferPointer(rebasing: buffer[end...]))
        end += count
        return count > 0
    }

    private func ask(_ target: UnsafeMutableRawBufferPointer) throws -> Int {
        while true {
            let count = unsafe Platform.read(descriptor, target.baseAddress, target.count)
            if count >= 0 { return count }
            guard errno == EINTR || mayGoOn(descriptor, POLLIN) else { throw Failure.errno(.io, path: name, "cannot read") }
        }
    }
}
