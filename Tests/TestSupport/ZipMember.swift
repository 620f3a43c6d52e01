/// A member of a zip archive made by a test: the archive's description of it may be wrong.
public struct ZipMember {
    public var name: String
    /// The bytes as stored in the archive.
    public var bytes: [UInt8]
    /// 0 for stored, 8 for deflated.
    public var method: UInt16 = 0
    /// The sizes that the archive states; nil for the true sizes of a stored member.
    public var size: UInt64?
    public var packedSize: UInt64?
    public var checksum: UInt32?
    /// Whether sizes are in the zip64 extra field, and the offset that this field states.
    public var isZip64 = false
    public var offset: UInt64?

    public init(_ name: String, _ bytes: [UInt8]) { (self.name, self.bytes) = (name, bytes) }

    /// A copy with a change.
    public func with(_ change: (inout ZipMember) -> Void) -> ZipMember {
        var other = self
        change(&other)
        return other
    }

    /// An archive of these members.
    public static func archive(_ members: [ZipMember]) -> [UInt8] {
        var file: [UInt8] = [], list: [UInt8] = []
        for member in members {
            let start = UInt64(file.count), checksum = member.checksum ?? crc32(member.bytes), name = Array(member.name.utf8)
            let size = member.size ?? UInt64(member.bytes.count), packed = member.packedSize ?? UInt64(member.bytes.count), offset = member.offset ?? start
            // PKWARE's APPNOTE, 4.5.3: sizes, then the offset.
            let sizes = littleEndian(size) + littleEndian(packed)
            let (local, central) = (member.isZip64 ? [1, 0, 16, 0] + sizes : [], member.isZip64 ? [1, 0, 24, 0] + sizes + littleEndian(offset) : [])
            func short(_ value: UInt64) -> [UInt8] { littleEndian(member.isZip64 ? UInt32.max : UInt32(truncatingIfNeeded: value)) }
            func header(_ extra: [UInt8]) -> [UInt8] {
                let kind: [UInt8] = [45, 0, 0, 0] + littleEndian(member.method) + [0, 0, 0x21, 0] + littleEndian(checksum)
                return kind + short(packed) + short(size) + littleEndian(UInt16(name.count)) + littleEndian(UInt16(extra.count))
            }
            file += "PK\u{3}\u{4}".utf8 + header(local) + name + local + member.bytes
            list += "PK\u{1}\u{2}".utf8 + [45, 0] as [UInt8] + header(central) + [UInt8](repeating: 0, count: 10) + short(offset) + name + central
        }
        let count = littleEndian(UInt16(members.count))
        return file + list + "PK\u{5}\u{6}".utf8 + [0, 0, 0, 0] as [UInt8] + count + count + littleEndian(UInt32(list.count)) + littleEndian(UInt32(file.count)) + [0, 0]
    }

    /// A deflated member of these bytes followed by zeros, which take one byte for about 160 (RFC 1951, the fixed
    /// codes).
    public static func deflated(_ name: String, _ bytes: [UInt8], zeros: Int) -> ZipMember {
        var packed: [UInt8] = [], buffer: UInt32 = 0, count: UInt32 = 0
        // The first bit of a code first.
        func put(_ code: UInt32, _ bits: UInt32) {
            for bit in (0..<bits).reversed() {
                buffer |= (code >> bit & 1) << count
                count += 1
                if count == 8 {
                    packed.append(UInt8(buffer))
                    (buffer, count) = (0, 0)
                }
            }
        }
        func literal(_ byte: UInt8) { if byte < 144 { put(0x30 + UInt32(byte), 8) } else { put(0x190 + UInt32(byte) - 144, 9) } }
        put(0b110, 3)
        for byte in bytes { literal(byte) }
        if zeros > 0 { literal(0) }
        // 258 bytes of the previous value for every two codes.
        for _ in 0..<(max(0, zeros - 1) / 258) { put(0b1100_0101_00000, 13) }
        for _ in 0..<(max(0, zeros - 1) % 258) { literal(0) }
        put(0, 7)
        while count > 0 { put(0, 1) }
        return ZipMember(name, packed).with { $0.method = 8; $0.size = UInt64(bytes.count + zeros); $0.packedSize = UInt64(packed.count); $0.checksum = 0 }
    }

    private static func crc32(_ bytes: [UInt8]) -> UInt32 {
        var rest = UInt32.max
        for byte in bytes {
            rest ^= UInt32(byte)
            for _ in 0..<8 { rest = rest & 1 == 0 ? rest >> 1 : (rest >> 1) ^ 0xEDB8_8320 }
        }
        return ~rest
    }
}

/// A NumPy array of format 1.0 up to its numbers, `<f4` with this shape.
public func numpyHeader(shape: String) -> [UInt8] {
    let text = "{'descr': '<f4', 'fortran_order': False, 'shape': (\(shape)), }\n"
    return [0x93] + "NUMPY".utf8 + [1, 0] + littleEndian(UInt16(text.utf8.count)) + text.utf8
}
