extension Vector {
    /// eˣ of sixteen numbers, with a relative error below 2·10⁻⁷ (2 units in the last place).
    ///
    /// Results below 2⁻¹²⁶ are 0 (a denormal would slow down the product it goes into), results above the
    /// largest number are infinite, and NaN stays NaN.
    ///
    /// With n = round(x·log₂e): eˣ = 2ⁿ·eʳ, r = x − n·ln 2 in [−½ln 2, ½ln 2]. The polynomial and ln 2
    /// in two parts are those of Cephes' `expf` (S. L. Moshier).
    @inlinable @inline(__always)
    public static func exponential(_ x: Vector) -> Vector {
        // Adding 1.5·2²³ leaves round(x·log₂e) in the low bits: no conversion that could trap on NaN.
        let shifted = Vector(repeating: 0x1.8p23).addingProduct(x, Vector(repeating: 1.442_695_04))
        let n = shifted - 0x1.8p23
        let r = x.addingProduct(n, Vector(repeating: -0.693_359_375)).addingProduct(n, Vector(repeating: 2.121_944_4e-4))
        var y = Vector(repeating: 1.398_199_950_7e-3).addingProduct(r, Vector(repeating: 1.987_569_15e-4))
        y = Vector(repeating: 8.333_451_907_3e-3).addingProduct(r, y)
        y = Vector(repeating: 4.166_579_589_4e-2).addingProduct(r, y)
        y = Vector(repeating: 1.666_666_545_9e-1).addingProduct(r, y)
        y = Vector(repeating: 5.000_000_120_1e-1).addingProduct(r, y)
        y = (r + 1).addingProduct(r * r, y)
        // 2ⁿ as 2·2ⁿ⁻¹, so that n = 128 works.
        let bits = unsafeBitCast(shifted, to: SIMD16<UInt32>.self)
        let half = unsafeBitCast((bits &+ 126) &<< 23, to: Vector.self)
        let scaled = (y + y) * half
        return scaled.replacing(with: 0, where: x .< -86.9).replacing(with: .infinity, where: x .> 88.8)
    }

    /// 1 / (1 + e⁻ˣ) of sixteen numbers, with a relative error below 4·10⁻⁷ where x > −86; 0 far below. NaN stays NaN.
    @inlinable @inline(__always)
    public static func sigmoid(_ x: Vector) -> Vector { 1 / (1 + exponential(-x)) }
}
