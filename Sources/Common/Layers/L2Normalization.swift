import Kernels
import Parallel

/// L2 normalisation of rows, forward and backward.
///
/// | array | shape  |                          |
/// |-------|--------|--------------------------|
/// | x, dx | (N, D) | rows of any length       |
/// | y, dy | (N, D) | rows of length 1         |
/// | norm  | (N)    | max(‖x‖, 1e-12)          |
public enum L2Normalization {
    /// The minimum norm to divide by, as in PyTorch's `normalize`.
    public static let smallest = 1e-12

    private static let pieceRows = 32

    /// Sets `y` and `norm`: y = x / max(‖x‖, 1e-12). `y` may be `x`.
    public static func forward(
        y: UnsafeMutableBufferPointer<Float>, norm: UnsafeMutableBufferPointer<Float>, x: UnsafeBufferPointer<Float>, N: Int, D: Int
    ) {
        precondition(x.count == N * D && y.count == N * D && norm.count == N && D > 0)
        guard N > 0, let x = x.baseAddress, let y = y.baseAddress, let norm = norm.baseAddress else { return }
        let pieces = (N + pieceRows - 1) / pieceRows
        Parallel.forEach(pieces) { piece, _ in
            for n in Parallel.part(piece, of: pieces, in: N) {
                let length = max(Rows.dot(x + n * D, x + n * D, D).squareRoot(), smallest)
                for d in 0..<D { y[n * D + d] = Float(Double(x[n * D + d]) / length) }
                norm[n] = Float(length)
            }
        }
    }

    /// Normalises `rows` (N, D) in place and returns their norms (N).
    @discardableResult
    public static func normalize(_ rows: inout [Float], D: Int) -> [Float] {
        let N = rows.count / D
        var norm = [Float](repeating: 0, count: N)
        rows.withUnsafeMutableBufferPointer { y in
            norm.withUnsafeMutableBufferPointer { norm in forward(y: y, norm: norm, x: UnsafeBufferPointer(y), N: N, D: D) }
        }
        return norm
    }

    /// Sets `dx`, which may be `dy`.
    ///
    /// From y = x/‖x‖:
    ///
    ///     dx = (dy − y·(y·dy)) / ‖x‖
    ///
    /// For a row with ‖x‖ below 1e-12, dx = dy/1e-12.
    public static func backward(
        dx: UnsafeMutableBufferPointer<Float>, dy: UnsafeBufferPointer<Float>, y: UnsafeBufferPointer<Float>,
        norm: UnsafeBufferPointer<Float>, N: Int, D: Int
    ) {
        precondition(dx.count == N * D && dy.count == N * D && y.count == N * D && norm.count == N && D > 0)
        guard N > 0, let dx = dx.baseAddress, let dy = dy.baseAddress, let y = y.baseAddress, let norm = norm.baseAddress else { return }
        let pieces = (N + pieceRows - 1) / pieceRows
        Parallel.forEach(pieces) { piece, _ in
            for n in Parallel.part(piece, of: pieces, in: N) {
                let length = Double(norm[n])
                let radial = norm[n] > Float(smallest) ? Rows.dot(y + n * D, dy + n * D, D) : 0
                for d in n * D..<(n + 1) * D { dx[d] = Float((Double(dy[d]) - Double(y[d]) * radial) / length) }
            }
        }
    }
}
