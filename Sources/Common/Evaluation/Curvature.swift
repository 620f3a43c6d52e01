import COpenBLAS
import Kernels
import Parallel

/// An approximation of the Hessian of a logistic regression, which lets its solver take few steps where features are
/// correlated.
///
/// The Hessian of the mean cross entropy is the mean of (diag p − p·pᵀ) ⊗ x̃·x̃ᵀ with x̃ = (x, 1). With the factors
/// separated, it is about
///
///     κ·M + λ·I        M = mean of x̃·x̃ᵀ,  κ = mean of pⱼ(1 − pⱼ)
///
/// for every class. The inverse of that is the initial matrix of the L-BFGS step. It changes the path to the optimum,
/// not the optimum. So M is computed from a subset of the samples, spread evenly, eight for each dimension.
final class Curvature {
    private let sample: FeatureMatrix
    private let size: Int
    /// M, (dimension + 1, dimension + 1).
    private let moment: FloatBuffer
    /// The lower Cholesky factor of κ·M + λ·I.
    private let factor: FloatBuffer

    init(of features: FeatureMatrix) {
        let (N, D) = (features.samples, features.dimension)
        let count = min(N, 8 * D + 64)
        sample = features.rows((0..<count).map { $0 * N / count })
        size = D + 1
        moment = FloatBuffer(size * size)
        factor = FloatBuffer(size * size)
        let (sample, size, moment) = (sample, size, moment)
        // Blocks of rows of M: each is a sum over all samples, computed by one thread.
        Parallel.forEach((D + 63) / 64) { piece, _ in
            let rows = piece * 64..<min(D, piece * 64 + 64)
            Matrix.multiply(
                sample.row(0) + rows.lowerBound, .transposed, lda: D, sample.row(0), ldb: D,
                into: moment.pointer + rows.lowerBound * size, ldc: size, m: rows.count, n: D, k: count)
        }
        let last = moment.pointer + D * size
        for n in 0..<count { VectorAlgebra.add(1, sample.row(n), to: last, D) }
        last[D] = Float(count)
        let inverse = 1 / Float(count)
        for i in 0..<size * size { moment.pointer[i] *= inverse }
    }

    /// Prepares for the penalty λ, near the weights of `classifier`.
    func prepare(penalty: Double, at classifier: LinearClassifier) {
        let kappa = Float(max(1e-6, spread(of: classifier)))
        let trace = (0..<size).reduce(0) { $0 + moment.pointer[$1 * size + $1] }
        // The ridge that single precision needs to stay positive definite; an approximation may be that rough.
        let ridge = max(Float(penalty), 1e-5 * kappa * trace / Float(size))
        for i in 0..<size {
            let (row, source) = (factor.pointer + i * size, moment.pointer + i * size)
            // In the last row only the lower half is valid.
            for j in 0...i { row[j] = kappa * source[j] }
            row[i] += ridge
        }
        factorize()
    }

    /// Multiplies W (classes, dimension) and b (classes), which are adjacent in memory, by the inverse.
    func solve(_ parameters: UnsafeMutablePointer<Float>, classes: Int) {
        let (D, size, factor) = (size - 1, size, factor)
        let joined = FloatBuffer(classes * size)
        Parallel.forEach((classes + 15) / 16) { piece, _ in
            let first = piece * 16
            let count = min(16, classes - first)
            let rows = joined.pointer + first * size
            for c in 0..<count {
                (rows + c * size).update(from: parameters + (first + c) * D, count: D)
                rows[c * size + D] = parameters[classes * D + first + c]
            }
            // Y·(L·Lᵀ)⁻¹ = (Y·L⁻ᵀ)·L⁻¹
            for transposition in [CblasTrans, CblasNoTrans] {
                cblas_strsm(
                    CblasRowMajor, CblasRight, CblasLower, transposition, CblasNonUnit, blasint(count), blasint(size), 1, factor.pointer, blasint(size),
                    rows, blasint(size))
            }
            for c in 0..<count {
                (parameters + (first + c) * D).update(from: rows + c * size, count: D)
                parameters[classes * D + first + c] = rows[c * size + D]
            }
        }
    }

    /// The mean of p(1 − p) over the sample and the classes.
    private func spread(of classifier: LinearClassifier) -> Double {
        let C = classifier.classes
        let block = 256
        let pieces = (sample.samples + block - 1) / block
        let sample = sample
        let workers = Parallel.threads
        let scratch = FloatBuffer(workers * block * C)
        var sums = [Double](repeating: 0, count: pieces)
        sums.withUnsafeMutableBufferPointer { sums in
            nonisolated(unsafe) let sums = sums
            Parallel.forEach(pieces, workers: workers) { piece, worker in
                let p = scratch.pointer + worker * block * C
                let rows = min(block, sample.samples - piece * block)
                classifier.logits(sample, first: piece * block, rows: rows, into: p)
                for n in 0..<rows {
                    SoftmaxLoss.softmax(p + n * C, classes: C)
                    sums[piece] += 1 - VectorAlgebra.dot(p + n * C, p + n * C, C)
                }
            }
        }
        return sums.reduce(0, +) / Double(sample.samples * C)
    }

    /// Blocked Cholesky factorisation in place: factors a panel of columns, then updates the remaining matrix by
    /// products.
    private func factorize() {
        let width = 48
        let (size, A) = (size, factor.pointer)
        for first in stride(from: 0, to: size, by: width) {
            let end = min(size, first + width)
            for j in first..<end {
                let row = A + j * size
                var pivot = row[j]
                for k in first..<j { pivot -= row[k] * row[k] }
                // A pivot below the rounding error means that the direction is flat: take no step along it.
                row[j] = max(pivot, 1e-12).squareRoot()
                for i in j + 1..<max(end, j + 1) {
                    var value = A[i * size + j]
                    for k in first..<j { value -= A[i * size + k] * row[k] }
                    A[i * size + j] = value / row[j]
                }
            }
            guard end < size else { return }
            cblas_strsm(
                CblasRowMajor, CblasRight, CblasLower, CblasTrans, CblasNonUnit, blasint(size - end), blasint(end - first), 1,
                A + first * size + first, blasint(size), A + end * size + first, blasint(size))
            cblas_ssyrk(
                CblasRowMajor, CblasLower, CblasNoTrans, blasint(size - end), blasint(end - first), -1,
                A + end * size + first, blasint(size), 1, A + end * size + end, blasint(size))
        }
    }
}
