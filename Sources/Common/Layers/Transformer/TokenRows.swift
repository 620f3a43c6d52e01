import Kernels
import Parallel

/// Operations on rows of tokens.
enum TokenRows {
    /// The number of rows in one piece of work, chosen so that their data fit in the L2 cache through all steps.
    static let block = 4 * Panels.rows

    /// Splits `rows` into an even number of pieces, so that two threads get equal shares.
    static func forEachBlock(_ rows: Int, workers: Int, _ body: (_ rows: Range<Int>, _ worker: Int) -> Void) {
        let pieces = rows <= Panels.rows ? 1 : (rows + 2 * block - 1) / (2 * block) * 2
        Parallel.forEach(pieces, workers: workers) { piece, worker in body(Parallel.part(piece, of: pieces, in: rows), worker) }
    }

    /// y = (x − mean x) / √(var x + ε) for `rows` rows of C numbers, a multiple of 16.
    static func normalize(
        _ x: UnsafePointer<Float>, stride: Int, rows: Int, C: Int, epsilon: Float, into y: UnsafeMutablePointer<Float>, stride yStride: Int
    ) {
        for row in 0..<rows {
            let x = x + row * stride, y = y + row * yStride
            var sums = Vector.zero
            for i in Swift.stride(from: 0, to: C, by: 16) { sums += x.vector(i) }
            let mean = sums.sum() / Float(C)
            var squares = Vector.zero
            for i in Swift.stride(from: 0, to: C, by: 16) {
                let d = x.vector(i) - mean
                squares = squares.addingProduct(d, d)
            }
            let factor = 1 / (squares.sum() / Float(C) + epsilon).squareRoot()
            for i in Swift.stride(from: 0, to: C, by: 16) { y.store((x.vector(i) - mean) * factor, i) }
        }
    }
}
