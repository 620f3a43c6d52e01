import Archives
import Platform
public import TensorStreams
import ToolSupport

/// NumPy's `.npz`: a zip of `.npy` files, stored or deflated. An array has the name of its member, without `.npy`.
public struct NumPyFile {
    public let outline: DocumentOutline
    private let path: String
    private let headers: [String: NumPyHeader]

    /// The maximum total size of the arrays, as a multiple of the file size in addition to 64 MiB.
    ///
    /// No weights compress this well.
    private static let mostRatio = 100

    /// Whether a file with this start is one.
    static func isOne(_ start: [UInt8]) -> Bool {
        start.starts(with: "PK\u{3}\u{4}".utf8) && start.indices.contains { start[$0...].starts(with: ".npy".utf8) }
    }

    public init(_ path: String) throws {
        self.path = path
        var members = try ZipMembers(path)
        let size = try FileStart.size(path)
        var headers: [String: NumPyHeader] = [:], tensors: [TensorOutline] = [], total = 0
        var start = [UInt8](repeating: 0, count: NumPyHeader.most + 12)
        while let member = try members.next() {
            guard member.hasSuffix(".npy") else { continue }
            let name = String(member.dropLast(4)), count = try members.archive.read(into: &start)
            guard let header = NumPyHeader(Array(start[..<count])) else {
                throw Failure(.data, path: path, location: "member \(member.printableLine(limit: 80))", "is not an array of numbers in this machine's byte order", remedy: "save arrays of floats or integers")
            }
            headers[name] = header
            let bytes = header.shape.reduce(header.dtype.size, *)
            total += bytes
            guard headers.count <= Limits.checkpoint.tensorCount, total <= Limits.checkpoint.documentBytes, total <= Self.mostRatio * size + 1 << 26 else {
                throw Failure(.data, path: path, "would have \(total) bytes of arrays in a file of \(size)", remedy: "the file is damaged, or not what it claims to be")
            }
            tensors.append(TensorOutline(name: name, dtype: header.dtype, shape: header.shape, byteCount: bytes))
        }
        guard !tensors.isEmpty else { throw Failure(.data, path: path, "holds no arrays") }
        self.headers = headers
        outline = DocumentOutline(metadata: [:], tensors: tensors, path: path)
    }

    /// The arrays `names`, in row-major order.
    public func read(_ names: Set<String>) throws -> TensorDocument {
        var document = TensorDocument(), left = names
        let archive = try ArchiveFile(BytePath(path))
        while !left.isEmpty, try archive.next() {
            guard let member = archive.memberPath?.description, member.hasSuffix(".npy"), left.remove(String(member.dropLast(4))) != nil,
                let header = headers[String(member.dropLast(4))]
            else { continue }
            let wanted = header.byteCount + header.shape.reduce(header.dtype.size, *)
            // The system allocates memory only as it is written, so a member that is shorter than its header says
            // takes no more memory than its own bytes.
            let bytes = try unsafe Tensor(dtype: .u8, shape: [wanted]) { bytes in
                var more: [UInt8] = [0]
                // At the end of the member, libarchive checks its size and checksum against the archive.
                let count = try unsafe archive.read(into: bytes), isLonger = try archive.read(into: &more) > 0
                guard count == wanted, !isLonger else {
                    throw Failure(
                        .data, path: path, location: "member \(member.printableLine(limit: 80))", "has \(isLonger ? "more" : "fewer") than \(wanted) bytes",
                        remedy: "the file is truncated or damaged")
                }
            }
            document.tensors[String(member.dropLast(4))] = tensor(header, bytes)
        }
        if let name = left.min() { throw Failure(.data, path: path, "has no array '\(name.printableLine(limit: 80))'") }
        return document
    }

    private func tensor(_ header: NumPyHeader, _ bytes: Tensor) -> Tensor {
        var strides = [Int](repeating: 1, count: header.shape.count)
        for d in strides.indices.dropFirst() { strides[d] = strides[d - 1] * header.shape[d - 1] }
        if !header.isFortran {
            strides = [Int](repeating: 1, count: header.shape.count)
            for d in strides.indices.dropLast().reversed() { strides[d] = strides[d + 1] * header.shape[d + 1] }
        }
        return StridedCopy(dtype: header.dtype, shape: header.shape, strides: strides, start: header.byteCount).tensor(of: bytes)
    }
}
