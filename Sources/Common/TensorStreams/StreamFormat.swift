/// A tensor stream, `NAME.tensors.zst`: zstd frames with one safetensors document each.
///
/// 1. The first document has no tensors; its `__metadata__` holds `format` = `tensor-stream/1`, `provenance` (lines),
///    and what all records share.
/// 2. Records, one a batch.
/// 3. The last document has no tensors; its `__metadata__` holds `end` = the number of records, `checksum` = the XXH64
///    of all bytes before this frame in 16 hexadecimal digits (another program may leave it out), and `index` =
///    `seekable` when the index follows (likewise).
/// 4. The index of zstd's seekable format, a skippable frame.
///
/// Each frame names its content size and has a checksum. A stream without its last document is an error.
enum StreamFormat {
    static let format = "tensor-stream/1"
    static let family = "tensor-stream/"
    static let formatKey = "format"
    static let provenanceKey = "provenance"
    static let endKey = "end"
    static let checksumKey = "checksum"
    static let indexKey = "index"
    static let indexKind = "seekable"
    /// What every reader accepts. The index, which counts a frame's bytes in 32 bits, would allow twice as much.
    static let recordBytes = Limits.standard.documentBytes
}

/// What a stream's first document says about all its records.
public struct StreamHeader: Sendable, Equatable {
    public var provenance: Provenance
    /// What all records share, such as `classes`; without the keys `format` and `provenance`, which are the stream's own.
    public var metadata: [String: String]

    public init(provenance: Provenance = Provenance(), metadata: [String: String] = [:]) {
        self.provenance = provenance
        self.metadata = metadata
    }

    /// The metadata key of a stream that begins in the middle of an epoch: how many of its batches it leaves out. `records` and `images` are those of whole epochs.
    public static let firstBatch = "first_batch"

    /// What the stream is made of, whatever it is called: hashes with commas between, of the data, of which of them are taken, and of each network or program that has been at it. Nil where no
    /// tool has told it. The data's is empty where the first of them told nothing. It is no promise: of large data a sample is looked at.
    public var madeOf: String? { metadata[StreamHeader.madeOfKey] }
    public static let madeOfKey = "made_of"

    /// The data's part.
    public var dataSource: String? { madeOf?.split(separator: ",", omittingEmptySubsequences: false).first.map(String.init).flatMap { $0.isEmpty ? nil : $0 } }

    /// Begins with the data's hash, and which of them are taken where they are not all.
    public mutating func beginSources(_ data: String, choice: String?) { metadata[StreamHeader.madeOfKey] = [data, choice].compactMap(\.self).joined(separator: ",") }

    /// Adds what one more tool has taken in: a hash of it.
    public mutating func addSource(_ hash: String) { metadata[StreamHeader.madeOfKey] = (madeOf ?? "") + "," + hash }

    /// Adds what the last `makers` tools of another stream have taken in.
    public mutating func addSources(of other: StreamHeader, makers: Int) {
        for hash in (other.madeOf ?? "").split(separator: ",", omittingEmptySubsequences: false).dropFirst().suffix(makers) { addSource(String(hash)) }
    }

    /// The key of how many images of an epoch may be broken, of which a stream has a part alone.
    public static let brokenLimit = "broken_limit"

    /// Whether it may have no records: what is left of an epoch may all be broken, and among more shards than batches some are empty.
    public var mayBeEmpty: Bool { metadata.count(StreamHeader.firstBatch) ?? 0 > 0 || StreamShard(self) != nil }

    /// Images in the stream, where that is known; version 0.1.0 called them `pictures`.
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

    /// Nil when the document is no stream's first.
    init?(_ document: Safetensors.Contents) {
        guard document.entries.isEmpty, document.metadata[StreamFormat.formatKey] == StreamFormat.format else { return nil }
        metadata = document.metadata
        metadata[StreamFormat.formatKey] = nil
        provenance = Provenance(text: metadata.removeValue(forKey: StreamFormat.provenanceKey) ?? "")
    }
}
