import ToolSupport

/// The safetensors format (github.com/huggingface/safetensors): 8 bytes with the length of a JSON header, the header,
/// and the bytes of all tensors without a gap, at the offsets that the header names.
enum Safetensors {
    static let metadataKey = "__metadata__"

    /// A document ready to be written: its header with the length in front, and its tensors in the order of the file.
    struct Layout {
        var header: [UInt8]
        var tensors: [Tensor]
        var byteCount: Int

        /// Tensors are put as the safetensors library puts them, so that equal documents make equal bytes: larger
        /// elements first, then by name. Spaces fill the header up to a multiple of 8, which aligns every tensor.
        init(_ document: TensorDocument) throws {
            guard document.tensors[metadataKey] == nil else { throw Failure(.usage, "'\(metadataKey)' cannot name a tensor") }
            var members = JSON.Object()
            if !document.metadata.isEmpty {
                var metadata = JSON.Object()
                for (key, value) in document.metadata.sorted(by: { Layout.precedes($0.key, $1.key) }) {
                    metadata[key] = .string(value)
                }
                members[metadataKey] = .object(metadata)
            }
            let sorted = document.tensors.sorted { a, b in
                a.value.dtype.rank != b.value.dtype.rank
                    ? a.value.dtype.rank > b.value.dtype.rank : Layout.precedes(a.key, b.key)
            }
            var offset = 0
            for (name, tensor) in sorted {
                let end = offset + tensor.byteCount
                members[name] = [
                    "dtype": .string(tensor.dtype.rawValue),
                    "shape": .array(tensor.shape.map { .integer(Int64($0)) }),
                    "data_offsets": [.integer(Int64(offset)), .integer(Int64(end))],
                ]
                offset = end
            }
            var text: [UInt8] = []
            JSON.object(members).append(to: &text)
            text += repeatElement(UInt8(ascii: " "), count: -text.count & 7)
            header = UInt64(text.count).littleEndianBytes + text
            tensors = sorted.map(\.value)
            byteCount = header.count + offset
        }

        private static func precedes(_ a: String, _ b: String) -> Bool { a.utf8.lexicographicallyPrecedes(b.utf8) }
    }

    /// Reads a document whose bytes `fill` hands out in order.
    ///
    /// Nothing is allocated before its size is known to be within `limits` and, where that is known, to be what is there.
    ///
    /// - Parameters:
    ///   - size: the bytes of the whole document, where something around it says so.
    ///   - cause: how a document can come to have another size: "the file was cut".
    ///   - fill: fills all of the buffer, or throws.
    /// - Throws: a ``Failure`` without path and place whose text goes on after the document's name.
    static func read(
        size: Int?, limits: Limits, pool: BufferPool?, fill: (UnsafeMutableRawBufferPointer) throws -> Void
    ) throws -> TensorDocument {
        if let size, size < 8 { throw Failure(.data, "has \(size) bytes, less than the 8 of a safetensors document") }
        var length: UInt64 = 0
        try unsafe withUnsafeMutableBytes(of: &length) { try unsafe fill($0) }
        length = UInt64(littleEndian: length)
        guard length <= limits.headerBytes else {
            throw Failure(.data, "claims a header of \(length) bytes, above the limit of \(limits.headerBytes)", remedy: "it may be no safetensors document")
        }
        if let size, 8 + Int(length) > size {
            throw Failure(.data, "has \(size) bytes where its header alone should have \(8 + length)", remedy: "make the file again")
        }
        guard length >= 2 else { throw Failure(.data, "has a header of \(length) bytes where at least {} is expected") }
        var header = [UInt8](repeating: 0, count: Int(length))
        try unsafe header.withUnsafeMutableBytes { try unsafe fill($0) }
        let contents = try Contents(header: header, limits: limits)
        let expected = 8 + Int(length) + contents.byteCount
        if let size, size != expected {
            throw Failure(.data, "has \(size) bytes where its header says \(expected)", remedy: "make the file again")
        }
        guard expected <= limits.documentBytes else {
            throw Failure(.data, "claims \(expected) bytes, above the limit of \(limits.documentBytes)")
        }
        let storage = try pool?.take(byteCount: contents.byteCount) ?? TensorStorage(byteCount: contents.byteCount)
        try unsafe fill(storage.mutableBytes)
        return try contents.document(in: storage)
    }

    /// What a header says.
    private struct Contents {
        struct Entry {
            var name: String
            var dtype: DType
            var shape: [Int]
            var range: Range<Int>
        }

        var metadata: [String: String] = [:]
        var entries: [Entry] = []
        var byteCount = 0

