/// The checksum that a checkpoint carries in its metadata, over its tensors and all other metadata.
///
/// It is `xxh64:` and 16 hexadecimal digits: the XXH64 of the text
///
///     {"metadata":{KEY:VALUE,…},"tensors":{NAME:[DTYPE,SHAPE,HASH],…}}
///
/// without spaces, keys and names in the order of their UTF-8, strings escaped as far as JSON must, HASH being the XXH64 of a tensor's bytes in
/// 16 digits. So neither the order of a file nor its spaces matter, and a file that another program writes again stays good.
///
/// Zstd frames have checksums of their own; a plain file has nothing else to tell a flipped bit by. Files of other programs have none.
struct DocumentChecksum {
    static let key = "checksum"
    private static let kind = "xxh64:"
    /// By the tensors' names.
    private var entries: [(outline: TensorOutline, hash: String)] = []

    /// The checksum that `metadata` promises; nil where it does not, or another kind than this one.
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

    /// The value of the checksum, with the metadata of the same document.
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
