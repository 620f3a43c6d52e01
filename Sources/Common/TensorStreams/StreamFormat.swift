/// A tensor stream, `NAME.tensors.zst`: zstd frames with one safetensors document each.
///
/// 1. The first document has no tensors; its `__metadata__` holds `format` = `tensor-stream/1`, `provenance` (lines),
///    and what all records share.
/// 2. Records, one per batch.
/// 3. The last document has no tensors; its `__metadata__` holds `end` = the number of records, `checksum` = the XXH64
///    of all bytes before this frame in 16 hexadecimal digits (another program may leave it out), and `index` =
///    `seekable` when the index follows (likewise).
/// 4. The index of zstd's seekable format, a skippable frame.
///
/// Each frame has its content size and a checksum. A stream without its last document is an error.
enum StreamFormat {
    static let format = "tensor-stream/1"
    static let family = "tensor-stream/"
    static let formatKey = "format"
    static let provenanceKey = "provenance"
    static let endKey = "end"
    static let checksumKey = "checksum"
    static let indexKey = "index"
    static let indexKind = "seekable"
    /// The record size that every reader accepts. The index, which stores sizes in 32 bits, would allow twice as much.
    static let recordBytes = Limits.standard.documentBytes
}

/// The contents of a stream's first document, which apply to all its records.
public struct StreamHeader: Sendable, Equatable {
    public var provenance: Provenance
    /// What all records share, such as `classes`; without the keys `format` and `provenance`, which belong to the
    /// stream itself.
    public var metadata: [String: String]

    public init(provenance: Provenance = Provenance(), metadata: [String: String] = [:]) {
        self.provenance = provenance
        self.metadata = metadata
    }

    /// The metadata key of a stream that begins in the middle of an epoch: how many batches it leaves out. `records`
    /// and `images` refer to whole epochs.
    public static let firstBatch = "first_batch"

    /// Identifies the contents of the stream independently of names: comma-separated hashes of the data, of the
    /// selected part of it, and of each network or program that processed it.
    ///
    /// Nil where no tool has recorded it. The data's hash is empty where the first tool recorded none. It is not a
    /// guarantee: of large data only a sample is hashed.
    public var madeOf: String? { metadata[StreamHeader.madeOfKey] }
    public static let madeOfKey = "made_of"

    /// The hash of the data.
    public var dataSource: String? { madeOf?.split(separator: ",", omittingEmptySubsequences: false).first.map(String.init).flatMap { $0.isEmpty ? nil : $0 } }

    /// Starts the list with the data's hash, and the hash of the selection where not all data is used.
    public mutating func beginSources(_ data: String, choice: String?) { metadata[StreamHeader.madeOfKey] = [data, choice].compactMap(\.self).joined(separator: ",") }

    /// Adds the hash of what one more tool has used.
    public mutating func addSource(_ hash: String) { metadata[StreamHeader.madeOfKey] = (madeOf ?? "") + "," + hash }

    /// Adds the hashes of what the last `makers` tools of another stream have used.
    public mutating func addSources(of other: StreamHeader, makers: Int) {
        for hash in (other.madeOf ?? "").split(separator: ",", omittingEmptySubsequences: false).dropFirst().suffix(makers) { addSource(String(hash)) }
    }

    /// The metadata key for how many images of an epoch may be broken, in a stream that holds only a part of the epoch.
    public static let brokenLimit = "broken_limit"

    /// Whether the stream may have no records: the rest of an epoch may consist of broken images, and with more shards
    /// than batches some shards are empty.
    public var mayBeEmpty: Bool { metadata.count(StreamHeader.firstBatch) ?? 0 > 0 || StreamShard(self) != nil }

    /// The number of images in the stream, where it is known; version 0.1.0 called the key `pictures`.
    public var imageCount: Int? {
        guard let all = metadata.count("images") ?? metadata.count("pictures") else { return nil }
        let left = (metadata.count(StreamHeader.firstBatch) ?? 0).multipliedReportingOverflow(by: metadata.count("batch") ?? 0)
        return left.overflow ? 0 : max(0, all - left.partialValue)
    }

    var document: TensorDocument {
        var metadata = metadata
        metadata[StreamFormat.formatKey] = StreamFormat.format
        metadata[StreamFormat.provenanceKey] = provenance.text
        return TensorDocument(metadata: metadata)
    }

    /// Nil when the document is not the first of a stream.
    init?(_ document: Safetensors.Contents) {
        guard document.entries.isEmpty, document.metadata[StreamFormat.formatKey] == StreamFormat.format else { return nil }
        metadata = document.metadata
        metadata[StreamFormat.formatKey] = nil
        provenance = Provenance(text: metadata.removeValue(forKey: StreamFormat.provenanceKey) ?? "")
    }
}
