import ToolSupport

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Small text files that decide what is done: lines, the last of which says that it is the last.
///
/// They are flushed before they get their name, and one without its last line is taken for none at all: whatever a power cut left.
enum TextFile {
    /// More than the largest list of stages has.
    private static let limit = 256 << 20

    /// The lines of the file without its last; nil where there is no file.
    ///
    /// - Throws: ``Failure`` `data` where the last line is not `end`; `io`.
    static func read(_ path: String, end: String) throws -> [String]? {
        guard let bytes = try bytes(path) else { return nil }
        var lines = String(decoding: bytes, as: UTF8.self).unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false).map { String($0) }
        guard lines.popLast() == "", lines.popLast() == end else { throw Failure(.data, path: path, "has no end: it was cut short") }
        return lines
    }

    /// Writes `lines` and `end`, unless the file holds just that.
    static func write(_ lines: [String], end: String, to path: String) throws {
        try write((lines + [end]).map { $0 + "\n" }.joined(), to: path)
    }

    /// Writes `text`, unless the file holds just that.
    static func write(_ text: String, to path: String) throws {
        if let before = try? bytes(path), before == Array(text.utf8) { return }
        var file = try OutputFile(path)
        try file.write(text)
        try file.commit()
    }

    /// The bytes of a regular file; nil where there is none.
    static func bytes(_ path: String) throws -> [UInt8]? {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw Failure.errno(.noInput, path: path, "cannot open it")
        }
        defer { close(descriptor) }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { throw Failure(.noInput, path: path, "is no regular file") }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = unsafe Glibc.read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Failure.errno(.io, path: path, "cannot read it") }
            guard count > 0 else { return bytes }
            bytes += chunk[..<count]
            guard bytes.count <= limit else { throw Failure(.data, path: path, "is larger than \(limit >> 20) MiB, which no such file is") }
        }
    }

    /// `text` as one line: a backslash, a newline and a carriage return are written `\\`, `\n`, `\r`.
    static func escaped(_ text: String) -> String {
        var line = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": line += "\\\\".unicodeScalars
            case "\n": line += "\\n".unicodeScalars
            case "\r": line += "\\r".unicodeScalars
            default: line.append(scalar)
            }
        }
        return String(line)
    }

    /// What ``escaped(_:)`` was given.
    static func unescaped(_ line: some StringProtocol) -> String {
        var text = String.UnicodeScalarView()
        var scalars = line.unicodeScalars.makeIterator()
        while let scalar = scalars.next() {
            guard scalar == "\\" else {
                text.append(scalar)
                continue
            }
            switch scalars.next() {
            case "n": text.append("\n")
            case "r": text.append("\r")
            case let other: if let other { text.append(other) }
            }
        }
        return String(text)
    }
}
