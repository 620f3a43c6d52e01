/// The mean similarity of L2-normalized rows.
public enum MeanCosine {
    /// The mean cosine between two different rows of `rows` (N, D), all of unit length; nil for fewer than two rows.
    ///
    /// It follows from the sum of all rows: ‖Σ x‖² = N + Σᵢ≠ⱼ xᵢ·xⱼ. So it takes only N·D products. Unlike the squared
    /// length of the mean, it is 0 on average for random rows, however few.
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
