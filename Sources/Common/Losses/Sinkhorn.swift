import Kernels
import Parallel

/// Equipartitioned assignments of rows to prototypes from scores, by the Sinkhorn–Knopp algorithm.
///
///     Q = diag(v)·exp((S − max S)/ε)·diag(u)     uₖ = 1/(K·Σ_b v_b·E_bk)     v_b = 1/(B·Σₖ E_bk·uₖ)     q = B·Q
///
/// Cuturi, "Sinkhorn Distances", NeurIPS 2013, as in Caron et al., "Unsupervised Learning of Visual Features by
/// Contrasting Cluster Assignments", NeurIPS 2020, eq. 3 to 5. Prototypes are scaled first, then rows, so that a row of
/// q sums to 1. The largest score is subtracted, as in VISSL but not in SwAV's code; u absorbs the difference.
/// Exponents are clamped at −80, so that they stay above the smallest single-precision number and every prototype has
/// weight.
public enum Sinkhorn {
    private static let lowest: Float = -80, pieceRows = 64, pieceColumns = 256

    /// - Parameters:
    ///   - scores: S (B, K), finite.
    ///   - epsilon: ε, positive.
    ///   - iterations: with 0 the assignments are softmax(S/ε), each row by itself.
    ///   - count: the number of last rows whose assignments are returned.
    /// - Returns: q (count, K).
    public static func assignments(_ scores: [Float], prototypes K: Int, epsilon: Double, iterations: Int, last count: Int) -> [Float] {
        precondition(K > 0 && scores.count % K == 0 && epsilon > 0 && iterations >= 0)
        let B = scores.count / K
        precondition((0...B).contains(count))
        guard B > 0, count > 0 else { return [] }
        if iterations == 0 { return softmax(Array(scores.suffix(count * K)), K, Float(1 / epsilon)) }
        let peak = scores.max() ?? 0, scale = Float(1 / epsilon)
        var kernel = scores, u = [Double](repeating: 1, count: K), v = [Double](repeating: 1, count: B), result = [Float](repeating: 0, count: count * K)
        let rows = (B + pieceRows - 1) / pieceRows, columns = (K + pieceColumns - 1) / pieceColumns
        kernel.withUnsafeMutableBufferPointer { kernel in
            guard let E = kernel.baseAddress else { return }
            Parallel.forEach(rows) { piece, _ in
                let own = Parallel.part(piece, of: rows, in: B)
                for i in own.lowerBound * K..<own.upperBound * K { E[i] = max(lowest, (E[i] - peak) * scale) }
                VectorMath.exponential(UnsafeMutableBufferPointer(start: E + own.lowerBound * K, count: own.count * K))
            }
            u.withUnsafeMutableBufferPointer { u in
                v.withUnsafeMutableBufferPointer { v in
                    guard let u = u.baseAddress, let v = v.baseAddress else { return }
                    for _ in 0..<iterations {
                        Parallel.forEach(columns) { piece, _ in
                            let own = Parallel.part(piece, of: columns, in: K)
                            for k in own { u[k] = 0 }
                            for b in 0..<B {
                                let row = E + b * K, weight = v[b]
                                for k in own { u[k] += weight * Double(row[k]) }
                            }
                            for k in own { u[k] = 1 / (Double(K) * u[k]) }
                        }
                        Parallel.forEach(rows) { piece, _ in
                            for b in Parallel.part(piece, of: rows, in: B) {
                                let row = E + b * K
                                var sum = 0.0
                                for k in 0..<K { sum += Double(row[k]) * u[k] }
                                v[b] = 1 / (Double(B) * sum)
                            }
                        }
                    }
                    for n in 0..<count {
                        let b = B - count + n
                        for k in 0..<K { result[n * K + k] = Float(Double(B) * v[b] * u[k] * Double(E[b * K + k])) }
                    }
                }
            }
        }
        return result
    }

    /// softmax(scale·S) of each row.
    private static func softmax(_ scores: [Float], _ K: Int, _ scale: Float) -> [Float] {
        var result = scores
        let B = scores.count / K, pieces = (B + pieceRows - 1) / pieceRows
        result.withUnsafeMutableBufferPointer { result in
            guard let E = result.baseAddress else { return }
            Parallel.forEach(pieces) { piece, _ in
                for b in Parallel.part(piece, of: pieces, in: B) {
                    let row = UnsafeMutableBufferPointer(start: E + b * K, count: K)
                    let peak = row.max() ?? 0
                    for k in 0..<K { row[k] = max(lowest, (row[k] - peak) * scale) }
                    VectorMath.exponential(row)
                    let sum = row.reduce(0.0) { $0 + Double($1) }
                    for k in 0..<K { row[k] = Float(Double(row[k]) / sum) }
                }
            }
        }
        return result
    }
}
