import CZstd
import ToolSupport

/// Decompresses zstd frames one after the other, and never reads past the end of the current one.
@safe final class FrameReader {
    let source: ByteSource
    /// The hash of every byte taken from the source since the first frame.
    private(set) var hash = XXH64()
    /// Whether to compute ``hash``.
    private let hashes: Bool
    private let context: OpaquePointer
    /// The name of the frame in messages: "record 17".
    private var subject = ""
    private var ended = true
    /// The frame's start in the source, and the number of bytes decompressed from it so far.
    private var start = 0, produced = 0

    /// Whether the decompressed frame stays in memory as a whole. Then its size must be plausible for data.
    var isKept = false

    /// The largest plausible compression ratio: measured data is never so uniform that it compresses this well.
    private static let mostRatio = 1000
    /// Up to this size a frame may have any compression ratio.
    private static let free = 128 << 20
    /// How many bytes are decompressed between checks of the size.
    private static let step = 16 << 20

    init(_ source: ByteSource, windowLog: Int, hashes: Bool) throws {
        guard let context = unsafe ZSTD_createDCtx() else { throw Failure(.io, "there is no memory for zstd") }
        self.source = source
        self.hashes = hashes
        unsafe self.context = unsafe context
        _ = unsafe ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, CInt(windowLog))
    }

    deinit { _ = unsafe ZSTD_freeDCtx(context) }

    /// Starts the frame that begins at the source's position.
    func open(subject: String, limits: Limits) throws -> FrameHeader {
        self.subject = subject
        let header = try FrameHeader(peeking: source, subject: subject)
        guard header.windowSize <= 1 << limits.windowLog else {
            throw failure("needs \(header.windowSize) bytes of memory to decompress, above the limit of \(1 << limits.windowLog)")
        }
        if let size = header.contentSize, size > limits.documentBytes {
            throw failure("holds \(size) bytes, above the limit of \(limits.documentBytes)")
        }
        _ = unsafe ZSTD_DCtx_reset(context, ZSTD_reset_session_only)
        (ended, start, produced) = (false, source.position, 0)
        return header
    }

    /// Fills `target` from the frame.
    func read(into target: UnsafeMutableRawBufferPointer) throws {
        let done = try unsafe decompress(into: target)
        guard done == target.count else {
            throw failure("ends \(target.count - done) bytes before its document does")
        }
    }

    /// Checks that the frame ends here, and consumes its end.
    func close() throws {
        var byte: UInt8 = 0
        let surplus = try unsafe withUnsafeMutableBytes(of: &byte) { try unsafe decompress(into: $0) }
        guard surplus == 0, ended else { throw failure("continues after the end of its document") }
    }

    /// Decompresses until `target` is full or the frame ends. Returns the number of bytes written.
    private func decompress(into target: UnsafeMutableRawBufferPointer) throws -> Int {
        var output = unsafe ZSTD_outBuffer(dst: target.baseAddress, size: target.count, pos: 0)
        // zstd may hold output although all input is taken, so wait for more input only when it makes no progress.
        var stalled = false
        while !ended, unsafe output.pos < target.count {
            // In small steps, since a few bytes may decompress to all of it.
            unsafe output.size = min(target.count, output.pos + FrameReader.step)
            let bytes = try unsafe stalled ? source.bytes() : source.atHand
            var input = unsafe ZSTD_inBuffer(src: bytes.baseAddress, size: bytes.count, pos: 0)
            let before = unsafe output.pos
            let result = unsafe ZSTD_decompressStream(context, &output, &input)
            if ZSTD_isError(result) != 0 { throw failure(FrameReader.words(result)) }
            if hashes { unsafe hash.update(UnsafeRawBufferPointer(rebasing: bytes[..<input.pos])) }
            unsafe source.skip(input.pos)
            ended = result == 0
            unsafe produced += output.pos - before
            guard !isKept || produced <= FrameReader.free || produced / FrameReader.mostRatio <= source.position - start else {
                throw failure("unpacks to more than \(FrameReader.mostRatio) times its size (and \(FrameReader.free >> 20) MiB), which no real data does")
            }
            let stands = unsafe !ended && input.pos == 0 && output.pos == before
            if stands, stalled, source.available == 0 { throw failure("is cut off; the program that wrote it stopped early") }
            stalled = stands
        }
        return unsafe output.pos
    }

    private func failure(_ what: String) -> Failure {
        Failure(.data, path: source.name, offset: source.position, "\(subject) \(what)")
    }

    private static func words(_ result: Int) -> String {
        switch ZSTD_getErrorCode(result) {
        case ZSTD_error_checksum_wrong: "does not match its checksum; make the file again"
        case ZSTD_error_frameParameter_windowTooLarge: "needs too much memory to decompress"
        default: "is damaged (zstd: \(unsafe String(cString: ZSTD_getErrorName(result)))); make the file again"
        }
    }
}
