import Kernels
import Parallel

/// The directions in which features vary most, and the coordinates of each sample along them.
///
/// The rows are centred, X = features − mean. The first eigenvectors of C = XᵀX/N are found by subspace iteration with
/// a few more columns than wanted (Halko, Martinsson and Tropp, SIAM Review 2011): Q ← orthonormal(Xᵀ(XQ)), from a
/// fixed start. Each direction is signed so that its component with the largest magnitude is positive.
public struct PrincipalComponents: Sendable {
    /// The coordinates of each sample: (samples, k), X·v.
    public let coordinates: [Double]
    /// The variance along each direction.
    public let variances: [Double]
    /// The total variance.
    public let total: Double
    public let k: Int

    private static let more = 8, iterations = 60

    /// - Parameters:
    ///   - features: at least one sample.
    ///   - k: at most the dimension.
    public init(_ features: FeatureMatrix, k: Int) {
        let (N, D) = (features.samples, features.dimension), columns = min(D, k + Self.more)
        precondition(N > 0 && k > 0 && k <= D)
        self.k = k
        let X = Self.centred(features)
        total = Self.sum(N * D) { Double(X.pointer[$0]) * Double(X.pointer[$0]) } / Double(N)
        // A start direction for each column, all different.
        var Q = [Double](repeating: 0, count: D * columns)
        for d in 0..<D { for c in 0..<columns { Q[d * columns + c] = d % columns == c ? 1 : 1 / Double(2 + (d * 31 + c * 17) % 97) } }
        Self.orthonormalize(&Q, D, columns)
        var Y: [Double] = []
        for _ in 0..<Self.iterations {
            Y = Self.product(X, N, D, Q, columns)
            Q = Self.transposedProduct(X, N, D, Y, columns)
            Self.orthonormalize(&Q, D, columns)
        }
        // Rayleigh–Ritz: the eigenvectors of the small covariance within the subspace.
        Y = Self.product(X, N, D, Q, columns)
        var small = [Double](repeating: 0, count: columns * columns)
        for a in 0..<columns { for b in a..<columns {
            let value = Self.sum(N) { Y[$0 * columns + a] * Y[$0 * columns + b] } / Double(N)
            (small[a * columns + b], small[b * columns + a]) = (value, value)
        } }
        let (values, vectors) = Self.eigen(small, columns)
        var kept = [Double](repeating: 0, count: N * k)
        for c in 0..<k {
            // The direction itself is needed for its sign.
            let direction = (0..<D).map { d in (0..<columns).reduce(0.0) { $0 + Q[d * columns + $1] * vectors[$1 * columns + c] } }
            let sign = (direction.max { abs($0) < abs($1) } ?? 0) < 0 ? -1.0 : 1
            for n in 0..<N { kept[n * k + c] = sign * (0..<columns).reduce(0.0) { $0 + Y[n * columns + $1] * vectors[$1 * columns + c] } }
        }
        (coordinates, variances) = (kept, Array(values.prefix(k)))
    }

    private static func centred(_ features: FeatureMatrix) -> FloatBuffer {
        let (N, D) = (features.samples, features.dimension), X = FloatBuffer(N * D)
        var mean = [Double](repeating: 0, count: D)
        for n in 0..<N { for d in 0..<D { mean[d] += Double(features.row(n)[d]) / Double(N) } }
        for n in 0..<N { for d in 0..<D { X.pointer[n * D + d] = Float(Double(features.row(n)[d]) - mean[d]) } }
        return X
    }

    /// A sum in index order, independent of the threads.
    private static func sum(_ count: Int, _ term: (Int) -> Double) -> Double { (0..<count).reduce(0.0) { $0 + term($1) } }

    /// X·Q, (N, columns).
    private static func product(_ X: FloatBuffer, _ N: Int, _ D: Int, _ Q: [Double], _ columns: Int) -> [Double] {
        var Y = [Double](repeating: 0, count: N * columns)
        Y.withUnsafeMutableBufferPointer { Y in
            nonisolated(unsafe) let Y = Y
            Parallel.forEach((N + 63) / 64) { piece, _ in
                for n in piece * 64..<min(N, piece * 64 + 64) {
                    for d in 0..<D {
                        let x = Double(X.pointer[n * D + d])
                        for c in 0..<columns { Y[n * columns + c] += x * Q[d * columns + c] }
                    }
                }
            }
        }
        return Y
    }

