import Kernels
import Parallel
import Platform

/// Supervised contrastive learning within a batch: rows of the same class attract each other, all others repel.
///
/// P(i) is the set of other rows of row i's class, and a runs over all rows except i:
///
///     Lᵢ = −1/|P(i)| Σ_{p ∈ P(i)} ln( exp(zᵢ·z_p/τ) / Σₐ exp(zᵢ·zₐ/τ) )
///
/// Khosla et al., "Supervised Contrastive Learning", NeurIPS 2020, eq. 2 (L_out). A row of class −1 (none) or of a
/// class that no other row has, has no target: it repels the others, has loss 0 and is not counted in the mean.
public enum SupervisedContrastiveLoss {
    /// The loss of each row, and the gradient of the mean over the counted rows.
    ///
    /// The floor of a row is ln |P(i)|, reached when its positives share all of the weight evenly. Agreement is 1 if
    /// the most similar row has the same class.
    ///
    /// - Parameters:
    ///   - embeddings: L2-normalized rows (M, D); with V views of N images, M = V·N.
    ///   - labels: the class of each row (M), −1 for none.
    ///   - dimension: D.
    ///   - temperature: τ, positive; 0.1 in the paper, 0.07 in its repository.
    public static func evaluate(
        embeddings: UnsafeBufferPointer<Float>, labels: [Int32], dimension D: Int, temperature: Double = 0.1
    ) -> LossValues {
        let M = labels.count
        precondition(D > 0 && temperature > 0 && embeddings.count == M * D)
        var values = LossValues(
            loss: [Float](repeating: 0, count: M), gradient: [Float](repeating: 0, count: M * D),
            floor: [Float](repeating: 0, count: M), agreement: [Float](repeating: 0, count: M), counted: 0)
        var members = [Int32: Int]()
        for label in labels where label >= 0 { members[label, default: 0] += 1 }
        let positives = labels.map { $0 < 0 ? 0 : (members[$0] ?? 1) - 1 }
        values.counted = positives.count { $0 > 0 }
        guard values.counted > 0, let z = embeddings.baseAddress else { return values }

        // The similarities (M, M), which become A, the gradient with respect to zᵢ·zⱼ.
        let A = UnsafeMutablePointer<Float>.allocate(capacity: M * M)
        let both = UnsafeMutablePointer<Float>.allocate(capacity: M * M)
        defer {
            A.deallocate()
            both.deallocate()
        }
        let pieces = (M + 31) / 32
        let scale = 1 / temperature
        let share = scale / Double(values.counted)
        values.loss.withUnsafeMutableBufferPointer { loss in
            values.floor!.withUnsafeMutableBufferPointer { floor in
                values.agreement!.withUnsafeMutableBufferPointer { agreement in
                    let (loss, floor, agreement) = (loss.baseAddress!, floor.baseAddress!, agreement.baseAddress!)
                    Parallel.forEach(pieces) { piece, _ in
                        let rows = Parallel.part(piece, of: pieces, in: M)
                        let first = rows.lowerBound
                        Matrix.multiply(z + first * D, lda: D, z, .transposed, ldb: D, into: A + first * M, ldc: M, m: rows.count, n: M, k: D)
                        for i in rows {
                            let row = UnsafeMutableBufferPointer(start: A + i * M, count: M)
                            guard positives[i] > 0 else {
                                row.update(repeating: 0)
                                continue
                            }
                            let result = softmax(row, i: i, labels: labels, positives: positives[i], scale: scale, share: share)
                            loss[i] = result.loss
                            floor[i] = Float(log(Double(positives[i])))
                            agreement[i] = result.agrees ? 1 : 0
                        }
                    }
                }
            }
        }
        values.gradient.withUnsafeMutableBufferPointer { gradient in
            let gradient = gradient.baseAddress!
            // zᵢ is the anchor in row i of A, and appears in column i of all other rows: dz = (A + Aᵀ)·z.
            Parallel.forEach(pieces) { piece, _ in
                let rows = Parallel.part(piece, of: pieces, in: M)
                for i in rows { for j in 0..<M { both[i * M + j] = A[i * M + j] + A[j * M + i] } }
                let first = rows.lowerBound
                Matrix.multiply(both + first * M, lda: M, z, ldb: D, into: gradient + first * D, ldc: D, m: rows.count, n: D, k: M)
            }
        }
        return values
    }

    /// Computes row i's loss and replaces its similarities by (softmax − target)·share.
    private static func softmax(
        _ row: UnsafeMutableBufferPointer<Float>, i: Int, labels: [Int32], positives: Int, scale: Double, share: Double
    ) -> (loss: Float, agrees: Bool) {
        row[i] = -.infinity
        var nearest = i == 0 ? 1 : 0
        for j in row.indices where row[j] > row[nearest] { nearest = j }
        let peak = row[nearest]
        let factor = Float(scale)
        var similarity = 0.0
        for j in row.indices where j != i {
            if labels[j] == labels[i] { similarity += Double(row[j] - peak) }
            row[j] = (row[j] - peak) * factor
        }
        row[i] = -100
        VectorMath.exponential(row)
        var Z = 0.0
        for j in row.indices { Z += Double(row[j]) }
        let loss = log(Z) - similarity * Double(factor) / Double(positives)
        let weight = Float(share / Z)
        let target = Float(share / Double(positives))
        for j in row.indices { row[j] = row[j] * weight - (labels[j] == labels[i] && j != i ? target : 0) }
        return (Float(loss), labels[nearest] == labels[i])
    }
}
