import Kernels
import Parallel

/// Barlow Twins: drives the cross-correlation of two views' batch-normalised outputs to the identity.
///
/// x̂ is x with each column's mean subtracted, divided by √(σ² + 1e-5), where σ² is the biased variance over the batch.
/// With C = ẑ₁ᵀ·ẑ₂/N,
///
///     L = Σᵢ (Cᵢᵢ − 1)² + λ Σᵢ Σⱼ≠ᵢ Cᵢⱼ²
///     ∂L/∂ẑ₁ = (2λ·G₂·ẑ₁/N + ẑ₂·diag(2(Cᵢᵢ − 1) − 2λCᵢᵢ))/N        G₂ = ẑ₂·ẑ₂ᵀ, and likewise with 1 and 2 exchanged
///
/// Zbontar et al., "Barlow Twins: Self-Supervised Learning via Redundancy Reduction", ICML 2021, eq. 1 and 2. C has D²
/// entries and is never formed: ‖C‖² is the inner product of G₁ and G₂, both (N, N), divided by N².
public enum BarlowTwinsLoss {
    /// The ε of batch normalisation.
    static let epsilon = 1e-5

    /// - Parameters:
    ///   - first: z₁ (N, D).
    ///   - second: z₂ (N, D).
    ///   - lambda: λ.
    /// - Returns: L, its gradients with respect to z₁ and z₂, the mean of Cᵢᵢ, and the root mean square of the
    ///   off-diagonal Cᵢⱼ (nil if D = 1).
    public static func evaluate(
        first: [Float], second: [Float], N: Int, D: Int, lambda: Double
    ) -> (loss: Double, gradients: ([Float], [Float]), onDiagonal: Double, offDiagonal: Double?) {
        precondition(N > 0 && D > 0 && first.count == N * D && second.count == N * D)
        let (a, b) = (Columns(first, N: N, D: D), Columns(second, N: N, D: D))
        let (A, B) = (gram(a.values, N: N, D: D), gram(b.values, N: N, D: D))
        var diagonal = [Double](repeating: 0, count: D)
        for n in 0..<N { for d in 0..<D { diagonal[d] += Double(a.values[n * D + d]) * Double(b.values[n * D + d]) } }
        for d in 0..<D { diagonal[d] /= Double(N) }
        let all = zip(A, B).reduce(0.0) { $0 + Double($1.0) * Double($1.1) } / Double(N) / Double(N)
        let own = diagonal.reduce(0) { $0 + $1 * $1 }, others = max(0, all - own)
        let loss = diagonal.reduce(0) { $0 + ($1 - 1) * ($1 - 1) } + lambda * others
        let weights = diagonal.map { Float((2 * ($0 - 1) - 2 * lambda * $0) / Double(N)) }, scale = Float(2 * lambda / Double(N) / Double(N))
        /// The gradient of one view, from its own normalised values and those of the other view.
        func gradient(_ own: Columns, _ other: Columns, _ products: [Float]) -> [Float] {
            var d = multiply(products, own.values, N: N, D: D)
            for n in 0..<N { for i in 0..<D { d[n * D + i] = scale * d[n * D + i] + weights[i] * other.values[n * D + i] } }
            return own.backward(d)
        }
        return (
            loss, (gradient(a, b, B), gradient(b, a, A)), diagonal.reduce(0, +) / Double(D),
            D > 1 ? (others / Double(D) / Double(D - 1)).squareRoot() : nil)
    }

    private static let pieceRows = 16

    /// X·Xᵀ (N, N).
    private static func gram(_ X: [Float], N: Int, D: Int) -> [Float] {
        var result = [Float](repeating: 0, count: N * N)
        X.withUnsafeBufferPointer { X in
            result.withUnsafeMutableBufferPointer { G in
                guard let X = X.baseAddress, let G = G.baseAddress else { return }
                let pieces = (N + pieceRows - 1) / pieceRows
                Parallel.forEach(pieces) { piece, _ in
                    let rows = Parallel.part(piece, of: pieces, in: N), first = rows.lowerBound
                    Matrix.multiply(X + first * D, lda: D, X, .transposed, ldb: D, into: G + first * N, ldc: N, m: rows.count, n: N, k: D)
                }
            }
        }
        return result
    }

    /// G·X (N, D), where G is (N, N).
    private static func multiply(_ G: [Float], _ X: [Float], N: Int, D: Int) -> [Float] {
        var result = [Float](repeating: 0, count: N * D)
        G.withUnsafeBufferPointer { G in
            X.withUnsafeBufferPointer { X in
                result.withUnsafeMutableBufferPointer { Y in
                    guard let G = G.baseAddress, let X = X.baseAddress, let Y = Y.baseAddress else { return }
                    let pieces = (N + pieceRows - 1) / pieceRows
                    Parallel.forEach(pieces) { piece, _ in
                        let rows = Parallel.part(piece, of: pieces, in: N), first = rows.lowerBound
                        Matrix.multiply(G + first * N, lda: N, X, ldb: D, into: Y + first * D, ldc: D, m: rows.count, n: D, k: N)
                    }
                }
            }
        }
        return result
    }

    /// Columns normalised to mean 0 and variance 1, and the backward pass.
    private struct Columns {
        let N: Int
        let D: Int
        private(set) var values: [Float]
        private var inverse: [Double]

        init(_ x: [Float], N: Int, D: Int) {
            (self.N, self.D) = (N, D)
            var mean = [Double](repeating: 0, count: D), variance = mean
            for n in 0..<N { for d in 0..<D { mean[d] += Double(x[n * D + d]) } }
            for d in 0..<D { mean[d] /= Double(N) }
            for n in 0..<N {
                for d in 0..<D {
                    let difference = Double(x[n * D + d]) - mean[d]
                    variance[d] += difference * difference
                }
            }
            inverse = variance.map { 1 / ($0 / Double(N) + epsilon).squareRoot() }
            values = x
            for n in 0..<N { for d in 0..<D { values[n * D + d] = Float((Double(x[n * D + d]) - mean[d]) * inverse[d]) } }
        }

        /// dx = (dx̂ − mean(dx̂) − x̂·mean(dx̂·x̂)) / √(σ² + ε)
        func backward(_ dy: [Float]) -> [Float] {
            var mean = [Double](repeating: 0, count: D), along = mean
            for n in 0..<N {
                for d in 0..<D {
                    mean[d] += Double(dy[n * D + d]) / Double(N)
                    along[d] += Double(dy[n * D + d]) * Double(values[n * D + d]) / Double(N)
                }
            }
            var dx = dy
            for n in 0..<N {
                for d in 0..<D { dx[n * D + d] = Float((Double(dy[n * D + d]) - mean[d] - Double(values[n * D + d]) * along[d]) * inverse[d]) }
            }
            return dx
        }
    }
}
