/// How alike L2-normalized rows are.
public enum MeanCosine {
    /// The mean cosine of two different rows of `rows` (N, D), all of unit length; nil of fewer than two.
    ///
    /// From the sum of all rows, ‖Σ x‖² = N + Σᵢ≠ⱼ xᵢ·xⱼ: so it takes N·D products, and unlike the squared length of the mean it is 0 on
    /// average for random rows, however few.
    public static func of(_ rows: UnsafeBufferPointer<Float>, dimension D: Int) -> Double? {
        precondition(D > 0 && rows.count % D == 0)
        let N = rows.count / D
        guard N > 1 else { return nil }
        var sums = [Double](repeating: 0, count: D)
        var own = 0.0
        for start in stride(from: 0, to: rows.count, by: D) {
            for d in 0..<D {
                let x = Double(rows[start + d])
                sums[d] += x
                own += x * x
            }
        }
        return (sums.reduce(0) { $0 + $1 * $1 } - own) / (Double(N) * Double(N - 1))
    }
}
