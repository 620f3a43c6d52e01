import ToolSupport

/// A file with one document, whose header has been read and whose tensors have not.
@safe public final class DocumentReader {
    /// The path, or "standard input"; used in messages.
    public let name: String
    /// The metadata and tensors. The checksum is left out; it is verified when the tensors have been read.
    public let outline: DocumentOutline
    /// Whether the file has a checksum over its tensors and metadata.
    public var hasChecksum: Bool { promised != nil }

    private let source: ByteSource
    private let contents: Safetensors.Contents
    private let promised: String?
    private let fill: Safetensors.Fill
    /// Reads what follows the tensors.
    private let close: () throws -> Void

    init(_ source: ByteSource, _ contents: Safetensors.Contents, fill: @escaping Safetensors.Fill, close: @escaping () throws -> Void) {
        self.source = source
        self.contents = contents
        unsafe self.fill = unsafe fill
        self.close = close
        name = source.name
        promised = DocumentChecksum.promised(in: contents.metadata)
        var outline = contents.outline
        if promised != nil { outline.metadata[DocumentChecksum.key] = nil }
        outline.origin = TensorDocument.Origin(path: source.name)
        self.outline = outline
    }

    /// Reads the tensors, or only those named in `selected`; in both cases to the end of the file.
    public func read(only selected: Set<String>? = nil) throws -> TensorDocument {
        var document = TensorDocument(metadata: outline.metadata)
        if let selected {
            document.tensors = try tensors(selected)
        } else {
            document.tensors = try telling { try unsafe contents.document(pool: nil, fill: fill).tensors }
            try finish(promised.map { _ in try DocumentChecksum.of(document) })
        }
        document.origin = outline.origin
        return document
    }

    /// Reads the tensors piece by piece.
    public func visit(_ visitor: inout some DocumentVisitor & ~Copyable) throws {
        try visitor.begin(outline)
        try visit { try visitor.take($0, of: $1, first: $2) }
    }

    private func tensors(_ selected: Set<String>) throws -> [String: Tensor] {
        var storages: [String: TensorStorage] = [:]
        try visit { piece, tensor, first in
            guard selected.contains(tensor.name) else { return }
            let storage = try storages[tensor.name] ?? TensorStorage(byteCount: tensor.byteCount)
            storages[tensor.name] = storage
            let start = first * tensor.dtype.size
            unsafe piece.withBytes { bytes in
                unsafe UnsafeMutableRawBufferPointer(rebasing: storage.mutableBytes[start..<start + bytes.count]).copyMemory(from: bytes)
            }
        }
        var tensors: [String: Tensor] = [:]
        for tensor in outline.tensors {
            guard let storage = storages[tensor.name] else { continue }
            tensors[tensor.name] = Tensor(dtype: tensor.dtype, shape: tensor.shape, storage: storage, offset: 0, byteCount: tensor.byteCount)
        }
        return tensors
    }

    private func visit(_ take: (Tensor, TensorOutline, Int) throws -> Void) throws {
        var checksum = DocumentChecksum()
        var hash = XXH64()
        try telling {
            try unsafe contents.visit({ piece, tensor, first in
                if promised != nil {
                    if first == 0 { hash = XXH64() }
                    unsafe piece.withBytes { unsafe hash.update($0) }
                    if first + piece.count == tensor.count { checksum.add(tensor, hash) }
                }
                try take(piece, tensor, first)
            }, fill: fill)
        }
        try finish(promised.map { _ in checksum.text(outline.metadata) })
    }

    /// Adds the file's name to failures of the document.
    private func telling<Result>(_ body: () throws -> Result) throws -> Result {
        do { return try body() } catch let failure as Failure where failure.path == nil && failure.kind != .usage {
            throw failure.within(name, "the document")
        }
    }

    /// - Parameter checksum: computed over what was read, where the file has one.
    private func finish(_ checksum: String?) throws {
        try close()
        guard try source.isAtEnd() else { throw Failure(.data, path: name, offset: source.position, "there are bytes after the end of the document") }
        guard checksum == promised else {
            throw Failure(
                .data, path: name, "its tensors or metadata do not match its checksum",
                remedy: "make the file again, or remove 'checksum' from its metadata if another program changed it on purpose")
        }
    }
}
