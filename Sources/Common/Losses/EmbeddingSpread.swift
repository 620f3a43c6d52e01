import Kernels
import Platform

/// How much L2-normalized rows differ from each other: detects collapse, where a method has found a shortcut.
public struct EmbeddingSpread: Sendable {
    /// The population standard deviation of the rows, averaged over dimensions, times √D: 1 if the directions are
    /// evenly spread, 0 if all are equal (Chen and He, "Exploring Simple Siamese Representation Learning", CVPR 2021,
    /// figure 2).
    public let deviation: Double?
    /// exp(−Σ p ln p), where p are the eigenvalues of the rows' covariance divided by their sum (Roy and Vetterli, "The
    /// effective rank", EUSIPCO 2007). nil if all rows are equal.
    public let effectiveRank: Double?

    /// The largest number of rows used for the rank.
    static let mostRows = 128

    /// - Returns: nil for fewer than two rows.
    public static func of(_ rows: UnsafeBufferPointer<Float>, dimension D: Int) -> EmbeddingSpread? {
        precondition(D > 0 && rows.count % D == 0)
        let N = rows.count / D
        guard N > 1 else { return nil }
        var sums = [Double](repeating: 0, count: D), squares = sums
        for start in stride(from: 0, to: rows.count, by: D) {
            for d in 0..<D {
                // Relative to the first row, so that a large common mean does not swamp the deviation.
                let x = Double(rows[start + d]) - Double(rows[d])
                sums[d] += x
                squares[d] += x * x
            }
        }
        let n = Double(N)
        let deviation = zip(sums, squares).reduce(0.0) { $0 + max(0, $1.1 / n - $1.0 * $1.0 / n / n).squareRoot() } / Double(D) * Double(D).squareRoot()
        return EmbeddingSpread(deviation: deviation, effectiveRank: rank(rows, N: min(N, mostRows), D: D))
    }

    /// Uses the Gram matrix (n, n) of the centred rows: it has the same nonzero eigenvalues as the covariance of n
    /// rows.
    private static func rank(_ rows: UnsafeBufferPointer<Float>, N: Int, D: Int) -> Double? {
        var mean = [Double](repeating: 0, count: D)
        for n in 0..<N { for d in 0..<D { mean[d] += Double(rows[n * D + d]) / Double(N) } }
        let centred = (0..<N * D).map { Float(Double(rows[$0]) - mean[$0 % D]) }
        var products = [Float](repeating: 0, count: N * N)
        centred.withUnsafeBufferPointer { X in
            products.withUnsafeMutableBufferPointer { G in
                if let X = X.baseAddress, let G = G.baseAddress { Matrix.multiply(X, lda: D, X, .transposed, ldb: D, into: G, ldc: N, m: N, n: N, k: D) }
            }
        }
        guard let values = SymmetricEigenvalues.of(products.map(Double.init), N) else { return nil }
        let total = values.reduce(0) { $0 + max(0, $1) }
        // Below this, the remainder is rounding error of rows that are all equal.
        guard total > 1e-9 * Double(N) else { return nil }
        let entropy = values.reduce(0.0) { sum, value in
            let p = max(0, value) / total
            return p > 0 ? sum - p * log(p) : sum
        }
        return exp(entropy)
    }
}

/// The eigenvalues of a symmetric matrix.
enum SymmetricEigenvalues {
    /// Householder reduction to tridiagonal form, then implicit QL steps (Golub and Van Loan, "Matrix Computations",
    /// sections 8.3 and 8.3.5).
    ///
    /// - Parameter matrix: (n, n).
    /// - Returns: nil if the matrix has non-finite entries or the steps do not converge.
    static func of(_ matrix: [Double], _ n: Int) -> [Double]? {
        precondition(matrix.count == n * n)
        guard n > 0, matrix.allSatisfy(\.isFinite) else { return nil }
        var a = matrix, d = [Double](repeating: 0, count: n), e = d
        a.withUnsafeMutableBufferPointer { a in tridiagonalize(a, &d, &e, n) }
        return diagonalize(&d, &e, n) ? d : nil
    }

    /// Sets d to the diagonal and e[1...] to the off-diagonal.
    private static func tridiagonalize(_ a: UnsafeMutableBufferPointer<Double>, _ d: inout [Double], _ e: inout [Double], _ n: Int) {
        var i = n - 1
        while i > 0 {
            defer { i -= 1 }
            let row = i * n
            let scale = (0..<i).reduce(0.0) { $0 + abs(a[row + $1]) }
            guard i > 1, scale > 0 else {
                e[i] = a[row + i - 1]
                continue
            }
            var h = 0.0
            for k in 0..<i {
                a[row + k] /= scale
                h += a[row + k] * a[row + k]
            }
            let f = a[row + i - 1], g = f >= 0 ? -h.squareRoot() : h.squareRoot()
            e[i] = scale * g
            h -= f * g
            a[row + i - 1] = f - g
            // p = A·u/h, K = u·p/2h, q = p − K·u; A ← A − q·uᵀ − u·qᵀ
            var product = 0.0
            for j in 0..<i {
                var sum = 0.0
                for k in 0...j { sum += a[j * n + k] * a[row + k] }
                for k in (j + 1)..<i { sum += a[k * n + j] * a[row + k] }
                e[j] = sum / h
                product += e[j] * a[row + j]
            }
            let half = product / (h + h)
            for j in 0..<i {
                let u = a[row + j]
                e[j] -= half * u
                for k in 0...j { a[j * n + k] -= u * e[k] + e[j] * a[row + k] }
            }
        }
        for i in 0..<n { d[i] = a[i * n + i] }
        e[0] = 0
    }

    /// - Returns: whether the iteration has converged.
    private static func diagonalize(_ d: inout [Double], _ e: inout [Double], _ n: Int) -> Bool {
        for i in 1..<max(1, n) { e[i - 1] = e[i] }
        e[n - 1] = 0
        for l in 0..<n {
            var rounds = 0
            while true {
                var m = l
                while m < n - 1 {
                    let size = abs(d[m]) + abs(d[m + 1])
                    if abs(e[m]) <= 1e-15 * size || abs(e[m]) < 1e-300 { break }
                    m += 1
                }
                if m == l { break }
                rounds += 1
                guard rounds <= 60 else { return false }
                var g = (d[l + 1] - d[l]) / (2 * e[l]), r = hypot(g, 1)
                g = d[m] - d[l] + e[l] / (g + (g >= 0 ? r : -r))
                var (s, c, p) = (1.0, 1.0, 0.0), i = m - 1, isCut = false
                while i >= l {
                    let f = s * e[i], b = c * e[i]
                    r = hypot(f, g)
                    e[i + 1] = r
                    if r == 0 {
                        d[i + 1] -= p
                        e[m] = 0
                        isCut = true
                        break
                    }
                    (s, c) = (f / r, g / r)
                    g = d[i + 1] - p
                    r = (d[i] - g) * s + 2 * c * b
                    p = s * r
                    d[i + 1] = g + p
                    g = c * r - b
                    i -= 1
                }
                if isCut { continue }
                d[l] -= p
                e[l] = g
                e[m] = 0
            }
        }
        return true
    }
}
