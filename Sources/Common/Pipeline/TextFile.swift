import Platform
import ToolSupport

/// Small text files that control the pipeline: lines, the last of which marks the end.
///
/// They are flushed to disk before they get their name, and a file without the end line is treated as invalid. This
/// covers power failures.
enum TextFile {
    /// Larger than the largest list of stages.
    private static let limit = 256 << 20
    /// Longer than any line.
    private static let longestLine = 1 << 20

    /// The lines of the file without the end line; nil if there is no file.
    ///
    /// - Throws: ``Failure``: `data` if the last line is not `end`; `io`.
    static func read(_ path: String, end: String) throws -> [String]? {
        guard let bytes = try bytes(path) else { return nil }
        var lines = String(decoding: bytes, as: UTF8.self).unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false).map { String($0) }
        guard lines.popLast() == "", lines.popLast() == end else { throw Failure(.data, path: path, "has no end: it was cut short") }
        return lines
    }

    /// Writes `lines` and `end`, unless the file already has this content.
    static func write(_ lines: [String], end: String, to path: String) throws {
        try write((lines + [end]).map { $0 + "\n" }.joined(), to: path)
    }

    /// Writes `text`, unless the file already has this content.
    static func write(_ text: String, to path: String) throws { try write(Array(text.utf8), to: path) }

    static func write(_ text: [UInt8], to path: String) throws {
        if let before = try? bytes(path), before == text { return }
        try unsafe OutputFile.write(text.span.bytes, to: path)
    }

    /// The bytes of a regular file; nil if there is none.
    static func bytes(_ path: String) throws -> [UInt8]? {
        var bytes: [UInt8] = []
        let isThere = try read(path) { chunk in
            bytes += chunk
            guard bytes.count <= limit else { throw Failure(.data, path: path, "is larger than \(limit >> 20) MiB, too large for such a file") }
        }
        return isThere ? bytes : nil
    }

    /// Passes the lines of the file to `body` one by one, without the end line. The file may be larger than memory.
    ///
    /// - Returns: whether the file exists.
    /// - Throws: ``Failure`` `data` if the last line is not `end`. `body` has then already received lines, which must be
    ///   discarded.
    static func forEachLine(_ path: String, end: String, _ body: (ArraySlice<UInt8>) throws -> Void) throws -> Bool {
        var rest: [UInt8] = [], last: [UInt8]?
        let isThere = try read(path) { chunk in
            var start = chunk.startIndex
            while let newline = chunk[start...].firstIndex(of: 0x0A) {
                if let last { try body(last[...]) }
                last = rest + chunk[start..<newline]
                rest.removeAll(keepingCapacity: true)
                start = newline + 1
            }
            rest += chunk[start...]
            guard rest.count <= longestLine else { throw Failure(.data, path: path, "has a line of more than \(longestLine >> 20) MiB") }
        }
        guard isThere else { return false }
        guard rest.isEmpty, let last, last == Array(end.utf8) else { throw Failure(.data, path: path, "has no end: it was cut short") }
        return true
    }

    /// Writes a line for each value of `next` until it returns nil, and then `end`. The content is never in memory as a
    /// whole.
    static func write(to path: String, end: String, next: () -> [UInt8]?) throws {
        var file = try OutputFile(path)
        var buffer: [UInt8] = []
        while let line = next() {
            buffer += line
            buffer.append(0x0A)
            guard buffer.count >= 1 << 20 else { continue }
            try unsafe file.write(buffer.span.bytes)
            buffer.removeAll(keepingCapacity: true)
        }
        buffer += Array((end + "\n").utf8)
        try unsafe file.write(buffer.span.bytes)
        try file.commit()
    }

    /// Passes the bytes of a regular file to `body` in chunks of up to 1 MiB; returns false if there is no file.
    private static func read(_ path: String, _ body: (ArraySlice<UInt8>) throws -> Void) throws -> Bool {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            if errno == ENOENT || errno == ENOTDIR { return false }
            throw Failure.errno(.noInput, path: path, "cannot open it")
        }
        defer { close(descriptor) }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { throw Failure(.noInput, path: path, "is not a regular file") }
        // Files in /proc report a size of 0.
        let chunk = max(4096, min(1 << 20, Int(status.st_size) + 1))
        guard try DescriptorBytes.forEach(descriptor, chunk: chunk, body) else { throw Failure.errno(.io, path: path, "cannot read it") }
        return true
    }

    /// Bytes as one line: a backslash, a newline and a carriage return are written `\\`, `\n`, `\r`.
    static func escaped(_ bytes: [UInt8]) -> [UInt8] {
        let special: [UInt8: UInt8] = [backslash: backslash, 0x0A: UInt8(ascii: "n"), 0x0D: UInt8(ascii: "r")]
        // Most names contain none of them.
        guard bytes.contains(where: { $0 == backslash || $0 == 0x0A || $0 == 0x0D }) else { return bytes }
        return bytes.flatMap { byte in special[byte].map { [backslash, $0] } ?? [byte] }
    }

    /// The inverse of ``escaped(_:)``.
    static func unescaped(_ line: [UInt8]) -> [UInt8] {
        guard line.contains(backslash) else { return line }
        var bytes: [UInt8] = []
        var rest = line.makeIterator()
        while let byte = rest.next() {
            guard byte == backslash else {
                bytes.append(byte)
                continue
            }
            guard let escaped = rest.next() else { break }
            bytes.append(escaped == UInt8(ascii: "n") ? 0x0A : escaped == UInt8(ascii: "r") ? 0x0D : escaped)
        }
        return bytes
    }

    static func escaped(_ text: String) -> String { String(decoding: escaped(Array(text.utf8)), as: UTF8.self) }
    static func unescaped(_ line: String) -> String { String(decoding: unescaped(Array(line.utf8)), as: UTF8.self) }

    private static let backslash = UInt8(ascii: "\\")
}
