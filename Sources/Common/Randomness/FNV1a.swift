/// The hash FNV-1a of 64 bits, by which a name becomes a part of a random key (Fowler, Noll and Vo).
public enum FNV1a {
    public static func of(_ name: String) -> UInt64 { name.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 } }
}
