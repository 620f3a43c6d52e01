import Archives
import TensorStreams
import ToolSupport

/// The zip format of `torch.save`: `NAME/data.pkl`, and `NAME/data/KEY` for each storage, all stored without
/// compression.
///
/// The member `byteorder` must say `little` if it is present; other files are rejected.
struct TorchZip {
    let root: PickleValue
    private let memory = PickleMemory()
    private let path: String
    /// The folder of all members.
    private let folder: String
    /// The size of the file in bytes.
    let size: Int

    static func isOne(_ start: [UInt8]) -> Bool {
        start.starts(with: "PK\u{3}\u{4}".utf8) && start.indices.contains { start[$0...].starts(with: "/data.pkl".utf8) || start[$0...].starts(with: "/.data/".utf8) || start[$0...].starts(with: "/byteorder".utf8) }
    }

    /// The maximum size of the pickle. A checkpoint's pickle has some hundred bytes per tensor.
    private static let mostPickle = 256 << 20

    init(_ path: String) throws {
        do {
            try self.init(checked: path)
        } catch let failure as Failure where failure.what.contains("bad CRC") && failure.what.contains("should be 0x0") {
            throw Failure(failure.kind, path: path, "has no checksums, as torch.serialization.set_crc32_options(False) leaves them out", remedy: "save it again with checksums")
        }
    }

    private init(checked path: String) throws {
        self.path = path
        size = try FileStart.size(path)
        var members = try ZipMembers(path), pickle: (folder: String, bytes: [UInt8])?
        while let name = try members.next() {
            if name.hasSuffix("/data.pkl"), pickle == nil {
                // The pickle is stored uncompressed, so it is smaller than the file. Even in a recompressed file, the
                // tensors are larger than the pickle.
                pickle = (String(name.dropLast("data.pkl".count)), try TorchZip.bytes(members.archive, path: path, most: min(TorchZip.mostPickle, max(size, 1 << 16)), name))
            } else if name.hasSuffix("/byteorder") {
                let order = try TorchZip.bytes(members.archive, path: path, most: 16, name)
                guard order.starts(with: "little".utf8) else { throw Failure(.data, path: path, "has numbers in another byte order than this machine's") }
            }
        }
        guard let pickle else { throw Failure(.data, path: path, "is a zip archive without the data.pkl of torch.save") }
        folder = pickle.folder
        root = try Unpickler.value(PickleBytes(pickle.bytes, path: path), memory, names: TorchNames(path: path))
    }

    /// The bytes of the archive's current member.
    private static func bytes(_ archive: ArchiveFile, path: String, most: Int, _ name: String) throws -> [UInt8] {
        var bytes: [UInt8] = [], piece = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = try archive.read(into: &piece)
            bytes += piece[..<count]
            guard bytes.count <= most else { throw Failure(.data, path: path, location: "member \(name.printableLine(limit: 80))", "is larger than \(most) bytes, which is the limit") }
            if count < piece.count { return bytes }
        }
    }

    /// Passes the bytes of each requested storage to `take`.
    ///
    /// - Parameter sizes: the required size in bytes of each storage, by key.
    func read(_ sizes: [String: Int], _ take: (String, Tensor) throws -> Void) throws {
        let archive = try ArchiveFile(BytePath(path)), prefix = folder + "data/"
        var left = sizes
        while !left.isEmpty, try archive.next() {
            guard let name = archive.memberPath?.description, name.hasPrefix(prefix), let wanted = left.removeValue(forKey: String(name.dropFirst(prefix.count))) else { continue }
            // Storages are stored uncompressed, so none is larger than the file.
            guard wanted <= size else { throw Failure(.data, path: path, location: "member \(name.printableLine(limit: 80))", "would have \(wanted) bytes in a file of \(size)", remedy: "the file is truncated or damaged") }
            let storage = try unsafe Tensor(dtype: .u8, shape: [wanted]) { bytes in
                guard try unsafe archive.read(into: bytes) == wanted else {
                    throw Failure(.data, path: path, location: "member \(name.printableLine(limit: 80))", "has fewer than \(wanted) bytes", remedy: "the file is truncated or damaged")
                }
            }
            // At the end of the member, libarchive checks its size and checksum against the archive.
            var more: [UInt8] = [0]
            guard try archive.read(into: &more) == 0 else {
                throw Failure(.data, path: path, location: "member \(name.printableLine(limit: 80))", "has more than \(wanted) bytes", remedy: "the file is damaged")
            }
            try take(String(name.dropFirst(prefix.count)), storage)
        }
    }
}
