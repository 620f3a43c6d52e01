import ToolSupport

/// Reads a tensor stream, record by record.
///
///     let reader = try StreamReader("train.tensors.zst")
///     while let record = try reader.next() { … }
///
/// It never waits for bytes after the record that it returns, so that two programs can answer each other over pipes.
public final class StreamReader {
    /// The path, or "standard input"; used in messages.
    public let name: String
    public private(set) var header = StreamHeader()
    /// The number of the record last returned, from 0; before the first call, one less than the number of the first
    /// record.
    public private(set) var recordIndex: Int
    /// The uncompressed bytes of documents so far.
    public private(set) var contentBytes = 0

    /// The number of input bytes so far.
    public var position: Int { source.position }

    private let source: ByteSource
    private let frames: FrameReader
    private let limits: Limits
    private let pool = BufferPool()
    private var index = SeekIndex()
    /// Whether the checksum at the stream's end can be verified: not where records were skipped unread. Every record
    /// that is read is still verified by its frame's checksum, and the number of records by the index.
    public private(set) var hashIsWhole = true
    /// Whether the stream has such a checksum; known at its end.
    public private(set) var hasChecksum = false
    private var outcome: Result<Void, Failure>?

    /// Opens `path`, or standard input for `-`, and reads the header.
    ///
    /// - Parameter fromRecord: the first record to return. In a regular file the index gives its position; from a pipe
    ///   the records before it are read and dropped.
    /// - Throws: a ``Failure`` of kind `noInput`, `data` (also for empty input) or `io`, or `usage` where there are
    ///   fewer than `fromRecord` records.
    public convenience init(_ path: String, limits: Limits = .standard, fromRecord: Int = 0) throws {
        try self.init(source: ByteSource(path), limits: limits, fromRecord: fromRecord)
    }

    /// Reads from an open descriptor, which is closed at the end.
    public convenience init(descriptor: CInt, name: String, limits: Limits = .standard) throws {
        try self.init(source: ByteSource(descriptor: descriptor, name: name, owned: true), limits: limits, fromRecord: 0)
    }

    private convenience init(source: ByteSource, limits: Limits, fromRecord: Int) throws {
        try self.init(beforeHeaderOf: source, limits: limits)
        header = try readHeader()
        if fromRecord > 0 { try skip(to: fromRecord) }
    }

    private init(beforeHeaderOf source: ByteSource, limits: Limits) throws {
        self.source = source
        self.limits = limits
        name = source.name
        recordIndex = -1
        frames = try FrameReader(source, windowLog: limits.windowLog, hashes: true)
    }

    /// Opens `source`, which starts with a zstd frame: as a stream if its first document is a stream header, else as
    /// that document.
    static func open(_ source: ByteSource, limits: Limits, documentLimits: Limits) throws -> TensorInput {
        let reader = try StreamReader(beforeHeaderOf: source, limits: limits)
        let frame = try reader.openFrame("the document", limits: documentLimits, mustNameSize: false)
        guard let header = StreamHeader(frame.contents) else {
            let frames = reader.frames
            return .document(unsafe DocumentReader(source, frame.contents, fill: { try unsafe frames.read(into: $0) }, close: { try frames.close() }))
        }
        try frame.header.requireSizeAndChecksum(source, subject: "the header")
        _ = try reader.closeFrame(frame) { try unsafe $0.document(pool: nil) { unsafe _ = $0 } }
        reader.header = header
        return .stream(reader)
    }

    /// The next record; nil after the last one, once the stream's end has been verified.
    ///
    /// - Throws: a ``Failure`` that says where the stream is damaged or truncated. Repeated calls throw the same
    ///   failure.
    public func next() throws -> TensorDocument? {
        frames.isKept = true
        return try record { contents, origin in
            var document = try unsafe contents.document(pool: pool) { try unsafe frames.read(into: $0) }
            document.origin = origin
            return document
        }
    }

    /// Reads the next record piece by piece; false after the last one, once the stream's end has been verified.
    public func next(_ visitor: inout some DocumentVisitor & ~Copyable) throws -> Bool {
        frames.isKept = false
        return try record { contents, origin in
            var outline = contents.outline
            outline.origin = origin
            try visitor.begin(outline)
            try unsafe contents.visit({ try visitor.take($0, of: $1, first: $2) }, fill: { try unsafe frames.read(into: $0) })
            return true
        } ?? false
    }

    /// Reads the next record with `read`; nil after the last one.
    private func record<Result>(_ read: (Safetensors.Contents, TensorDocument.Origin) throws -> Result) throws -> Result? {
        if let outcome {
            try outcome.get()
            return nil
        }
        do {
            let record = try readRecord(read)
            if record == nil { outcome = .success(()) }
            return record
        } catch let failure as Failure {
            outcome = .failure(failure)
            throw failure
        }
    }

    private func readHeader() throws -> StreamHeader {
        // Reads no more than needed: a program that answers through a pipe may write nothing else until it is asked
        // again.
        let start = try source.peek(4)
        func failure(_ what: String, _ remedy: String? = nil) -> Failure { Failure(.data, path: name, what, remedy: remedy) }
        guard !start.isEmpty else { throw failure("is empty where a tensor stream is expected", "the program that should write it may have failed") }
        if !start.starts(with: FrameHeader.magic.prefix(start.count)) {
            let more = unsafe Array(source.atHand.prefix(9))
            throw more.count == 9 && more[8] == UInt8(ascii: "{")
                ? failure("is a plain safetensors file, not a tensor stream", "give a stream such as augment or embed writes")
                : failure("is not a tensor stream: it does not start with a zstd frame")
        }
        let frame = try openFrame("the header", limits: limits)
        let contents = frame.contents
        if let header = StreamHeader(contents) {
            _ = try closeFrame(frame) { try unsafe $0.document(pool: nil) { unsafe _ = $0 } }
            return header
        }
        if let format = contents.metadata[StreamFormat.formatKey], format.hasPrefix(StreamFormat.family) {
            throw failure("has format \(format), but \(StreamFormat.format) is expected", "use a newer version")
        }
        throw contents.entries.isEmpty
            ? failure("is not a tensor stream: its first document does not say format = \(StreamFormat.format)")
            : failure("is a checkpoint or a single document, not a tensor stream", "give a stream such as augment or embed writes")
    }

