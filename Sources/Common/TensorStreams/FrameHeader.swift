import ToolSupport

/// The header of a zstd frame (RFC 8878, 3.1.1.1), read before any memory is allocated.
struct FrameHeader {
    static let magic: [UInt8] = [0x28, 0xB5, 0x2F, 0xFD]

    var contentSize: Int?
    var windowSize: Int
    var hasChecksum: Bool

    /// Reads the header of the frame at the source's position without consuming it.
    ///
    /// - Throws: a ``Failure`` with its location; `subject` names the frame, as in "record 17".
    init(peeking source: ByteSource, subject: String) throws {
        func failure(_ what: String) -> Failure {
            Failure(.data, path: source.name, offset: source.position, "\(subject) \(what)")
        }
        let start = try source.peek(5)
        guard start.count == 5 else { throw failure("is cut off; the program that wrote it stopped early") }
        guard Array(start[..<4]) == FrameHeader.magic else { throw failure("is not a zstd frame") }
        let descriptor = start[4]
        let isSingleSegment = descriptor & 0x20 != 0
        guard descriptor & 0x18 == 0 else { throw failure("has a zstd frame header with reserved bits set") }
        guard descriptor & 3 == 0 else { throw failure("was compressed with a dictionary, which is not supported") }
        hasChecksum = descriptor & 4 != 0
        let sizeBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][Int(descriptor >> 6)]
        let count = 5 + (isSingleSegment ? 0 : 1) + sizeBytes
        let header = try source.peek(count)
        guard header.count == count else { throw failure("is cut off; the program that wrote it stopped early") }
        contentSize = nil
        if sizeBytes > 0 {
            let value = header.suffix(sizeBytes).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            guard let size = Int(exactly: value), size < 1 << 62 else { throw failure("claims \(value) bytes of content") }
            contentSize = size + (sizeBytes == 2 ? 256 : 0)
        }
        if isSingleSegment {
            windowSize = contentSize ?? 0
        } else {
            let base = 1 << (10 + Int(header[5] >> 3))
            windowSize = base + base / 8 * Int(header[5] & 7)
        }
    }

    /// Checks that the frame has its content size and a checksum, as the frames of a stream must.
    func requireSizeAndChecksum(_ source: ByteSource, subject: String) throws {
        func failure(_ what: String) -> Failure {
            Failure(.data, path: source.name, offset: source.position, "\(subject) \(what)")
        }
        guard contentSize != nil else { throw failure("does not state its size; compress it with the content size") }
        guard hasChecksum else { throw failure("has no checksum; compress it with zstd's content checksum") }
    }
}
