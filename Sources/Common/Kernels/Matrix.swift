import COpenBLAS

/// Products of row-major matrices by OpenBLAS.
///
/// OpenBLAS runs with one thread inside and is called from many threads of ours: that scales
/// fully, and every product has the same bits whatever the number of threads.
public enum Matrix {
    public enum Orientation: Sendable { case asIs, transposed }

    /// One thread inside OpenBLAS, from the first use on.
    private static let singleThreaded: Void = openblas_set_num_threads(1)

    /// Sets `c` (m, n) to a·b + beta·c, where a is (m, k) and b is (k, n) once oriented.
    ///
    /// - Parameters:
    ///   - lda: floats from a row of `a` as stored to the next; likewise `ldb` and `ldc`.
    ///   - beta: 0 sets `c`, whatever is in it; 1 adds to it.
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
