/// Eight integers below 2²³ stored as floats, which is exact, and conversions that stay in vector registers.
typealias FloatLanes = SIMD8<Float>

extension FloatLanes {
    /// 2²³: a float this large has no fractional bits, and its lowest bits are the number added to it.
    private static let anchor: Float = 0x1p23

    @inline(__always)
    init(whole x: SIMD8<UInt32>) { self = unsafeBitCast(x | FloatLanes.anchor.bitPattern, to: FloatLanes.self) - FloatLanes.anchor }

    /// The lowest byte of each lane; the lanes must be non-negative integers.
    @inline(__always)
    var bytes: SIMD8<UInt32> { unsafeBitCast(self + FloatLanes.anchor, to: SIMD8<UInt32>.self) & 255 }
}
