public import Ranks
public import TensorStreams
import ToolSupport

/// The records of a stream of which each rank has a part.
///
/// Each record is completed with the data of the other ranks, except for the images, which stay on their rank.
///
/// All ranks stop at the same point: at the end of the streams, or when any rank is asked to stop.
public final class GatheredRecords: RecordSource {
    private let reader: any RecordSource
    private let ranks: Ranks
    private let isAskedToStop: () -> Bool
    /// Whether the records ended because a rank was asked to stop.
    public private(set) var isStopped = false

    public var name: String { reader.name }
    public var header: StreamHeader { reader.header }

    public init(_ reader: any RecordSource, _ ranks: Ranks, isAskedToStop: @escaping () -> Bool) {
        (self.reader, self.ranks, self.isAskedToStop) = (reader, ranks, isAskedToStop)
    }

    public func byteCount(of record: TensorDocument) -> Int {
        let N = record.tensors["label"]?.shape.first ?? 0
        return record.tensors.reduce(0) { sum, entry in
            let (name, tensor) = entry
            guard ImageViews.isImages(name), let own = tensor.shape.first, own > 0 else { return sum + tensor.byteCount }
            return sum + tensor.byteCount / own * N
        }
    }

    public func next() throws -> TensorDocument? {
        guard !isStopped else { return nil }
        let record: TensorDocument?
        // The preceding tools of the pipeline are asked to stop too, so the stream ends early.
        do { record = try reader.next() } catch where isAskedToStop() { record = nil }
        let parts = try ranks.gather(try RecordPart(record, isAskedToStop: isAskedToStop()).bytes).map { try RecordPart($0) }
        if parts.contains(where: \.isAskedToStop) {
            isStopped = true
            return nil
        }
        let ended = parts.indices.filter { parts[$0].record == nil }
        guard let record, ended.isEmpty else {
            guard ended.count == parts.count else {
                throw Failure(.data, path: name, "ends on rank \(ended[0]) but continues on others", remedy: "every rank needs its part of the same stream")
            }
            return nil
        }
        return try whole(record, parts.compactMap(\.record))
    }

    /// This rank's record with the rows of all ranks.
    private func whole(_ own: TensorDocument, _ parts: [TensorDocument]) throws -> TensorDocument {
        var record = own, told = own.metadata
        told[TensorDocument.brokenKey] = nil
        for (rank, part) in parts.enumerated() {
            var metadata = part.metadata
            metadata[TensorDocument.brokenKey] = nil
            if let key = Set(metadata.keys).union(told.keys).filter({ metadata[$0] != told[$0] }).min() {
                throw own.failure("has '\(key)' \(told[key] ?? "missing") where rank \(rank) has \(metadata[key] ?? "none")", remedy: "every rank needs its part of the same stream")
            }
        }
        let broken = parts.flatMap(\.brokenPlaces).sorted()
        if !broken.isEmpty { record.metadata[TensorDocument.brokenKey] = broken.map(String.init).joined(separator: " ") }
        for (name, tensor) in own.tensors where !ImageViews.isImages(name) {
            let rows = try parts.enumerated().map { rank, part -> Tensor in
                guard let other = part.tensors[name], other.dtype == tensor.dtype, other.shape.dropFirst() == tensor.shape.dropFirst(), !other.shape.isEmpty else {
                    throw own.failure("has '\(name)' \(tensor.summary) where rank \(rank) has \(part.tensors[name]?.summary ?? "none")", remedy: "every rank needs its part of the same stream")
                }
                return other
            }
            record.tensors[name] = Tensor.rows(rows)
        }
        return record
    }
}

/// The data of a rank's next record that it sends to the other ranks.
private struct RecordPart {
    let isAskedToStop: Bool
    /// The record without images; nil at the end.
    let record: TensorDocument?

    init(_ record: TensorDocument?, isAskedToStop: Bool) throws {
        self.isAskedToStop = isAskedToStop
        var record = record
        for name in record?.names ?? [] where ImageViews.isImages(name) { record?.tensors[name] = nil }
        self.record = record
    }

    /// A line of JSON, followed by the bytes of the tensors in name order.
    var bytes: [UInt8] {
        var header: JSON.Object = ["stop": .bool(isAskedToStop)]
        if let record {
            header["metadata"] = .object(record.metadata.sorted { $0.key < $1.key }.reduce(into: JSON.Object()) { $0[$1.key] = .string($1.value) })
            header["tensors"] = .array(record.names.compactMap { name in
                record.tensors[name].map { .array([.string(name), .string($0.dtype.rawValue)] + $0.shape.map { .integer(Int64($0)) }) }
            })
        }
        return Array((JSON.object(header).text + "\n").utf8) + (record?.names ?? []).flatMap { name in record?.tensors[name].map { unsafe $0.withBytes { unsafe Array($0) } } ?? [] }
    }

    init(_ bytes: [UInt8]) throws {
        let end = bytes.firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
        let header = try JSON(parsing: Array(bytes[..<end]))
        isAskedToStop = header["stop"]?.asBool ?? false
        guard let metadata = header["metadata"]?.asObject, let tensors = header["tensors"]?.asArray else {
            record = nil
            return
        }
        var record = TensorDocument(metadata: Dictionary(metadata.map { ($0.key, $0.value.asString ?? "") }) { first, _ in first }), start = end + 1
        for entry in tensors {
            let words = entry.asArray ?? [], shape = words.dropFirst(2).map { $0.asInteger ?? 0 }
            guard words.count >= 2, let name = words[0].asString, let dtype = words[1].asString.flatMap(DType.init(rawValue:)) else { continue }
            let count = shape.reduce(dtype.size, *)
            guard start + count <= bytes.count else { throw Failure(.software, "a rank's record is cut off") }
            record.tensors[name] = unsafe Tensor(dtype: dtype, shape: shape) { unsafe $0.copyBytes(from: bytes[start..<start + count]) }
            start += count
        }
        self.record = record
    }
}

extension Tensor {
    /// Concatenates tensors of the same type and width.
    fileprivate static func rows(_ parts: [Tensor]) -> Tensor {
        let shape = [parts.reduce(0) { $0 + ($1.shape.first ?? 0) }] + (parts.first?.shape.dropFirst() ?? [])
        return unsafe Tensor(dtype: parts.first?.dtype ?? .u8, shape: shape) { target in
            var start = 0
            for part in parts {
                unsafe part.withBytes { unsafe UnsafeMutableRawBufferPointer(rebasing: target[start..<start + part.byteCount]).copyMemory(from: $0) }
                start += part.byteCount
            }
        }
    }
}
