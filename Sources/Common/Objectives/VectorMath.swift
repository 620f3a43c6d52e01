/// Sixteen numbers at a time: one AVX-512 register or two AVX2 ones.
typealias Lanes = SIMD16<Float>

/// Functions over many numbers that the standard library has for one at a time only.
public enum VectorMath {
    /// eˣ of sixteen numbers, within 2 units in the last place.
    ///
    /// Results below 2⁻¹²⁶ are 0 (a denormal would slow down the product it goes into), results above the
    /// largest number are infinite, and NaN stays NaN.
    ///
    /// With n = round(x·log₂e): eˣ = 2ⁿ·eʳ, r = x − n·ln 2 in [−½ln 2, ½ln 2]. The polynomial and ln 2
    /// in two parts are those of Cephes' `expf` (S. L. Moshier).
    @inline(__always)
    static func exponential(_ x: Lanes) -> Lanes {
        // Adding 1.5·2²³ leaves round(x·log₂e) in the low bits: no conversion that could trap on NaN.
        let shifted = Lanes(repeating: 0x1.8p23).addingProduct(x, Lanes(repeating: 1.442_695_04))
        let n = shifted - 0x1.8p23
        let r = x.addingProduct(n, Lanes(repeating: -0.693_359_375)).addingProduct(n, Lanes(repeating: 2.121_944_4e-4))
        var y = Lanes(repeating: 1.398_199_950_7e-3).addingProduct(r, Lanes(repeating: 1.987_569_15e-4))
        y = Lanes(repeating: 8.333_451_907_3e-3).addingProduct(r, y)
        y = Lanes(repeating: 4.166_579_589_4e-2).addingProduct(r, y)
        y = Lanes(repeating: 1.666_666_545_9e-1).addingProduct(r, y)
        y = Lanes(repeating: 5.000_000_120_1e-1).addingProduct(r, y)
        y = (r + 1).addingProduct(r * r, y)
        // 2ⁿ as 2·2ⁿ⁻¹, so that n = 128 works.
        let bits = unsafeBitCast(shifted, to: SIMD16<UInt32>.self)
        let half = unsafeBitCast((bits &+ 126) &<< 23, to: Lanes.self)
        let scaled = (y + y) * half
        return scaled.replacing(with: 0, where: x .< -86.9).replacing(with: .infinity, where: x .> 88.8)
    }

    /// Replaces every number x by eˣ; see the limits above.
    public static func exponential(_ values: UnsafeMutableBufferPointer<Float>) {
        guard let base = values.baseAddress else { return }
        let whole = values.count & ~15
        for i in stride(from: 0, to: whole, by: 16) { store(exponential(load(base + i)), base + i) }
        guard whole < values.count else { return }
        var last = Lanes(repeating: 0)
        for i in whole..<values.count { last[i - whole] = values[i] }
        last = exponential(last)
        for i in whole..<values.count { values[i] = last[i - whole] }
    }

    /// Σ aᵢbᵢ, in double precision.
    static func dot(_ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ count: Int) -> Double {
        var sum = 0.0
        for i in 0..<count { sum += Double(a[i]) * Double(b[i]) }
        return sum
    }

    @inline(__always)
    static func load(_ pointer: UnsafePointer<Float>) -> Lanes {
        UnsafeRawPointer(pointer).loadUnaligned(as: Lanes.self)
    }

    @inline(__always)
    static func load(_ pointer: UnsafeMutablePointer<Float>) -> Lanes {
        UnsafeRawPointer(pointer).loadUnaligned(as: Lanes.self)
    }

    @inline(__always)
    static func store(_ lanes: Lanes, _ pointer: UnsafeMutablePointer<Float>) {
        UnsafeMutableRawPointer(pointer).storeBytes(of: lanes, as: Lanes.self)
    }
}
