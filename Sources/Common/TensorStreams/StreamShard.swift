import ToolSupport

/// One of the consecutive parts that an epoch's batches are split into; `augment --shard 2/4` makes it, and
/// `merge-shards` combines them.
///
/// The header of a stream that holds only that part records it in its metadata, as `shard` = `2/4`; `records` and
/// `images` describe the part.
public struct StreamShard: Sendable, Equatable {
    /// The number of the shard, from 1.
    public let number: Int
    public let count: Int

    /// Nil for one shard of one, which is the whole.
    public init?(_ number: Int, of count: Int) {
        guard count > 1, 1...count ~= number, count <= 1 << 20 else { return nil }
        (self.number, self.count) = (number, count)
    }

    private static let key = "shard"
    /// Metadata that differ between shards; the whole has their sum.
    private static let sums = ["records", "images"]

    public var metadata: [String: String] { [StreamShard.key: text] }
    /// `2/4`.
    public var text: String { "\(number)/\(count)" }

    /// Nil where a stream is whole, or the metadata is invalid.
    public init?(_ header: StreamHeader) {
        guard let shard = StreamShard(header.metadata[StreamShard.key] ?? "") else { return nil }
        self = shard
    }

    /// Parses `2/4`.
    public init?(_ text: String) {
        guard let part = PartNumber(text) else { return nil }
        self.init(part.number, of: part.count)
    }

    /// Metadata that only the first record determines.
    private static let ofRecords = ["dimension", "network"]

    fileprivate static func isEmpty(_ header: StreamHeader) -> Bool { header.metadata.count("records") == 0 }

    /// The header of the whole, from those of all shards.
    static func merged(_ headers: [StreamHeader]) -> StreamHeader {
        var whole = headers.first { !isEmpty($0) } ?? headers[0]
        whole.metadata[key] = nil
        for name in sums where whole.metadata[name] != nil { whole.metadata[name] = "\(headers.reduce(0) { $0 &+ ($1.metadata.count(name) ?? 0) })" }
        return whole
    }

    /// The key in which the headers of two shards differ although they must not; `provenance` where they were made by
    /// different commands, nil where they belong together.
    static func difference(_ first: StreamHeader, _ second: StreamHeader) -> String? {
        guard first.provenance == second.provenance else { return "provenance" }
        let keys = Set(first.metadata.keys).union(second.metadata.keys).subtracting(sums + [key] + (isEmpty(first) || isEmpty(second) ? ofRecords : []))
        return keys.sorted().first { first.metadata[$0] != second.metadata[$0] }
    }
}

/// Reads the shards of a stream as the whole.
public final class MergedShards {
    /// The header of the whole, as one process would have written it.
    public let header: StreamHeader
    private var readers: ArraySlice<StreamReader>
    /// The number of broken images so far.
    private var broken = 0

    /// - Parameter paths: the shards, in any order.
    /// - Throws: a ``Failure`` of kind `data` that names the shard which is missing, duplicate, or of another stream.
    public init(_ paths: [String]) throws {
        var found: [Int: StreamReader] = [:], count = 0
        for path in paths {
            let reader = try StreamReader(path)
            guard let shard = StreamShard(reader.header) else {
                throw Failure(.data, path: reader.name, "is not a shard: its header has no 'shard'", remedy: "make shards with augment --shard")
            }
            guard count == 0 || shard.count == count else { throw Failure(.data, path: reader.name, "is shard \(shard.text), but others are of \(count)", remedy: "give the shards of one epoch") }
            count = shard.count
            if let other = found[shard.number] { throw Failure(.data, path: reader.name, "is shard \(shard.text), and so is \(other.name)", remedy: "give each shard once") }
            found[shard.number] = reader
        }
        let missing = (0..<count).map { $0 + 1 }.filter { found[$0] == nil }
        if let first = missing.first {
            let more = missing.count > 1 ? " and \(missing.count - 1) more" : ""
            throw Failure(.data, "shard \(first)/\(count)\(more) \(missing.count > 1 ? "are" : "is") missing from the \(found.count) given", remedy: "give all \(count)")
        }
        let all = found.sorted { $0.key < $1.key }.map(\.value)
        guard let told = all.first(where: { !StreamShard.isEmpty($0.header) }) ?? all.first else { throw Failure(.usage, "no shards are given") }
        for other in all {
            guard let key = StreamShard.difference(told.header, other.header) else { continue }
            let what = key == "provenance" ? "they were made by different commands" : "'\(key)' is \(other.header.metadata[key] ?? "missing") here and \(told.header.metadata[key] ?? "missing") in \(told.name)"
            throw Failure(.data, path: other.name, "is not part of the same stream as \(told.name): \(what)", remedy: "compare both with inspect")
        }
        guard told.header.metadata.count("epochs") ?? 1 == 1 else { throw Failure(.data, path: told.name, "has parts of several epochs", remedy: "make the shards of one epoch") }
        header = StreamShard.merged(all.map(\.header))
        readers = all[...]
    }

    /// The next record of the whole; nil after the last, once every shard's end is verified.
    public func next() throws -> TensorDocument? {
        while let reader = readers.first {
            if let record = try reader.next() {
                broken += record.brokenPlaces.count
                if let limit = header.metadata.count(StreamHeader.brokenLimit), broken > limit {
                    throw record.failure("\(broken) images of all shards up to here are broken, more than 1 % of them", remedy: "repair them, or pass --allow-bad to augment to leave them out")
                }
                return record
            }
            readers.removeFirst()
        }
        return nil
    }
}
