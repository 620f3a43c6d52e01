import TensorStreams
import ToolSupport

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A folder that tensors are written into, each as a NumPy file: `NAME.npy`, or `NAME.RECORD.npy` of a stream.
struct NumpyFolder {
    private let path: String

    /// Creates the folder where it is missing.
    init(_ path: String) throws {
        guard unsafe mkdir(path, 0o777) == 0 || errno == EEXIST else { throw Failure.errno(.cannotCreate, path: path, "cannot create the folder") }
        self.path = path
    }

    /// Writes the tensors named `only`, or all.
    func write(_ document: TensorDocument, only: [String], record: Int?) throws {
        for name in only.isEmpty ? document.names : only {
            guard let tensor = document.tensors[name] else { continue }
            let array = tensor.dtype == .bf16 ? try tensor.converted(to: .f32) : tensor
            guard let header = NumpyFile.header(of: array) else { continue }
            let number = record.map { "." + String(repeating: "0", count: max(0, 6 - "\($0)".count)) + "\($0)" } ?? ""
            var file = try OutputFile("\(path)/\(NumpyFolder.safe(name))\(number).npy")
            try unsafe file.write(header.span.bytes)
            try unsafe array.withBytes { try unsafe file.write($0.bytes) }
            try file.commit()
        }
    }

    /// A tensor's name comes from the file: it must not lead out of the folder.
    private static func safe(_ name: String) -> String {
        let name = String(String.UnicodeScalarView(name.unicodeScalars.map { $0 == "/" || $0.value < 0x20 ? "_" : $0 }))
        return name.isEmpty || name.hasPrefix(".") ? "_" + name : name
    }
}
