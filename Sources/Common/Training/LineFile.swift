import Platform
import ToolSupport

/// A text file that can be read while it grows.
///
/// The old contents stay until there is a new line, and new lines are only appended. Thus a run left over from a
/// killed make may still write to the same log, and readers always see whole lines.
final class LineFile {
    private let descriptor: CInt
    private let path: String
    private var isNew = true
    /// The number of bytes in the lines that stay.
    private let kept: Int

    /// - Parameter isKept: whether an existing line stays. The first line for which it is false and all lines after
    ///   it are removed. Nil removes all lines.
    init(_ path: String, keeping isKept: (([UInt8]) -> Bool)? = nil) throws {
        self.path = path
        kept = isKept.map { LineFile.length(path, $0) } ?? 0
        descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw Failure.errno(.cannotCreate, path: path, "cannot create it") }
    }

    /// The length in bytes of the leading lines for which `isKept` holds; 0 where the file cannot be read.
    private static func length(_ path: String, _ isKept: ([UInt8]) -> Bool) -> Int {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return 0 }
        defer { Platform.close(descriptor) }
        // A pipe has no lines to keep.
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return 0 }
        var line: [UInt8] = [], kept = 0, isOver = false
        let isRead = DescriptorBytes.forEach(descriptor, chunk: 1 << 16) { chunk in
            for byte in chunk where !isOver {
                guard byte == UInt8(ascii: "\n") else {
                    line.append(byte)
                    continue
                }
                isOver = !isKept(line)
                if !isOver { kept += line.count + 1 }
                line = []
            }
        }
        return isRead ? kept : 0
    }

    func write(_ line: String) throws {
        if isNew { ftruncate(descriptor, off_t(kept)) }  // A device cannot be truncated.
        isNew = false
        let bytes = Array((line + "\n").utf8)
        guard unsafe DescriptorBytes.write(bytes.span.bytes, to: descriptor) else { throw Failure.errno(.io, path: path, "cannot write") }
    }

    deinit { close(descriptor) }
}
