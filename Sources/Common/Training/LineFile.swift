import Platform
import ToolSupport

/// A text file that can be read while it grows.
///
/// What was in it stays until there is something new, and lines only come behind others: a run that was left behind when its make was
/// killed may still write the same log, and whoever reads it finds whole lines.
final class LineFile {
    private let descriptor: CInt
    private let path: String
    private var isNew = true
    /// Bytes of the lines that stay.
    private let kept: Int

    /// - Parameter isKept: whether a line that is there stays; the first that does not, and all behind it, go. Nil where none stays.
    init(_ path: String, keeping isKept: (([UInt8]) -> Bool)? = nil) throws {
        self.path = path
        kept = isKept.map { LineFile.length(path, $0) } ?? 0
        descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw Failure.errno(.cannotCreate, path: path, "cannot create it") }
    }

    /// Bytes of the first lines for which `isKept` holds; 0 where the file cannot be read.
    private static func length(_ path: String, _ isKept: ([UInt8]) -> Bool) -> Int {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return 0 }
        defer { Platform.close(descriptor) }
        // A pipe to somebody has no lines that stay.
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
        if isNew { ftruncate(descriptor, off_t(kept)) }  // A device has no length to cut.
        isNew = false
        let bytes = Array((line + "\n").utf8)
        guard unsafe DescriptorBytes.write(bytes.span.bytes, to: descriptor) else { throw Failure.errno(.io, path: path, "cannot write") }
    }

    deinit { close(descriptor) }
}
