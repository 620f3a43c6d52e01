import Platform
import TensorStreams
import ToolSupport

/// The format of `torch.save` before PyTorch 1.6 (`torch/serialization.py`, `_legacy_save`).
///
/// The file consists of a magic number, the protocol version, the sizes of the machine's numbers and the value, each
/// as a pickle. A pickle with the list of storage keys follows, then for each storage its number of elements (8
/// bytes) and the elements.
struct TorchLegacy {
    let root: PickleValue
    private let memory = PickleMemory()
    private let path: String
    private let keys: [String]
    private let storages: TorchNames.Storages
    /// The position of the first storage.
    private let start: Int
    private let file: OpenFile
    /// The size of the file in bytes.
    var size: Int { file.size }

    /// The magic number 0x1950a86a20f9469cfc6c, as it appears in a pickle of protocol 2, or after the start of a
    /// pickle of another protocol.
    private static let magic: [UInt8] = [0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19]

    static func isOne(_ start: [UInt8]) -> Bool {
        start.first == 0x80 && start.prefix(32).indices.contains { start[$0...].starts(with: magic) }
    }

    /// An open file, closed when it is no longer used.
    private final class OpenFile {
        let descriptor: CInt
        let size: Int
        init(_ path: String) throws {
            descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 else { throw Failure.errno(.noInput, path: path, "cannot open it") }
            var status = stat()
            guard unsafe fstat(descriptor, &status) == 0 else { throw Failure.errno(.io, path: path, "cannot look at it") }
            size = Int(status.st_size)
        }
        deinit { close(descriptor) }
    }

    init(_ path: String) throws {
        self.path = path
        file = try OpenFile(path)
        let bytes = PickleBytes(file: file.descriptor, size: file.size, path: path), names = TorchNames(path: path)
        // The magic number exceeds the machine's integers. Its bytes have been compared already.
        _ = try Unpickler.value(bytes, memory, names: names)
        guard try Unpickler.value(bytes, memory, names: names).int == 1001 else { throw bytes.failure("is of another version than 1001 of torch.save's older format") }
        guard case .dictionary(let machine) = try Unpickler.value(bytes, memory, names: names) else { throw bytes.failure("does not say what kind of machine wrote it") }
        for (key, value) in machine.entries where key.string == "little_endian" && value.int == 0 {
            throw bytes.failure("has numbers in another byte order than this machine's", remedy: nil)
        }
        root = try Unpickler.value(bytes, memory, names: names)
        guard let keys = try Unpickler.value(bytes, memory, names: names).elements else { throw bytes.failure("has no list of storages") }
        self.keys = try keys.map { key in
            guard let text = key.string ?? key.int.map(String.init) else { throw bytes.failure("has a storage without a key") }
            return text
        }
        storages = names.storages
        guard Set(self.keys).count == keys.count else { throw bytes.failure("lists a storage twice") }
        start = bytes.position
    }

    /// Passes the bytes of each requested storage to `take`.
    ///
    /// - Parameter wanted: the minimum size in bytes of each storage, by key.
    func read(_ wanted: [String: Int], _ take: (String, Tensor) throws -> Void) throws {
        let bytes = PickleBytes(file: file.descriptor, size: file.size, path: path), sizes = storages.elementSizes
        try bytes.skip(start)
        for key in keys {
            let count = Int(clamping: try bytes.unsigned(8))
            guard let size = sizes[key], count <= bytes.remaining / size else {
                throw bytes.failure("storage \(key.printableLine(limit: 40)) would have \(count) elements", remedy: "the file is truncated or damaged")
            }
            guard let most = wanted[key] else {
                try bytes.skip(count * size)
                continue
            }
            guard most <= count * size else { throw bytes.failure("storage \(key.printableLine(limit: 40)) has \(count) elements where its tensors need \(most / size)") }
            try take(key, unsafe Tensor(dtype: .u8, shape: [count * size]) { try unsafe bytes.read(into: $0) })
        }
    }
}
