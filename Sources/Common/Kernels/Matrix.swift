import COpenBLAS

/// Products of row-major matrices by OpenBLAS.
///
/// OpenBLAS runs single-threaded and is called from many of our threads. This scales fully, and every product is
/// bit-identical for any number of threads.
public enum Matrix {
    public enum Orientation: Sendable { case asIs, transposed }

    /// Limits OpenBLAS to one thread, from the first use on.
    private static let singleThreaded: Void = openblas_set_num_threads(1)

    /// Sets `c` (m, n) to a·b + beta·c, where a is (m, k) and b is (k, n) after transposition.
    ///
    /// - Parameters:
    ///   - lda: the row stride of `a` as stored, in floats; likewise `ldb` and `ldc`.
    ///   - beta: 0 overwrites `c`, whatever it contains; 1 adds to it.
    public static func multiply(
        _ a: UnsafePointer<Float>, _ aIs: Orientation = .asIs, lda: Int,
        _ b: UnsafePointer<Float>, _ bIs: Orientation = .asIs, ldb: Int,
        into c: UnsafeMutablePointer<Float>, ldc: Int,
        m: Int, n: Int, k: Int, beta: Float = 0
    ) {
        _ = singleThreaded
        cblas_sgemm(
            CblasRowMajor, aIs == .asIs ? CblasNoTrans : CblasTrans, bIs == .asIs ? CblasNoTrans : CblasTrans,
            blasint(m), blasint(n), blasint(k), 1, a, blasint(lda), b, blasint(ldb), beta, c, blasint(ldc))
    }
}
