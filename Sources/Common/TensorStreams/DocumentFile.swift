import ToolSupport

/// Files that hold one document, such as a checkpoint: plain safetensors, or that in one zstd frame.
public enum DocumentFile {
    /// Reads `path`, or standard input for `-`. Which kind it is, its first bytes say.
    public static func read(_ path: String, limits: Limits = .checkpoint) throws -> TensorDocument {
        let source = try ByteSource(path)
        let start = try source.peek(4)
        guard !start.isEmpty else { throw Failure(.data, path: source.name, "is empty where a safetensors file is expected") }
        if start.starts(with: Array("PK\u{3}\u{4}".utf8)) || start.starts(with: [0x80, 2]) {
            throw Failure(.data, path: source.name, "looks like a file of torch.save, not a safetensors file", remedy: "save its tensors with safetensors.torch.save_file")
        }
        if start.starts(with: [0x1F, 0x8B]) { throw Failure(.data, path: source.name, "is compressed by gzip", remedy: "decompress it first") }
        do {
            var document = start == FrameHeader.magic ? try compressed(source, limits) : try plain(source, limits)
            if StreamHeader(document) != nil {
                throw Failure(.data, path: source.name, "is a tensor stream where a single document is expected")
            }
            guard try source.isAtEnd() else {
                throw Failure(.data, path: source.name, offset: source.position, "there are bytes behind the end of the document")
            }
            document.origin = TensorDocument.Origin(path: source.name)
            return document
        } catch let failure as Failure where failure.path == nil {
            throw Failure(failure.kind, path: source.name, "the document \(failure.what)", remedy: failure.remedy)
        }
    }

    private static func plain(_ source: ByteSource, _ limits: Limits) throws -> TensorDocument {
        try unsafe Safetensors.read(size: source.size, limits: limits, pool: nil) { target in
            guard try unsafe source.read(into: target) == target.count else {
                throw Failure(.data, path: source.name, offset: source.position, "ends inside the document", remedy: "make the file again")
            }
        }
    }

    /// Other programs' frames need neither name their size nor have a checksum: the document tells its own length.
    private static func compressed(_ source: ByteSource, _ limits: Limits) throws -> TensorDocument {
        let frames = try FrameReader(source, windowLog: limits.windowLog, hashes: false)
        let frame = try frames.open(subject: "the document", limits: limits, mustNameSize: false)
        let document = try unsafe Safetensors.read(size: frame.contentSize, limits: limits, pool: nil) { try unsafe frames.read(into: $0) }
        try frames.close()
        return document
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
