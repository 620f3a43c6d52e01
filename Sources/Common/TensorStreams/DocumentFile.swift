import ToolSupport

/// Files that hold one document, such as a checkpoint: plain safetensors, or safetensors in one zstd frame.
public enum DocumentFile {
    /// Reads `path`, or standard input for `-`. The first bytes determine the kind of file.
    ///
    /// - Parameter selecting: called with the contents of the header before any tensor is read. It throws where the
    ///   file is not the expected one, and returns the names of the tensors to read (nil for all); others are not kept.
    /// - Throws: a ``Failure``, also where the document does not match the checksum in its metadata.
    public static func read(
        _ path: String, limits: Limits = .checkpoint, selecting: (DocumentOutline) throws -> Set<String>? = { _ in nil }
    ) throws -> TensorDocument {
        switch try TensorInput.open(path, limits: limits, documentLimits: limits) {
        case .document(let reader): return try reader.read(only: selecting(reader.outline))
        case .stream(let reader):
            throw Failure(.data, path: reader.name, "is a tensor stream where a single document is expected")
        }
    }

    /// Writes `document` to `path`, in a zstd frame where the name ends in `.zst`. The file appears only when it is
    /// complete.
    ///
    /// - Parameter checksum: whether to add a checksum over the rest to the metadata, which every reader of this
    ///   project verifies.
    public static func write(_ document: TensorDocument, to path: String, level: Int = 3, checksum: Bool = true) throws {
        var document = document
        if checksum { document.metadata[DocumentChecksum.key] = try DocumentChecksum.of(document) }
        try write(Safetensors.Layout(document), to: path, level: level)
    }

    /// Writes tensors that are computed one after the other: twice, because the checksum precedes them.
    public static func write(_ tensors: [DeferredTensor], metadata: [String: String], to path: String) throws {
        var metadata = metadata
        metadata[DocumentChecksum.key] = try DocumentChecksum.of(metadata, tensors)
        try write(Safetensors.Layout(metadata, tensors), to: path, level: 3)
    }

    private static func write(_ layout: Safetensors.Layout, to path: String, level: Int) throws {
        var output = try OutputFile(path)
        if path.hasSuffix(".zst") {
            _ = try FrameWriter(level: level).write(layout, to: &output)
        } else {
            try unsafe output.write(layout.header.span.bytes)
            for tensor in layout.tensors { try unsafe tensor.tensor().withBytes { try unsafe output.write($0.bytes) } }
        }
        try output.commit()
    }
}
