/// The checksum of zip members (ISO 3309, polynomial 0x04C11DB7 reflected).
///
/// It processes eight bytes at a time with eight tables (Kounavis and Berry, "A systematic approach to building high
/// performance software-based CRC generators", 2005).
struct CRC32 {
    private static let tables: [UInt32] = {
        var tables = [UInt32](repeating: 0, count: 8 * 256)
        for byte in 0..<256 {
            var sum = UInt32(byte)
            for _ in 0..<8 { sum = sum >> 1 ^ (sum & 1 == 1 ? 0xEDB8_8320 : 0) }
            tables[byte] = sum
        }
        for index in 256..<tables.count {
            let before = tables[index - 256]
            tables[index] = before >> 8 ^ tables[Int(before & 0xFF)]
        }
        return tables
    }()

    static func of(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        var sum = ~UInt32(0), position = 0
        unsafe tables.withUnsafeBufferPointer { table in
            @inline(__always) func entry(_ number: Int, _ byte: UInt64) -> UInt32 { unsafe table[256 * number + Int(byte & 0xFF)] }
            while position + 8 <= bytes.count {
                let word = unsafe UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self)) ^ UInt64(sum)
                sum = 0
                for number in 0..<8 { sum ^= entry(7 - number, word >> UInt64(8 * number)) }
                position += 8
            }
            while position < bytes.count {
                sum = unsafe sum >> 8 ^ entry(0, UInt64(sum) ^ UInt64(bytes[position]))
                position += 1
            }
        }
        return ~sum
    }
}
