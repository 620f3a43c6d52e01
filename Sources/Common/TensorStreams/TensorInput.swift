import ToolSupport

/// A file of tensors of either kind, told apart by its first bytes.
public enum TensorInput {
    case stream(StreamReader)
    case document(TensorDocument)

    /// Opens `path`, or standard input for `-`, and reads a stream's header or the whole document.
    public static func open(
        _ path: String, limits: Limits = .standard, documentLimits: Limits = .checkpoint
    ) throws -> TensorInput {
        let source = try ByteSource(path)
        let start = try source.peek(4)
        try refuseOthers(start, source.name)
        do {
            let input = start == FrameHeader.magic
                ? try StreamReader.open(source, limits: limits, documentLimits: documentLimits)
                : .document(try plain(source, documentLimits))
            guard case .document(var document) = input else { return input }
            guard try source.isAtEnd() else {
                throw Failure(.data, path: source.name, offset: source.position, "there are bytes behind the end of the document")
            }
            document.origin = TensorDocument.Origin(path: source.name)
            return .document(document)
        } catch let failure as Failure where failure.path == nil {
            throw Failure(failure.kind, path: source.name, "the document \(failure.what)", remedy: failure.remedy)
        }
    }

    /// Files that people take for safetensors.
    private static func refuseOthers(_ start: [UInt8], _ name: String) throws {
        guard !start.isEmpty else {
            throw Failure(.data, path: name, "is empty where tensors are expected", remedy: "the program that should write it may have failed")
        }
        if start.starts(with: Array("PK\u{3}\u{4}".utf8)) || start.starts(with: [0x80, 2]) {
            throw Failure(
                .data, path: name, "looks like a file of torch.save, not a safetensors file",
                remedy: "save its tensors with safetensors.torch.save_file")
        }
        if start.starts(with: [0x1F, 0x8B]) { throw Failure(.data, path: name, "is compressed by gzip", remedy: "decompress it first") }
    }

    private static func plain(_ source: ByteSource, _ limits: Limits) throws -> TensorDocument {
        try unsafe Safetensors.read(size: source.size, limits: limits, pool: nil) { target in
            guard try unsafe source.read(into: target) == target.count else {
                throw Failure(.data, path: source.name, offset: source.position, "the document ends too early", remedy: "make the file again")
            }
        }
    }
}
