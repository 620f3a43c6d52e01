import Kernels
import Parallel
import Platform

/// SwAV: each view's scores of prototypes shall be the assignment of another view of the image.
///
///     L = 1/A Σᵢ 1/(V − 1) Σ_{v≠i} meanₙ −Σₖ q_{i,nk} ln softmax(s_{v,n}/τ)ₖ     ∂L/∂s_{v,n} = 1/(A(V − 1)Nτ) Σ_{i≠v} (softmax(s_{v,n}/τ) − q_{i,n})
///
/// with assignments qᵢ of the first A views by ``Sinkhorn``, through which no gradient goes. Caron et al., NeurIPS 2020, eq. 2 and 6.
public struct SwappedPrediction: Sendable {
    /// τ.
    public let temperature: Double
    /// ε of the assignments.
    public let epsilon: Double
    /// Of the assignments.
    public let iterations: Int

    public init(temperature: Double, epsilon: Double, iterations: Int) {
        precondition(temperature > 0 && epsilon > 0 && iterations > 0)
        (self.temperature, self.epsilon, self.iterations) = (temperature, epsilon, iterations)
    }

    private static let pieceRows = 64, pieceImages = 4

    /// - Parameters:
    ///   - scores: rows of K numbers, of each group of views behind the one before: of a group of V views row V·n + v is view v of image n.
    ///   - views: in each group.
    ///   - queued: of each view of the first group the scores (L, K) of earlier rows, which are assigned together with its own; empty for none.
    /// - Returns: the loss, its gradient with respect to the scores, and the share of images of whose first view the largest score is where the second's assignment is largest.
    public func evaluate(scores: [Float], N: Int, views: [Int], prototypes K: Int, queued: [[Float]] = []) -> (loss: Double, gradient: [Float], agreement: Double) {
        let V = views.reduce(0, +), A = views.first ?? 0
        precondition(N > 0 && K > 0 && A > 1 && scores.count == N * V * K && (queued.isEmpty || queued.count == A))
        /// Where the row of each view of the first image begins, and how far on that of the next image is.
        var places: [(start: Int, stride: Int)] = [], start = 0
        for group in views {
            for view in 0..<group { places.append((start + view * K, group * K)) }
            start += N * group * K
        }
        let assignments = (0..<A).map { view in
            var own = queued.isEmpty ? [] : queued[view]
            own.reserveCapacity(own.count + N * K)
            for n in 0..<N {
                let row = places[view].start + n * places[view].stride
                own += scores[row..<row + K]
            }
            return Sinkhorn.assignments(own, prototypes: K, epsilon: epsilon, iterations: iterations, last: N)
        }
        let scale = Float(1 / temperature), share = 1 / (Double(A) * Double(V - 1) * Double(N)), pieces = (N + Self.pieceImages - 1) / Self.pieceImages
        var losses = [Double](repeating: 0, count: N), agreements = losses, gradient = [Float](repeating: 0, count: scores.count)
        losses.withUnsafeMutableBufferPointer { losses in
            agreements.withUnsafeMutableBufferPointer { agreements in
                gradient.withUnsafeMutableBufferPointer { gradient in
                    guard let losses = losses.baseAddress, let agreements = agreements.baseAddress, let gradient = gradient.baseAddress else { return }
                    Parallel.forEach(pieces) { piece, _ in
                        var target = [Float](repeating: 0, count: K)
                        for n in Parallel.part(piece, of: pieces, in: N) {
                            var loss = 0.0
                            for view in 0..<V {
                                let row = places[view].start + n * places[view].stride, p = gradient + row
                                let others = (0..<A).filter { $0 != view }
                                for k in 0..<K { target[k] = others.reduce(0) { $0 + assignments[$1][n * K + k] } }
                                var best = 0
                                for k in 0..<K where scores[row + k] > scores[row + best] { best = k }
                                let peak = scores[row + best]
                                var cross = 0.0, mass = 0.0, sum = 0.0
                                for k in 0..<K {
                                    let x = max(-100, (scores[row + k] - peak) * scale)
                                    cross += Double(target[k]) * Double(x)
                                    mass += Double(target[k])
                                    p[k] = x
                                }
                                VectorMath.exponential(UnsafeMutableBufferPointer(start: p, count: K))
                                for k in 0..<K { sum += Double(p[k]) }
                                loss += mass * log(sum) - cross
                                let weight = Float(share / temperature), own = Float(mass / sum)
                                for k in 0..<K { p[k] = weight * (own * p[k] - target[k]) }
                                if view == 0 {
                                    var nearest = 0
                                    for k in 0..<K where target[k] > target[nearest] { nearest = k }
                                    agreements[n] = nearest == best ? 1 : 0
                                }
                            }
                            losses[n] = loss * share
                        }
                    }
                }
            }
        }
        return (losses.reduce(0, +), gradient, agreements.reduce(0, +) / Double(N))
    }

    /// The scores (L, K) of rows (L, D) by prototypes (K, D).
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
