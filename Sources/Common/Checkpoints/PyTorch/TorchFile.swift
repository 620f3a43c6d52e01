public import TensorStreams
import ToolSupport

/// A checkpoint written by `torch.save`, as a zip (PyTorch 1.6 and later) or in the older format of consecutive
/// pickles.
///
/// The names are read first, then the storages of the requested tensors, one after the other. A tensor that is most
/// of its storage shares the storage's memory; other tensors are copied. Thus memory holds no more than the result
/// and one storage.
public struct TorchFile {
    private enum Container {
        case zip(TorchZip)
        case legacy(TorchLegacy)

        /// The size of the file in bytes.
        var size: Int {
            switch self {
            case .zip(let zip): zip.size
            case .legacy(let legacy): legacy.size
            }
        }
    }

    public let outline: DocumentOutline
    private let path: String
    private let container: Container
    private let references: [String: TensorReference]

    /// The maximum total size of the tensors, as a multiple of the file size.
    private static let mostShares = 16

    /// Whether a file with this start is one.
    static func isOne(_ start: [UInt8]) -> Bool { TorchZip.isOne(start) || TorchLegacy.isOne(start) }

    public init(_ path: String) throws {
        let root: PickleValue
        if TorchZip.isOne(try FileStart.bytes(path) ?? []) {
            let zip = try TorchZip(path)
            (container, root) = (.zip(zip), zip.root)
        } else {
            let legacy = try TorchLegacy(path)
            (container, root) = (.legacy(legacy), legacy.root)
        }
        self.path = path
        let tree = try TensorTree(root, path: path)
        references = Dictionary(uniqueKeysWithValues: tree.tensors.map { ($0.name, $0.reference) })
        outline = DocumentOutline(
            metadata: [:], tensors: tree.tensors.map { TensorOutline(name: $0.name, dtype: $0.reference.dtype, shape: $0.reference.shape, byteCount: $0.reference.count * $0.reference.dtype.size) },
            path: path)
    }

    /// The tensors `names`.
    public func read(_ names: Set<String>) throws -> TensorDocument {
        var wanted: [String: [(name: String, reference: TensorReference)]] = [:]
        for name in names.sorted() {
            guard let reference = references[name] else { throw Failure(.software, path: path, "has no tensor '\(name)'") }
            wanted[reference.storage.key, default: []].append((name, reference))
        }
        // Tensors may share a storage, as tied weights do, but not hundreds of them.
        let total = wanted.values.joined().reduce(0.0) { $0 + Double($1.reference.count * $1.reference.dtype.size) }
        guard total <= Double(Self.mostShares) * Double(container.size) else {
            throw Failure(.data, path: path, "would have tensors of \(Int(min(total, 1e18))) bytes in a file of \(container.size)", remedy: "the file is damaged, or not what it claims to be")
        }
        var document = TensorDocument()
        for (key, tensors) in wanted {
            for (name, reference) in tensors where reference.count == 0 {
                unsafe document.tensors[name] = Tensor(dtype: reference.dtype, shape: reference.shape) { _ in }
            }
            wanted[key] = tensors.filter { $0.reference.count > 0 }
        }
        wanted = wanted.filter { !$0.value.isEmpty }
        let take: (String, Tensor) throws -> Void = { key, storage in
            for (name, reference) in wanted.removeValue(forKey: key) ?? [] { document.tensors[name] = try view(reference, name, of: storage) }
        }
        // The size of a storage in bytes: the largest that any of its views declares.
        let sizes = wanted.mapValues { views in views.map { byteCount($0.reference) }.max() ?? 0 }
        switch container {
        case .zip(let zip): try zip.read(sizes, take)
        case .legacy(let legacy): try legacy.read(sizes, take)
        }
        if let key = wanted.keys.min() { throw Failure(.data, path: path, "lacks the numbers of '\(wanted[key]?.first?.name ?? key)'", remedy: "the file is truncated or damaged") }
        return document
    }

    private func byteCount(_ reference: TensorReference) -> Int {
        let storage = reference.storage, size = storage.dtype?.size ?? 1
        return (storage.start + storage.count) * size
    }

    /// The elements of a view in row-major order. The view has been checked to lie in its storage.
    private func view(_ reference: TensorReference, _ name: String, of bytes: Tensor) throws -> Tensor {
        let size = reference.dtype.size, start = (reference.storage.start * (reference.storage.dtype == nil ? 1 : size)) + reference.offset * size
        let last = zip(reference.shape, reference.strides).reduce(0) { $0 + ($1.0 - 1) * $1.1 }
        guard start + (last + 1) * size <= bytes.byteCount else { throw Failure(.data, path: path, location: "'\(name.printableLine(limit: 80))'", "lies outside its storage") }
        return StridedCopy(dtype: reference.dtype, shape: reference.shape, strides: reference.strides, start: start).tensor(of: bytes)
    }
}
