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

    init(_ path: String) throws {
        self.path = path
        descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw Failure.errno(.cannotCreate, path: path, "cannot create it") }
    }

    func write(_ line: String) throws {
        if isNew { ftruncate(descriptor, 0) }  // A device has no length to cut.
        isNew = false
        let bytes = Array((line + "\n").utf8)
        guard unsafe DescriptorBytes.write(bytes.span.bytes, to: descriptor) else { throw Failure.errno(.io, path: path, "cannot write") }
    }

    deinit { close(descriptor) }
}
