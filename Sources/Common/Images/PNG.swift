/// PNG images (ISO/IEC 15948), 8-bit RGB, uncompressed.
enum PNG {
    /// - Parameter pixels: height · width · 3 bytes.
    static func encode(_ pixels: [UInt8], width: Int, height: Int) -> [UInt8] {
        precondition(width > 0 && height > 0 && pixels.count == width * height * 3)
        var bytes: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
        append("IHDR", bigEndian(width) + bigEndian(height) + [8, 2, 0, 0, 0], to: &bytes)
        append("IDAT", stored(pixels, rowBytes: 3 * width), to: &bytes)
        append("IEND", [], to: &bytes)
        return bytes
    }

    /// A zlib stream (RFC 1950) of stored blocks (RFC 1951). Each row is preceded by a zero byte, which means that it
    /// is not filtered.
    private static func stored(_ pixels: [UInt8], rowBytes: Int) -> [UInt8] {
        var rows: [UInt8] = []
        rows.reserveCapacity(pixels.count + pixels.count / rowBytes)
        for start in stride(from: 0, to: pixels.count, by: rowBytes) {
            rows.append(0)
            rows += pixels[start..<start + rowBytes]
        }
        var stream: [UInt8] = [0x78, 0x01]
        stream.reserveCapacity(rows.count + rows.count / 1000 + 16)
        for start in stride(from: 0, to: rows.count, by: 65535) {
            let count = min(65535, rows.count - start)
            stream += [start + count == rows.count ? 1 : 0, UInt8(count & 255), UInt8(count >> 8), UInt8(~count & 255), UInt8(~count >> 8 & 255)]
            stream += rows[start..<start + count]
        }
        var (a, b) = (1, 0)
        for byte in rows {
            a = (a + Int(byte)) % 65521
            b = (b + a) % 65521
        }
        return stream + bigEndian(b << 16 | a)
    }

    private static func append(_ kind: String, _ data: [UInt8], to bytes: inout [UInt8]) {
        let chunk = Array(kind.utf8) + data
        bytes += bigEndian(data.count) + chunk + bigEndian(Int(checksum(chunk)))
    }

    private static func bigEndian(_ number: Int) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: number >> (24 - 8 * $0)) } }

    private static let table = (0..<256).map { byte -> UInt32 in
        (0..<8).reduce(UInt32(byte)) { value, _ in value & 1 == 1 ? value >> 1 ^ 0xEDB8_8320 : value >> 1 }
    }

    /// CRC-32.
    private static func checksum(_ bytes: [UInt8]) -> UInt32 {
        ~bytes.reduce(UInt32.max) { table[Int(UInt8(truncatingIfNeeded: $0) ^ $1)] ^ $0 >> 8 }
    }
}
