import Kernels
import Parallel

/// SwAV: each view's prototype scores predict the assignment of another view of the same image.
///
///     L = 1/A Σᵢ 1/(V − 1) Σ_{v≠i} meanₙ −Σₖ q_{i,nk} ln softmax(s_{v,n}/τ)ₖ     ∂L/∂s_{v,n} = 1/(A(V − 1)Nτ) Σ_{i≠v} (softmax(s_{v,n}/τ) − q_{i,n})
///
/// The assignments qᵢ of the first A views come from ``Sinkhorn``; no gradient flows through them. This is
/// ``AssignmentCrossEntropy`` with each view predicting the assignments of all other views (Caron et al., NeurIPS 2020,
/// eq. 2 and 6).
public struct SwappedPrediction: Sendable {
    /// τ.
    public let temperature: Double
    /// ε of the Sinkhorn assignments.
    public let epsilon: Double
    /// The number of Sinkhorn iterations.
    public let iterations: Int

    public init(temperature: Double, epsilon: Double, iterations: Int) {
        precondition(temperature > 0 && epsilon > 0 && iterations > 0)
        (self.temperature, self.epsilon, self.iterations) = (temperature, epsilon, iterations)
    }

    private static let pieceRows = 64

    /// - Parameters:
    ///   - scores: rows of K scores, one group of views after another. In a group of V views, row V·n + v is view v of
    ///     image n.
    ///   - views: the number of views in each group.
    ///   - queued: for each view of the first group, the scores (L, K) of earlier rows, which are assigned together
    ///     with the view's own; empty for none.
    /// - Returns: the loss, its gradient with respect to the scores, and the share of images for which the first view's
    ///   largest score and the second view's largest assignment are at the same prototype.
    public func evaluate(scores: [Float], N: Int, views: [Int], prototypes K: Int, queued: [[Float]] = []) -> (loss: Double, gradient: [Float], agreement: Double) {
        let V = views.reduce(0, +), A = views.first ?? 0
        precondition(N > 0 && K > 0 && A > 1 && scores.count == N * V * K && (queued.isEmpty || queued.count == A))
        let places = AssignmentCrossEntropy.places(N: N, views: views, prototypes: K)
        let assignments = (0..<A).map { view in
            var own = queued.isEmpty ? [] : queued[view]
            own.reserveCapacity(own.count + N * K)
            for n in 0..<N {
                let row = places[view].start + n * places[view].stride
                own += scores[row..<row + K]
            }
            return Sinkhorn.assignments(own, prototypes: K, epsilon: epsilon, iterations: iterations, last: N)
        }
        let result = AssignmentCrossEntropy(temperature: temperature).evaluate(
            scores: scores, N: N, views: views, prototypes: K, assignments: assignments, predicted: (0..<V).map { view in (0..<A).filter { $0 != view } })
        return (result.loss, result.gradient, result.agreement)
    }

    /// The scores (L, K) of rows (L, D) against prototypes (K, D).
    public static func scores(_ rows: [Float], prototypes: [Float], dimension D: Int) -> [Float] {
        precondition(D > 0 && rows.count % D == 0 && prototypes.count % D == 0)
        let L = rows.count / D, K = prototypes.count / D, pieces = (L + pieceRows - 1) / pieceRows
        var scores = [Float](repeating: 0, count: L * K)
        scores.withUnsafeMutableBufferPointer { scores in
            rows.withUnsafeBufferPointer { rows in
                prototypes.withUnsafeBufferPointer { prototypes in
                    guard let S = scores.baseAddress, let Z = rows.baseAddress, let C = prototypes.baseAddress else { return }
                    Parallel.forEach(pieces) { piece, _ in
                        let own = Parallel.part(piece, of: pieces, in: L), first = own.lowerBound
                        Matrix.multiply(Z + first * D, lda: D, C, .transposed, ldb: D, into: S + first * K, ldc: K, m: own.count, n: K, k: D)
                    }
                }
            }
        }
        return scores
    }
}
