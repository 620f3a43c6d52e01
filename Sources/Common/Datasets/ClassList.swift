import Archives
import ToolSupport

/// A file with class names, one per line.
public enum ClassList {
    /// - Throws: a ``Failure`` when the file cannot be read.
    public static func read(_ path: String) throws -> [String] {
        try SmallFile.bytes(path, limit: 16 << 20, of: "a list of classes").split { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }.map { BytePath.text($0) }
    }
}
