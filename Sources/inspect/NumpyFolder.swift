import Platform
import TensorStreams
import ToolSupport

/// A folder of NumPy files, one per tensor: `NAME.npy`, or `NAME.RECORD.npy` for a stream.
///
/// Tensor names may contain any characters. Those that are unsafe in file names are percent-encoded, as `%2F`. Names
/// that differ only in case are the same name on some file systems, so the later ones get a number: `A.npy`, `a~2.npy`.
struct NumpyFolder: ~Copyable {
    private let path: String
    /// File names for the tensors of the current document.
    private var names: [String: String] = [:]
    private var file: OutputFile?

    /// Creates the folder if it does not exist.
    init(_ path: String) throws {
        guard unsafe mkdir(path, 0o777) == 0 || errno == EEXIST else { throw Failure.errno(.cannotCreate, path: path, "cannot create the folder") }
        self.path = path
    }

    /// Begins a document of which the named tensors will be written. `record` is its number in a stream.
    mutating func begin(_ tensors: [String], record: Int?) {
        let number = record.map { "." + String(repeating: "0", count: max(0, 6 - "\($0)".count)) + "\($0)" } ?? ""
        names = NumpyFolder.fileNames(tensors).mapValues { "\($0)\(number).npy" }
    }

    /// Writes a piece of a tensor. The first piece creates the file, and the last one completes it.
    mutating func take(_ piece: Tensor, of tensor: TensorOutline, first: Int) throws {
        guard let name = names[tensor.name] else { return }
        let piece = piece.dtype == .bf16 ? try piece.converted(to: .f32) : piece
        guard let header = NumpyFile.header(dtype: piece.dtype, shape: tensor.shape) else { return }
        var output = try first == 0 ? OutputFile("\(path)/\(name)") : file.take()
        if first == 0 { try unsafe output?.write(header.span.bytes) }
        try unsafe piece.withBytes { try unsafe output?.write($0.bytes) }
        if first + piece.count == tensor.count { try output.take()?.commit() } else { file = output.take() }
    }

    /// A unique file name for each tensor.
    static func fileNames(_ tensors: [String]) -> [String: String] {
        var names: [String: String] = [:]
        var used: [String: Int] = [:]
        for tensor in Set(tensors).sorted() {
            let name = safe(tensor)
            let count = used[name.lowercased(), default: 0] + 1
            used[name.lowercased()] = count
            // `safe` escapes every `~` of a name; it only adds one itself, before the hash of a long name.
            names[tensor] = count == 1 ? name : "\(name)~\(count)"
        }
        return names
    }

    /// A file name for a tensor. The name comes from the input file: it must not lead out of the folder, be hidden, or
    /// be too long.
    private static func safe(_ name: String) -> String {
        var safe = ""
        for scalar in name.unicodeScalars {
            if "/%~\\:*?\"<>|".unicodeScalars.contains(scalar) || !scalar.isPrintable || safe.isEmpty && scalar == "." {
                for byte in String(scalar).utf8 { safe += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true) }
            } else {
                safe.unicodeScalars.append(scalar)
            }
        }
        if safe.isEmpty { return "%" }
        guard safe.utf8.count > 180 else { return safe }
        return String(String.UnicodeScalarView(safe.unicodeScalars.prefix(40))) + "~" + XXH64.text(of: name)
    }
}
