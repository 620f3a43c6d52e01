import Archives
import Platform
import ToolSupport

/// Inspects a file before it is opened for reading.
enum FileStart {
    /// The first bytes of a regular file; nil for other files, which can be read only once, from the beginning.
    static func bytes(_ path: String) throws -> [UInt8]? {
        var status = stat()
        guard unsafe stat(path, &status) == 0, status.st_mode.isFile else { return nil }
        var start = [UInt8](repeating: 0, count: FileKind.prefix)
        let file = try SourceFile(BytePath(path)), count = try unsafe start.withUnsafeMutableBytes { unsafe try file.read($0, at: 0) }
        return Array(start[..<count])
    }

    static func size(_ path: String) throws -> Int {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { throw Failure.errno(.noInput, path: path, "cannot look at it") }
        return Int(status.st_size)
    }
}
