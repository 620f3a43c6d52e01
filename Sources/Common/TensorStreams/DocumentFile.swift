import ToolSupport

/// Files that hold one document, such as a checkpoint: plain safetensors, or that in one zstd frame.
public enum DocumentFile {
    /// Reads `path`, or standard input for `-`. Which kind it is, its first bytes say.
    public static func read(_ path: String, limits: Limits = .checkpoint) throws -> TensorDocument {
        switch try TensorInput.open(path, limits: limits, documentLimits: limits) {
        case .document(let document): return document
        case .stream(let reader):
            throw Failure(.data, path: reader.name, "is a tensor stream where a single document is expected")
        }
    }

    /// Writes `document` to `path`, in a zstd frame where the name ends in `.zst`. The file appears when it is whole.
    public static func write(_ document: TensorDocument, to path: String, level: Int = 3) throws {
        let layout = try Safetensors.Layout(document)
        var output = try OutputFile(path)
        if path.hasSuffix(".zst") {
            _ = try FrameWriter(level: level).write(layout, to: &output)
        } else {
            try unsafe output.write(layout.header.span.bytes)
            for tensor in layout.tensors { try unsafe tensor.withBytes { try unsafe output.write($0.bytes) } }
        }
        try output.commit()
    }
}