    private func readRecord<Result>(_ read: (Safetensors.Contents, TensorDocument.Origin) throws -> Result) throws -> Result? {
        let number = recordIndex + 1
        guard try !source.isAtEnd() else { throw missingEnd(number) }
        let hash = frames.hash
        let frame = try openFrame("record \(number)", limits: limits)
        let contents = frame.contents
        if contents.entries.isEmpty, let end = contents.metadata[StreamFormat.endKey] {
            _ = try closeFrame(frame) { try unsafe $0.document(pool: nil) { unsafe _ = $0 } }
            try verifyEnd(end, contents.metadata, hash: hash, at: frame.start)
            return nil
        }
        let origin = TensorDocument.Origin(path: name, location: "record \(number)")
        let result = try closeFrame(frame) { try read($0, origin) }
        recordIndex = number
        return result
    }

    private func missingEnd(_ number: Int) -> Failure {
        let where_ = number == 0 ? "ends after its header" : "ends after record \(number - 1)"
        return Failure(.data, path: name, location: "byte \(source.position)", "\(where_) without its end record", remedy: "the program that wrote it stopped early")
    }

    /// A frame with one document, whose header has been read.
    private struct OpenFrame {
        /// The frame's name in messages.
        let subject: String
        let start: Int
        let header: FrameHeader
        let contents: Safetensors.Contents
    }

    private func openFrame(_ subject: String, limits: Limits, mustNameSize: Bool = true) throws -> OpenFrame {
        let start = source.position
        let header = try frames.open(subject: subject, limits: limits)
        if mustNameSize { try header.requireSizeAndChecksum(source, subject: subject) }
        return try telling(subject, start) {
            let contents = try unsafe Safetensors.header(size: header.contentSize, limits: limits) { try unsafe frames.read(into: $0) }
            return OpenFrame(subject: subject, start: start, header: header, contents: contents)
        }
    }

    /// Reads the frame's tensors with `read`, then its end.
    private func closeFrame<Result>(_ frame: OpenFrame, _ read: (Safetensors.Contents) throws -> Result) throws -> Result {
        try telling(frame.subject, frame.start) {
            let result = try read(frame.contents)
            try frames.close()
            let content = frame.header.contentSize ?? 0
            contentBytes += content
            index.entries.append(.init(compressed: UInt32(clamping: source.position - frame.start), content: UInt32(clamping: content)))
            return result
        }
    }

    /// Adds the location to failures of a document.
    private func telling<Result>(_ subject: String, _ start: Int, _ body: () throws -> Result) throws -> Result {
        do { return try body() } catch let failure as Failure where failure.path == nil && failure.kind != .usage {
            throw failure.within(name, offset: start, subject)
        }
    }

    private func verifyEnd(_ end: String, _ metadata: [String: String], hash: XXH64, at offset: Int) throws {
        func failure(_ what: String) -> Failure { Failure(.data, path: name, offset: offset, what, remedy: "make the file again") }
        guard end == "\(recordIndex + 1)" else { throw failure("the end record counts \(end) records where \(recordIndex + 1) were read") }
        hasChecksum = metadata[StreamFormat.checksumKey] != nil
        if hashIsWhole, let checksum = metadata[StreamFormat.checksumKey], checksum != hash.text {
            throw failure("the end record has checksum \(checksum) where the records have \(hash.text)")
        }
        if let kind = metadata[StreamFormat.indexKey] {
            guard kind == StreamFormat.indexKind else { throw failure("the end record announces an index of kind '\(kind)'") }
            let expected = index.bytes
            let start = source.position
            var found = [UInt8](repeating: 0, count: expected.count)
            let count = try unsafe found.withUnsafeMutableBytes { try unsafe source.read(into: $0) }
            guard found == expected else {
                let difference = zip(found, expected).prefix(count).enumerated().first { $1.0 != $1.1 }?.offset ?? count
                throw Failure(
                    .data, path: name, offset: start + difference, count < expected.count ? "the index is cut off" : "the index does not match the records",
                    remedy: "make the file again")
            }
        }
        guard try source.isAtEnd() else {
            throw Failure(.data, path: name, offset: source.position, "there are bytes after the end of the stream")
        }
    }

    /// Skips to record `record`, which the first call of ``next()`` then returns; call it only before that.
    public func skip(to record: Int) throws {
        precondition(recordIndex == -1 && outcome == nil, "records were read already")
        if let index = try SeekIndex.read(from: source) {
            let header = self.index
            guard index.entries.count >= 2, index.entries.starts(with: header.entries) else {
                throw Failure(.data, path: name, "the index at its end does not match its header", remedy: "make the file again")
            }
            let count = index.entries.count - 2
            guard record <= count else { throw tooFar(record, count) }
            self.index.entries = Array(index.entries[..<(record + 1)])
            try source.seek(to: index.offset(of: record + 1))
            hashIsWhole = false
            recordIndex = record - 1
        } else {
            while recordIndex + 1 < record {
                guard try next() != nil else { throw tooFar(record, recordIndex + 1) }
            }
        }
    }

    private func tooFar(_ record: Int, _ count: Int) -> Failure {
        Failure(.usage, path: name, "has \(count) records, so there is no record \(record)")
    }
}
