import COpenBLAS

/// Products of row-major matrices on one thread of OpenBLAS; threads of our own call it side by side.
///
/// OpenBLAS's own threads gain little at these shapes, and its results change with their number.
enum MatrixProduct {
    private static let singleThreaded: Void = openblas_set_num_threads(1)

    /// c (m, n) = a·bᵀ, where a is (m, k), b is (n, k), and a row of c begins every `stride` numbers.
    static func timesTransposed(
        _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ c: UnsafeMutablePointer<Float>, m: Int, n: Int, k: Int, stride: Int
    ) {
        _ = singleThreaded
        cblas_sgemm(
            CblasRowMajor, CblasNoTrans, CblasTrans, CInt(m), CInt(n), CInt(k),
            1, a, CInt(k), b, CInt(k), 0, c, CInt(stride))
    }

    /// c (m, n) = a·b, or c += a·b when `adding`, where a is (m, k) with a row every `stride` numbers and b is (k, n).
    static func times(
        _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ c: UnsafeMutablePointer<Float>, m: Int, n: Int, k: Int, stride: Int, adding: Bool = false
    ) {
        _ = singleThreaded
        cblas_sgemm(
            CblasRowMajor, CblasNoTrans, CblasNoTrans, CInt(m), CInt(n), CInt(k),
            1, a, CInt(stride), b, CInt(n), adding ? 1 : 0, c, CInt(n))
    }

    /// Σ aᵢbᵢ, summed in double precision.
    static func dot(_ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ count: Int) -> Double {
        var sum = 0.0
        for i in 0..<count { sum += Double(a[i]) * Double(b[i]) }
        return sum
    }
}
