/// The 64-bit FNV-1a hash (Fowler, Noll and Vo), which turns a name into part of a random key.
public enum FNV1a {
    public static func of(_ name: String) -> UInt64 { name.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 } }
}
