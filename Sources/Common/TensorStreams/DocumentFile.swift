import ToolSupport

/// Files that hold one document, such as a checkpoint: plain safetensors, or that in one zstd frame.
public enum DocumentFile {
    /// Reads `path`, or standard input for `-`. Which kind it is, its first bytes say.
    ///
    /// - Parameter selecting: is given what the header says before any tensor is read. It throws where the file is not what is wanted, and names
    ///   the tensors to take (nil for all): of others nothing is kept.
    /// - Throws: also where the document does not fit the checksum that it carries.
    public static func read(
        _ path: String, limits: Limits = .checkpoint, selecting: (DocumentOutline) throws -> Set<String>? = { _ in nil }
    ) throws -> TensorDocument {
        switch try TensorInput.open(path, limits: limits, documentLimits: limits) {
        case .document(let reader): return try reader.read(only: selecting(reader.outline))
        case .stream(let reader):
            throw Failure(.data, path: reader.name, "is a tensor stream where a single document is expected")
        }
    }

    /// Writes `document` to `path`, in a zstd frame where the name ends in `.zst`. The file appears when it is whole.
    ///
    /// - Parameter checksum: whether the metadata gets a checksum over the rest, which every reader here verifies.
    public static func write(_ document: TensorDocument, to path: String, level: Int = 3, checksum: Bool = true) throws {
        var document = document
        if checksum { document.metadata[DocumentChecksum.key] = try DocumentChecksum.of(document) }
        try write(Safetensors.Layout(document), to: path, level: level)
    }

    /// The same of tensors that are made one after the other: twice, since the checksum stands in front of them.
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
