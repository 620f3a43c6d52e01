import ToolSupport

/// A file of tensors of either kind, distinguished by its first bytes.
public enum TensorInput {
    case stream(StreamReader)
    case document(DocumentReader)

    /// Opens `path`, or standard input for `-`, and reads a stream's or a document's header.
    public static func open(
        _ path: String, limits: Limits = .standard, documentLimits: Limits = .checkpoint
    ) throws -> TensorInput {
        let source = try ByteSource(path)
        let start = try source.peek(FrameHeader.magic.count)
        // Reads no more where a stream begins: its writer may be waiting for an answer.
        if start != FrameHeader.magic { try refuseOthers(source.peek(FileKind.prefix), source.name) }
        do {
            guard start == FrameHeader.magic else { return .document(try plain(source, documentLimits)) }
            return try StreamReader.open(source, limits: limits, documentLimits: documentLimits)
        } catch let failure as Failure where failure.path == nil {
            throw failure.within(source.name, "the document")
        }
    }

    /// Rejects files that people mistake for safetensors.
    private static func refuseOthers(_ start: [UInt8], _ name: String) throws {
        guard !start.isEmpty else {
            throw Failure(.data, path: name, "is empty where tensors are expected", remedy: "the program that should write it may have failed")
        }
        guard start.dropFirst(8).first != UInt8(ascii: "{"), let kind = FileKind.of(start) else { return }
        throw Failure(.data, path: name, "is \(kind.name), not a file of tensors", remedy: kind.toTensors)
    }

    private static func plain(_ source: ByteSource, _ limits: Limits) throws -> DocumentReader {
        let fill: Safetensors.Fill = { target in
            guard try unsafe source.read(into: target) == target.count else {
                throw Failure(.data, path: source.name, offset: source.position, "the document ends too early", remedy: "make the file again")
            }
        }
        return unsafe DocumentReader(source, try Safetensors.header(size: source.size, limits: limits, fill: fill), fill: fill, close: {})
    }
}