    /// Xᵀ·Y, (D, columns).
    private static func transposedProduct(_ X: FloatBuffer, _ N: Int, _ D: Int, _ Y: [Double], _ columns: Int) -> [Double] {
        var Z = [Double](repeating: 0, count: D * columns)
        Z.withUnsafeMutableBufferPointer { Z in
            nonisolated(unsafe) let Z = Z
            Parallel.forEach((D + 15) / 16) { piece, _ in
                let own = piece * 16..<min(D, piece * 16 + 16)
                for n in 0..<N {
                    for d in own {
                        let x = Double(X.pointer[n * D + d])
                        for c in 0..<columns { Z[d * columns + c] += x * Y[n * columns + c] }
                    }
                }
            }
        }
        return Z
    }

    /// Gram–Schmidt, applied twice to remove the rounding error of the first pass. A column that depends linearly on
    /// those before it becomes zeros.
    private static func orthonormalize(_ Q: inout [Double], _ D: Int, _ columns: Int) {
        for c in 0..<columns {
            let before = (0..<D).reduce(0.0) { $0 + Q[$1 * columns + c] * Q[$1 * columns + c] }.squareRoot()
            for _ in 0..<2 {
                for b in 0..<c {
                    let share = (0..<D).reduce(0.0) { $0 + Q[$1 * columns + b] * Q[$1 * columns + c] }
                    for d in 0..<D { Q[d * columns + c] -= share * Q[d * columns + b] }
                }
            }
            let length = (0..<D).reduce(0.0) { $0 + Q[$1 * columns + c] * Q[$1 * columns + c] }.squareRoot()
            for d in 0..<D { Q[d * columns + c] = length > 1e-12 * before ? Q[d * columns + c] / length : 0 }
        }
    }

    /// The eigenvalues of a symmetric matrix, the largest first, and the eigenvectors as columns, by Jacobi rotations.
    private static func eigen(_ matrix: [Double], _ n: Int) -> (values: [Double], vectors: [Double]) {
        var A = matrix, V = (0..<n * n).map { $0 / n == $0 % n ? 1.0 : 0 }
        let scale = A.map(abs).max() ?? 0
        for _ in 0..<100 {
            var largest = 0.0
            for p in 0..<n { for q in p + 1..<max(p + 1, n) { largest = max(largest, abs(A[p * n + q])) } }
            if largest <= 1e-15 * scale { break }
            for p in 0..<n {
                for q in p + 1..<max(p + 1, n) where abs(A[p * n + q]) > 1e-300 {
                    let theta = (A[q * n + q] - A[p * n + p]) / (2 * A[p * n + q])
                    let t = (theta < 0 ? -1.0 : 1) / (abs(theta) + (theta * theta + 1).squareRoot()), c = 1 / (t * t + 1).squareRoot(), s = t * c
                    for i in 0..<n {
                        let (a, b) = (A[i * n + p], A[i * n + q])
                        (A[i * n + p], A[i * n + q]) = (c * a - s * b, s * a + c * b)
                    }
                    for i in 0..<n {
                        let (a, b) = (A[p * n + i], A[q * n + i])
                        (A[p * n + i], A[q * n + i]) = (c * a - s * b, s * a + c * b)
                    }
                    for i in 0..<n {
                        let (a, b) = (V[i * n + p], V[i * n + q])
                        (V[i * n + p], V[i * n + q]) = (c * a - s * b, s * a + c * b)
                    }
                }
            }
        }
        let order = (0..<n).sorted { (A[$1 * n + $1], $0) < (A[$0 * n + $0], $1) }
        return (order.map { max(0, A[$0 * n + $0]) }, (0..<n * n).map { V[$0 / n * n + order[$0 % n]] })
    }
}
