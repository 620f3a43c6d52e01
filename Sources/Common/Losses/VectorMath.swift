import Kernels

/// Vectorized functions that the standard library offers only for single numbers.
public enum VectorMath {
    /// Replaces every number x by eˣ. See `Vector.exponential` for its limits.
    public static func exponential(_ values: UnsafeMutableBufferPointer<Float>) {
        guard let base = values.baseAddress else { return }
        let whole = values.count & ~15
        for i in stride(from: 0, to: whole, by: 16) { base.store(.exponential(base.vector(i)), i) }
        guard whole < values.count else { return }
        let rest = values.count - whole
        base.store(.exponential(base.vector(whole, count: rest)), whole, count: rest)
    }
}
