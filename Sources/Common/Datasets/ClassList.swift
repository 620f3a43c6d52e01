import ToolSupport

/// A file with names of classes, one a line.
public enum ClassList {
    private static let limit = 16 << 20

    /// - Throws: a ``Failure`` when the file cannot be read.
    public static func read(_ path: String) throws -> [String] {
        let file = try SourceFile(BytePath(path))
        var bytes: [UInt8] = [], piece = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = try unsafe piece.withUnsafeMutableBytes { unsafe try file.read($0, at: bytes.count) }
            bytes += piece[..<count]
            guard bytes.count <= limit else { throw Failure(.data, path: path, "is larger than \(limit >> 20) MiB, which no list of classes is") }
            if count < piece.count { break }
        }
        return bytes.split { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }.map { BytePath.text($0) }
    }
}
