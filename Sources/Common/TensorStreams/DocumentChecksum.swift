/// The checksum in a checkpoint's metadata, over its tensors and all other metadata.
///
/// It is `xxh64:` and 16 hexadecimal digits: the XXH64 of the text
///
///     {"metadata":{KEY:VALUE,…},"tensors":{NAME:[DTYPE,SHAPE,HASH],…}}
///
/// without spaces, with keys and names sorted by their UTF-8, and strings escaped only where JSON requires it. HASH is
/// the XXH64 of a tensor's bytes in 16 digits. So neither the order of a file nor its white space matters, and a file
/// that another program rewrites stays valid.
///
/// Zstd frames have their own checksums. In a plain file only this checksum detects a flipped bit. Files of other
/// programs have none.
struct DocumentChecksum {
    static let key = "checksum"
    private static let kind = "xxh64:"
    /// Tensors and the hashes of their bytes.
    private var entries: [(outline: TensorOutline, hash: String)] = []

    /// The checksum in `metadata`; nil where it is missing, or of another kind.
    static func promised(in metadata: [String: String]) -> String? {
        metadata[key].flatMap { $0.hasPrefix(kind) ? $0 : nil }
    }

    /// The checksum of a document.
    static func of(_ metadata: [String: String], _ tensors: [DeferredTensor]) throws -> String {
        var checksum = DocumentChecksum()
        for tensor in tensors {
            var hash = XXH64()
            unsafe try tensor.tensor().withBytes { unsafe hash.update($0) }
            checksum.add(tensor.outline, hash)
        }
        return checksum.text(metadata)
    }

    static func of(_ document: TensorDocument) throws -> String { try of(document.metadata, document.tensors.map { DeferredTensor($0.key, $0.value) }) }

    mutating func add(_ tensor: TensorOutline, _ hash: XXH64) { entries.append((tensor, hash.text)) }

    /// The text of the checksum, given the metadata of the same document.
    func text(_ metadata: [String: String]) -> String {
        var strings = JSON.Object(), tensors = JSON.Object()
        for (key, value) in metadata.sorted(by: { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }) where key != DocumentChecksum.key {
            strings[key] = .string(value)
        }
        for (outline, hash) in entries.sorted(by: { $0.outline.name.utf8.lexicographicallyPrecedes($1.outline.name.utf8) }) {
            let shape = JSON.array(outline.shape.map { .integer(Int64($0)) })
            tensors[outline.name] = [.string(outline.dtype.rawValue), shape, .string(hash)]
        }
        var bytes: [UInt8] = []
        JSON.object(["metadata": .object(strings), "tensors": .object(tensors)]).append(to: &bytes)
        var hash = XXH64()
        unsafe bytes.withUnsafeBytes { unsafe hash.update($0) }
        return DocumentChecksum.kind + hash.text
    }
}
