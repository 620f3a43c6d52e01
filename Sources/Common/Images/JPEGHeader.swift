import ToolSupport

/// The image size from the segments before a JPEG's first scan. Nothing is decoded.
///
///     let header = try JPEGHeader { try reader.read(into: $0, at: $1) }
///
/// It rejects what Pillow refuses to open (`JpegImageFile._open`, `Image.open`), and accepts what Pillow accepts: bytes
/// between segments, unknown revisions and transforms, lengths that no reader needs.
public struct JPEGHeader: Sendable, Equatable {
    public let width: Int
    public let height: Int
    /// 1 grey, 3 colour, 4 CMYK or YCCK.
    public let components: Int

    /// Supplies bytes: fills `buffer` with as many bytes from `offset` on as there are, and returns their number; 0 is
    /// the end.
    public typealias Read = (_ buffer: UnsafeMutableRawBufferPointer, _ offset: Int) throws -> Int

    /// - Throws: a ``Failure`` of kind `data`, without path, that says why this is not a JPEG image, and the errors of
    ///   `read`.
    public init(read: @escaping Read) throws {
        try self.init(Scanner(read: read))
    }

    /// The header of an image in memory, of which the part before the first scan is enough.
    public init(_ bytes: [UInt8]) throws {
        try self.init { buffer, offset in
            let count = max(0, min(buffer.count, bytes.count - offset))
            bytes.withUnsafeBytes { if count > 0 { buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[offset..<offset + count])) } }
            return count
        }
    }

    private init(_ scanner: consuming Scanner) throws {
        guard let first = try scanner.next() else { throw Failure(.data, "is empty") }
        let second = try scanner.next(), third = try scanner.next()
        guard first == 0xFF, second == 0xD8 else { throw Failure(.data, "is not a JPEG image: it does not begin with FF D8") }
        guard third == 0xFF else { throw Failure(.data, "is not a JPEG image: FF D8 is not followed by a marker") }
        var size: (width: Int, height: Int, components: Int)?
        var profile: [UInt8]?
        // The loop starts as if FF had just been read.
        search: while true {
            guard let code = try scanner.next() else { throw JPEGHeader.cut }
            switch code {
            case 0xFF: continue  // Padding before a marker.
            case 0xDA:
                try scanner.skip()
                break search
            case 0xC0...0xC3, 0xC5...0xC7, 0xC9...0xCB, 0xCD...0xCF, 0xDE: 
                // Pillow assembles the profile at the frame header, and reads the number of segments from the first of
                // the sorted ones.
                if let profile, profile.count < 2 { throw Failure(.data, "cannot be decoded: its segment ICC_PROFILE is cut short") }
                profile = nil
                size = try JPEGHeader.frame(&scanner)
            case 0xDB: try JPEGHeader.quantization(&scanner)
            case 0xE0: try JPEGHeader.application(&scanner, "JFIF")
            case 0xE2:
                guard let place = try JPEGHeader.named(&scanner, "ICC_PROFILE\0", keep: 2) else { break }
                profile = profile.map { place.lexicographicallyPrecedes($0) ? place : $0 } ?? place
            case 0xEE: try JPEGHeader.application(&scanner, "Adobe")
            case 0xC4, 0xCC, 0xDC, 0xDD, 0xDF, 0xE1, 0xE3...0xED, 0xEF, 0xFE: try scanner.skip()
            case 0x00, 0xC8, 0xD0...0xD9, 0xF0...0xFD: break
            default: throw Failure(.data, "cannot be decoded: FF \(JPEGHeader.hexadecimal(code)) is not a marker")
            }
            // Bytes between segments are skipped.
            repeat {
                guard let byte = try scanner.next() else { throw JPEGHeader.cut }
                if byte == 0xFF { break }
            } while true
        }
        guard let size else { throw Failure(.data, "cannot be decoded: it has no frame header before its scan") }
        guard size.width > 0, size.height > 0 else { throw Failure(.data, "cannot be decoded: its size is \(size.width)×\(size.height)") }
        guard size.width * size.height <= JPEG.maximumPixels else {
            throw Failure(.data, "has \(size.width)×\(size.height) pixels, above the limit of \(JPEG.maximumPixels)")
        }
        (width, height, components) = size
    }

    private static let cut = Failure(.data, "cannot be decoded: it ends before its first scan")

    private static func frame(_ scanner: inout Scanner) throws -> (Int, Int, Int) {
        let length = try scanner.length(), start = scanner.position
        var bytes = (0, [Int](repeating: 0, count: 6))
        while bytes.0 < min(length, 6) {
            guard let byte = try scanner.next() else { throw cut }
            bytes.1[bytes.0] = Int(byte)
            bytes.0 += 1
        }
        guard bytes.0 == 6 else { throw Failure(.data, "cannot be decoded: its frame header has \(length) bytes") }
        let values = bytes.1
        guard values[0] == 8 else { throw Failure(.data, "cannot be decoded: it has \(values[0]) bits per colour, not 8") }
        guard [1, 3, 4].contains(values[5]) else { throw Failure(.data, "cannot be decoded: it has \(values[5]) colours, not 1, 3 or 4") }
        try scanner.skip(to: start + length)
        return (values[3] << 8 | values[4], values[1] << 8 | values[2], values[5])
    }

    private static func quantization(_ scanner: inout Scanner) throws {
        let length = try scanner.length()
        var rest = length
        while rest > 0 {
            guard let kind = try scanner.next() else { throw cut }
            let count = kind < 16 ? 64 : 128
            rest -= 1 + count
            guard rest >= 0 else { throw Failure(.data, "cannot be decoded: a quantization table is cut short") }
            try scanner.skip(to: scanner.position + count)
        }
    }

    /// An application segment, of which Pillow reads the version, bytes 5 and 6; a segment that ends before that is
    /// rejected.
    private static func application(_ scanner: inout Scanner, _ name: String) throws {
        guard let version = try named(&scanner, name, keep: 7 - name.utf8.count), version.count < 7 - name.utf8.count else { return }
        throw Failure(.data, "cannot be decoded: its segment \(name) is cut short")
    }

    /// Skips an application segment. Returns up to `keep` of the bytes after its name if it begins with `name`.
    private static func named(_ scanner: inout Scanner, _ name: String, keep: Int) throws -> [UInt8]? {
        let length = try scanner.length(), start = scanner.position
        var isNamed = length >= name.utf8.count
        for letter in name.utf8 where isNamed { isNamed = try scanner.next() == letter }
        var kept: [UInt8] = []
        while isNamed, kept.count < min(keep, length - name.utf8.count), let byte = try scanner.next() { kept.append(byte) }
        try scanner.skip(to: start + length)
        return isNamed ? kept : nil
    }

    private static func hexadecimal(_ byte: UInt8) -> String {
        (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
    }

    /// Reads single bytes from a buffer, and skips segments without reading them.
    private struct Scanner: ~Copyable {
        private let read: Read
        private var buffer = [UInt8](repeating: 0, count: 4096)
        private var start = 0
        private var count = 0
        private(set) var position = 0

        init(read: @escaping Read) { self.read = read }

        /// The next byte; nil at the end.
        mutating func next() throws -> UInt8? {
            if position < start || position >= start + count {
                start = position
                count = try buffer.withUnsafeMutableBytes { try read($0, start) }
                if count == 0 { return nil }
            }
            position += 1
            return buffer[position - 1 - start]
        }

        /// The number of bytes that follow a segment's length field, which counts itself.
        mutating func length() throws -> Int {
            guard let high = try next(), let low = try next() else { throw JPEGHeader.cut }
            return max(0, Int(high) << 8 + Int(low) - 2)
        }

        mutating func skip() throws {
            let length = try length()
            try skip(to: position + length)
        }

        /// Skips to `target`; all bytes before it must exist.
        mutating func skip(to target: Int) throws {
            guard target > position else { return }
            position = target - 1
            guard try next() != nil else { throw JPEGHeader.cut }
        }
    }
}
