import ToolSupport

/// The safetensors format (github.com/huggingface/safetensors): 8 bytes with the length of a JSON header, the header,
/// and the bytes of all tensors without gaps, at the offsets in the header.
enum Safetensors {
    static let metadataKey = "__metadata__"

    /// A document ready for writing: its header with the length in front, and its tensors in file order.
    struct Layout {
        var header: [UInt8]
        var tensors: [DeferredTensor]
        var byteCount: Int

        /// Orders tensors like the safetensors library, so that equal documents give equal bytes: larger elements
        /// first, then by name. Spaces pad the header to a multiple of 8, which aligns every tensor.
        init(_ metadata: [String: String], _ tensors: [DeferredTensor]) throws {
            guard !tensors.contains(where: { $0.name == metadataKey }) else { throw Failure(.usage, "'\(metadataKey)' cannot name a tensor") }
            var members = JSON.Object()
            if !metadata.isEmpty {
                var strings = JSON.Object()
                for (key, value) in metadata.sorted(by: { Layout.precedes($0.key, $1.key) }) { strings[key] = .string(value) }
                members[metadataKey] = .object(strings)
            }
            self.tensors = tensors.sorted { a, b in
                a.outline.dtype.rank != b.outline.dtype.rank ? a.outline.dtype.rank > b.outline.dtype.rank : Layout.precedes(a.name, b.name)
            }
            var offset = 0
            for tensor in self.tensors.map(\.outline) {
                let end = offset + tensor.byteCount
                members[tensor.name] = [
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
            byteCount = header.count + offset
        }

        init(_ document: TensorDocument) throws { try self.init(document.metadata, document.tensors.map { DeferredTensor($0.key, $0.value) }) }

        private static func precedes(_ a: String, _ b: String) -> Bool { a.utf8.lexicographicallyPrecedes(b.utf8) }
    }

    /// Reads the next bytes of a document: fills all of the buffer, or throws.
    typealias Fill = (UnsafeMutableRawBufferPointer) throws -> Void

    /// Reads a document's header through `fill`.
    ///
    /// Nothing is allocated before its size is known to be within `limits` and, where the document's size is known,
    /// consistent with it.
    ///
    /// - Parameter size: the size of the whole document in bytes, where its container gives it.
    /// - Throws: a ``Failure`` without path and location, with a text that continues after the document's name.
    static func header(size: Int?, limits: Limits, fill: Fill) throws -> Contents {
        if let size, size < 8 { throw Failure(.data, "has \(size) bytes, less than the 8 of a safetensors document") }
        var length: UInt64 = 0
        try unsafe withUnsafeMutableBytes(of: &length) { try unsafe fill($0) }
        length = UInt64(littleEndian: length)
        guard length <= limits.headerBytes else {
            throw Failure(.data, "claims a header of \(length) bytes, above the limit of \(limits.headerBytes)", remedy: "it may not be a safetensors document")
        }
        if let size, 8 + Int(length) > size {
            throw Failure(.data, "has \(size) bytes, but its header alone should have \(8 + length)", remedy: "make the file again")
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
        return contents
    }
}

extension Safetensors.Contents {
    /// Reads the tensors, which follow the header, into one block of memory.
    func document(pool: BufferPool?, fill: Safetensors.Fill) throws -> TensorDocument {
        let storage = try pool?.take(byteCount: byteCount) ?? TensorStorage(byteCount: byteCount)
        try unsafe fill(storage.mutableBytes)
        var tensors: [String: Tensor] = [:]
        tensors.reserveCapacity(entries.count)
        for entry in entries {
            let byteCount = entry.range.count
            if entry.range.lowerBound % entry.dtype.size == 0 {
                tensors[entry.name] = Tensor(
                    dtype: entry.dtype, shape: entry.shape, storage: storage, offset: entry.range.lowerBound, byteCount: byteCount)
            } else {
                // Other writers need not align, but elements are only accessed through aligned pointers here.
                let copy = try TensorStorage(byteCount: byteCount)
                unsafe copy.mutableBytes.copyMemory(from: UnsafeRawBufferPointer(rebasing: storage.bytes[entry.range]))
                tensors[entry.name] = Tensor(dtype: entry.dtype, shape: entry.shape, storage: copy, offset: 0, byteCount: byteCount)
            }
        }
        return TensorDocument(metadata: metadata, tensors: tensors)
    }

    /// Reads the tensors piece by piece, in the order of the file.
    func visit(_ take: (Tensor, TensorOutline, Int) throws -> Void, fill: Safetensors.Fill) throws {
        let longest = 1 << 20
        let pool = BufferPool()
        for tensor in entries.map(\.outline) {
            var done = 0
            repeat {
                // Whole elements: the maximum length of a piece is a multiple of every element size.
                let byteCount = min(longest, tensor.byteCount - done)
                let storage = try pool.take(byteCount: byteCount)
                try unsafe fill(storage.mutableBytes)
                let piece = Tensor(dtype: tensor.dtype, shape: [byteCount / tensor.dtype.size], storage: storage, offset: 0, byteCount: byteCount)
                try take(piece, tensor, done / tensor.dtype.size)
                done += byteCount
            } while done < tensor.byteCount
        }
    }
}
