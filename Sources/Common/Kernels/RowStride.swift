/// Floats from a row of a matrix to the next: such that rows do not push each other out of the cache, whose lines repeat every 4 KB.
public enum RowStride {
    /// For rows of `width` floats that are copied: readable up to whole panels.
    public static func padded(_ width: Int) -> Int {
        let whole = (width + 31) / 32 * 32
        return whole % 128 == 0 ? whole + 16 : whole
    }

    /// Whether rows of this many floats may be read where they lie.
    public static func spreads(_ width: Int) -> Bool { width % 1024 != 0 }
    /// The same where whole columns of them are read, as for gradients of weights.
    public static func spreadsBothWays(_ width: Int) -> Bool { width % 512 != 0 }
}
