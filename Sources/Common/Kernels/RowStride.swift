/// Row strides in floats that keep rows of a matrix from evicting each other from the cache, whose sets repeat every 4
/// KB.
public enum RowStride {
    /// The stride for copied rows of `width` floats, which are readable up to whole panels.
    public static func padded(_ width: Int) -> Int {
        let whole = (width + 31) / 32 * 32
        return whole % 128 == 0 ? whole + 16 : whole
    }

    /// Whether rows of this many floats may be read in place.
    public static func spreads(_ width: Int) -> Bool { width % 1024 != 0 }
    /// The same if whole columns of them are read, as for gradients of weights.
    public static func spreadsBothWays(_ width: Int) -> Bool { width % 512 != 0 }
}
