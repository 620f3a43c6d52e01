import Archives
import TensorStreams
import ToolSupport

/// The zip that `torch.save` writes: `NAME/data.pkl`, and `NAME/data/KEY` for each storage, all stored without compression.
///
/// `byteorder` beside them says `little`; where it says `big` the file is refused.
struct TorchZip {
    let root: PickleValue
    private let memory = PickleMemory()
    private let path: String
    /// The folder in which all of it lies.
    private let folder: String
    /// Bytes of the file.
    let size: Int

    static func isOne(_ start: [UInt8]) -> Bool {
        start.starts(with: "PK\u{3}\u{4}".utf8) && start.indices.contains { start[$0...].starts(with: "/data.pkl".utf8) || start[$0...].starts(with: "/.data/".utf8) || start[$0...].starts(with: "/byteorder".utf8) }
    }

    /// A pickle of a checkpoint is some hundred bytes a tensor.
    private static let mostPickle = 256 << 20

    init(_ path: String) throws {
        do {
            try self.init(checked: path)
        } catch let failure as Failure where failure.what.contains("bad CRC") && failure.what.contains("should be 0x0") {
            throw Failure(failure.kind, path: path, "has no checksums, as torch.serialization.set_crc32_options(False) leaves them out", remedy: "save it once more with them")
        }
    }

    private init(checked path: String) throws {
        self.path = path
        size = try FileStart.size(path)
        var members = try ZipMembers(path), pickle: (folder: String, bytes: [UInt8])?
        while let name = try members.next() {
            if name.hasSuffix("/data.pkl"), pickle == nil {
                // Stored as it is, so it is shorter than the file; of one that somebody has compressed again its tensors are larger than it.
                pickle = (String(name.dropLast("data.pkl".count)), try TorchZip.bytes(members.archive, path: path, most: min(TorchZip.mostPickle, max(size, 1 << 16)), name))
            } else if name.hasSuffix("/byteorder") {
                let order = try TorchZip.bytes(members.archive, path: path, most: 16, name)
                guard order.starts(with: "little".utf8) else { throw Failure(.data, path: path, "has numbers with their bytes in another order than this machine's") }
            }
        }
        guard let pickle else { throw Failure(.data, path: path, "is a zip archive without the data.pkl of torch.save") }
        folder = pickle.folder
        root = try Unpickler.value(PickleBytes(pickle.bytes, path: path), memory, names: TorchNames(path: path))
    }

    /// The bytes of the member that the archive stands at.
    private static func bytes(_ archive: ArchiveFile, path: String, most: Int, _ name: String) throws -> [UInt8] {
        var bytes: [UInt8] = [], piece = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = try archive.read(into: &piece)
            bytes += piece[..<count]
            guard bytes.count <= most else { throw Failure(.data, path: path, location: "member \(name.printableLine(limit: 80))", "is larger than \(most) bytes, which is the limit") }
            if count < piece.count { return bytes }
        }
    }

    /// Hands the bytes of each wanted storage to `take`.
    ///
    /// - Parameter sizes: by key, how many bytes the storage must have.
    func read(_ sizes: [String: Int], _ take: (String, Tensor) throws -> Void) throws {
        let archive = try ArchiveFile(BytePath(path)), prefix = folder + "data/"
        var left = sizes
        while !left.isEmpty, try archive.next() {
            guard let name = archive.memberPath?.description, name.hasPrefix(prefix), let wanted = left.removeValue(forKey: String(name.dropFirst(prefix.count))) else { continue }
            // Stored as they are, so no file has more than its own bytes.
            guard wanted <= size else { throw Failure(.data, path: path, location: "member \(name.printableLine(limit: 80))", "would have \(wanted) bytes in a file of \(size)", remedy: "the file is truncated or damaged") }
            let storage = try unsafe Tensor(dtype: .u8, shape: [wanted]) { bytes in
                guard try unsafe archive.read(into: bytes) == wanted else {
                    throw Failure(.data, path: path, location: "member \(name.printableLine(limit: 80))", "has fewer than \(wanted) bytes", remedy: "the file is truncated or damaged")
                }
            }
            // At its end libarchive compares its size and checksum with what the archive says.
            var more: [UInt8] = [0]
            guard try archive.read(into: &more) == 0 else {
                throw Failure(.data, path: path, location: "member \(name.printableLine(limit: 80))", "has more than \(wanted) bytes", remedy: "the file is damaged")
            }
            try take(String(name.dropFirst(prefix.count)), storage)
        }
    }
}
