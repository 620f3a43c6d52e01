/// The 64-bit hash that zstd uses for frame checksums (XXH64 with seed 0, github.com/Cyan4973/xxHash,
/// doc/xxhash_spec.md).
///
/// A value type: a copy is the hash of the bytes so far.
public struct XXH64: Sendable {
    private static let primes: (UInt64, UInt64, UInt64, UInt64, UInt64) = (
        0x9E37_79B1_85EB_CA87, 0xC2B2_AE3D_27D4_EB4F, 0x1656_67B1_9E37_79F9, 0x85EB_CA77_C2B2_AE63, 0x27D4_EB2F_1656_67C5
    )

    private var lanes: (UInt64, UInt64, UInt64, UInt64) = (
        XXH64.primes.0 &+ XXH64.primes.1, XXH64.primes.1, 0, 0 &- XXH64.primes.0
    )
    /// Bytes that do not fill a stripe of 32 yet.
    private var rest: [UInt8] = []
    private var length: UInt64 = 0

    public init() {}

    @inline(__always) private static func rotate(_ value: UInt64, _ bits: UInt64) -> UInt64 {
        value &<< bits | value &>> (64 &- bits)
    }

    @inline(__always) private static func round(_ lane: UInt64, _ input: UInt64) -> UInt64 {
        rotate(lane &+ input &* primes.1, 31) &* primes.0
    }

    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        length &+= UInt64(bytes.count)
        var start = 0
        if !rest.isEmpty {
            start = min(32 - rest.count, bytes.count)
            unsafe rest.append(contentsOf: bytes[..<start])
            guard rest.count == 32 else { return }
            let stripe = rest
            unsafe stripe.withUnsafeBytes { unsafe _ = stripes($0, from: 0) }
            rest.removeAll(keepingCapacity: true)
        }
        start = unsafe stripes(bytes, from: start)
        unsafe rest.append(contentsOf: bytes[start...])
    }

    /// Hashes all whole stripes and returns the offset of the remaining bytes.
    private mutating func stripes(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Int {
        var (a, b, c, d) = lanes
        var position = start
        while position &+ 32 <= bytes.count {
            unsafe a = XXH64.round(a, UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self)))
            unsafe b = XXH64.round(b, UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: position &+ 8, as: UInt64.self)))
            unsafe c = XXH64.round(c, UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: position &+ 16, as: UInt64.self)))
            unsafe d = XXH64.round(d, UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: position &+ 24, as: UInt64.self)))
            position &+= 32
        }
        lanes = (a, b, c, d)
        return position
    }

    /// The hash of all bytes so far.
    public var value: UInt64 {
        let p = XXH64.primes
        var hash: UInt64
        if length >= 32 {
            let (a, b, c, d) = lanes
            hash = XXH64.rotate(a, 1) &+ XXH64.rotate(b, 7) &+ XXH64.rotate(c, 12) &+ XXH64.rotate(d, 18)
            for lane in [a, b, c, d] { hash = (hash ^ XXH64.round(0, lane)) &* p.0 &+ p.3 }
        } else {
            hash = p.4
        }
        hash &+= length
        var offset = 0
        func word(_ count: Int) -> UInt64 {
            (0..<count).reduce(0) { $0 | UInt64(rest[offset + $1]) << UInt64(8 * $1) }
        }
        while offset + 8 <= rest.count {
            hash = XXH64.rotate(hash ^ XXH64.round(0, word(8)), 27) &* p.0 &+ p.3
            offset += 8
        }
        if offset + 4 <= rest.count {
            hash = XXH64.rotate(hash ^ word(4) &* p.0, 23) &* p.1 &+ p.2
            offset += 4
        }
        while offset < rest.count {
            hash = XXH64.rotate(hash ^ word(1) &* p.4, 11) &* p.0
            offset += 1
        }
        hash = (hash ^ hash >> 33) &* p.1
        hash = (hash ^ hash >> 29) &* p.2
        return hash ^ hash >> 32
    }

    /// The hash as 16 hexadecimal digits.
    public var text: String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    /// The hash of a string's UTF-8, as 16 hexadecimal digits.
    public static func text(of string: String) -> String {
        var hash = XXH64()
        unsafe Array(string.utf8).withUnsafeBytes { unsafe hash.update($0) }
        return hash.text
    }
}
