import Platform
import ToolSupport

/// Writes a tensor stream.
///
///     let writer = try StreamWriter("train.tensors.zst", header: header)
///     for batch in batches { try writer.write(TensorDocument(tensors: batch)) }
///     try writer.commit()
///
/// A regular file appears under its name only at ``commit()``. A stream that is dropped before that has no end record,
/// which readers report.
public final class StreamWriter {
    /// The path, or "standard output"; used in messages.
    public let name: String
    /// The number of records written so far.
    public private(set) var records = 0
    /// The number of bytes written so far.
    public private(set) var position = 0

    /// Nil once the stream is complete or has failed.
    private var output: OutputFile?
    private let frames: FrameWriter
    private var index = SeekIndex()

    /// Creates `path`, or uses standard output for `-`, and writes the header.
    ///
    /// - Parameter level: zstd's compression level; by default 3 for a regular file, and −1 for a pipe, where speed
    ///   matters.
    public convenience init(_ path: String, header: StreamHeader, level: Int? = nil) throws {
        if path == OutputFile.standard, isatty(STDOUT_FILENO) == 1 {
            throw Failure(.usage, "standard output is a terminal", remedy: "name a file with -o, or add a pipe: | inspect")
        }
        try self.init(OutputFile(path), header: header, level: level)
    }

    /// Writes to an open descriptor, which ``commit()`` closes.
    public convenience init(descriptor: CInt, name: String, header: StreamHeader, level: Int? = nil) throws {
        try self.init(OutputFile(descriptor: descriptor, name: name), header: header, level: level)
    }

    private init(_ output: consuming OutputFile, header: StreamHeader, level: Int?) throws {
        name = output.name
        output.widenPipe()
        frames = try FrameWriter(level: level ?? (output.isRegularFile ? 3 : -1))
        self.output = consume output
        try put(header.document)
    }

    /// Writes one record; when this returns, its bytes are with the reader, or in the file.
    public func write(_ document: TensorDocument) throws {
        guard !document.tensors.isEmpty || document.metadata[StreamFormat.endKey] == nil else {
            throw Failure(.software, path: name, "a record without tensors must not have the metadata '\(StreamFormat.endKey)'")
        }
        try put(document)
        records += 1
    }

    /// Writes the end record and the index, and makes the file visible or closes the pipe.
    public func commit() throws {
        let end = TensorDocument(metadata: [
            StreamFormat.endKey: "\(records)", StreamFormat.checksumKey: frames.hash.text,
            StreamFormat.indexKey: StreamFormat.indexKind,
        ])
        try withOutput { output in
            let content = try Safetensors.Layout(end).header
            let compressed = try frames.writeStored(content, to: &output)
            index.entries.append(.init(compressed: UInt32(compressed), content: UInt32(content.count)))
            try unsafe output.write(index.bytes.span.bytes)
        }
        try output.take()?.commit()
    }

    private func put(_ document: TensorDocument) throws {
        let layout = try Safetensors.Layout(document)
        guard layout.byteCount <= StreamFormat.recordBytes else {
            throw Failure(.usage, path: name, "a record of \(layout.byteCount) bytes, above the limit of \(StreamFormat.recordBytes)", remedy: "use smaller batches")
        }
        try withOutput { output in
            let compressed = try frames.write(layout, to: &output)
            index.entries.append(.init(compressed: UInt32(compressed), content: UInt32(layout.byteCount)))
        }
    }

    /// Runs `body` on the output, which is given up at the first failure: half a record must never look complete.
    private func withOutput(_ body: (inout OutputFile) throws -> Void) throws {
        guard var output = output.take() else { throw Failure(.software, path: name, "written to after its end or a failure") }
        try body(&output)
        position = output.position
        self.output = consume output
    }
}