        init(header: [UInt8], limits: Limits) throws {
            guard header.first == UInt8(ascii: "{") else { throw Failure(.data, "has a header that does not start with '{'", remedy: "it may be no safetensors document") }
            let json: JSON
            do {
                json = try JSON(parsing: header, depth: 4)
            } catch let failure as Failure {
                throw Failure(.data, "has a broken JSON header, at its \(failure.place ?? "start"): \(failure.what)")
            }
            guard let members = json.asObject else { throw Failure(.data, "has a header that is no JSON object") }
            let count = members.count - (members[metadataKey] == nil ? 0 : 1)
            guard count <= limits.tensorCount else {
                throw Failure(.data, "has \(count) tensors, above the limit of \(limits.tensorCount)")
            }
            for member in members {
                if member.key == metadataKey {
                    metadata = try Contents.metadata(member.value)
                } else {
                    entries.append(try Contents.entry(member.key, member.value, limits))
                }
            }
            for entry in entries.sorted(by: { ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound) }) {
                guard entry.range.lowerBound == byteCount else {
                    throw Failure(.data, "has tensor '\(entry.name)' at offset \(entry.range.lowerBound) where \(byteCount) is expected")
                }
                byteCount = entry.range.upperBound
            }
        }

        private static func metadata(_ json: JSON) throws -> [String: String] {
            guard let members = json.asObject else { throw Failure(.data, "has \(metadataKey) that is no JSON object") }
            var metadata: [String: String] = [:]
            for member in members {
                guard let value = member.value.asString else {
                    throw Failure(.data, "has \(metadataKey) '\(member.key)' that is no string")
                }
                metadata[member.key] = value
            }
            return metadata
        }

        private static func entry(_ name: String, _ json: JSON, _ limits: Limits) throws -> Entry {
            func failure(_ what: String) -> Failure { Failure(.data, "has tensor '\(name)' \(what)") }
            guard let members = json.asObject, members.count == 3, let type = members["dtype"]?.asString,
                let sizes = members["shape"]?.asArray, let offsets = members["data_offsets"]?.asArray
            else { throw failure("without exactly dtype, shape and data_offsets") }
            guard let dtype = DType(rawValue: type) else {
                throw failure("of type \(type), which is none of \(DType.allCases.map(\.rawValue).joined(separator: ", "))")
            }
            guard sizes.count <= limits.rank else { throw failure("of \(sizes.count) dimensions, above the limit of \(limits.rank)") }
            var shape: [Int] = []
            // Empty dimensions count as one here: whoever multiplies some of the sizes must not meet an overflow.
            var extent = dtype.size
            for size in sizes {
                guard let size = size.asInteger, size >= 0 else { throw failure("with a size that is no whole number") }
                let (product, overflow) = extent.multipliedReportingOverflow(by: max(1, size))
                guard !overflow, product <= limits.documentBytes else {
                    throw failure("of sizes [\(sizes.map(\.text).joined(separator: ", "))], above the limit of \(limits.documentBytes) bytes")
                }
                extent = product
                shape.append(size)
            }
            let byteCount = shape.contains(0) ? 0 : extent
            guard offsets.count == 2, let start = offsets[0].asInteger, let end = offsets[1].asInteger, start >= 0, end >= start
            else { throw failure("whose data_offsets are not two rising numbers") }
            guard end - start == byteCount else {
                throw failure("in \(end - start) bytes where \(dtype.rawValue) \(shape) needs \(byteCount)")
            }
            guard end <= limits.documentBytes else { throw failure("up to byte \(end), above the limit of \(limits.documentBytes)") }
            return Entry(name: name, dtype: dtype, shape: shape, range: start..<end)
        }

        func document(in storage: TensorStorage) throws -> TensorDocument {
            var tensors: [String: Tensor] = [:]
            tensors.reserveCapacity(entries.count)
            for entry in entries {
                let byteCount = entry.range.count
                if entry.range.lowerBound % entry.dtype.size == 0 {
                    tensors[entry.name] = Tensor(
                        dtype: entry.dtype, shape: entry.shape, storage: storage, offset: entry.range.lowerBound, byteCount: byteCount)
                } else {
                    // Other writers need not align; elements are only reached through aligned pointers here.
                    let copy = try TensorStorage(byteCount: byteCount)
                    unsafe copy.mutableBytes.copyMemory(from: UnsafeRawBufferPointer(rebasing: storage.bytes[entry.range]))
                    tensors[entry.name] = Tensor(dtype: entry.dtype, shape: entry.shape, storage: copy, offset: 0, byteCount: byteCount)
                }
            }
            return TensorDocument(metadata: metadata, tensors: tensors)
        }
    }
}
