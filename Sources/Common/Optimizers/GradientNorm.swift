import Parallel

/// The norm of the whole gradient.
public enum GradientNorm {
    /// The square root of the sum of all squares, in double precision. It does not depend on the number of threads and
    /// is NaN if any number is.
    public static func of(_ gradients: [UnsafeBufferPointer<Float>]) -> Double {
        let pieces = Pieces(gradients.map(\.count)).pieces
        var squares = [Double](repeating: 0, count: pieces.count)
        squares.withUnsafeMutableBufferPointer { squares in
            let squares = squares
            Parallel.forEach(pieces.count) { piece, _ in
                let (buffer, range) = pieces[piece]
                let gradient = gradients[buffer]
                // Eight independent sums, so that an addition does not wait for the one before.
                var lanes = SIMD8<Double>(repeating: 0)
                var i = range.lowerBound
                while i + 8 <= range.upperBound {
                    var g = SIMD8<Double>()
                    for lane in 0..<8 { g[lane] = Double(gradient[i + lane]) }
                    lanes += g * g
                    i += 8
                }
                var sum = lanes.sum()
                while i < range.upperBound {
                    sum += Double(gradient[i]) * Double(gradient[i])
                    i += 1
                }
                squares[piece] = sum
            }
        }
        return squares.reduce(0, +).squareRoot()
    }
    /// Scales a gradient longer than `longest` by longest/(norm + 1e-6), as `torch.nn.utils.clip_grad_norm_` does.
    ///
    /// - Parameter norm: the norm of the gradient.
    public static func clip(_ gradients: [UnsafeMutableBufferPointer<Float>], norm: Double, to longest: Double) {
        let scale = Float(longest / (norm + 1e-6))
        guard scale < 1 else { return }
        let pieces = Pieces(gradients.map(\.count)).pieces
        Parallel.forEach(pieces.count) { piece, _ in
            let (buffer, range) = pieces[piece]
            let gradient = gradients[buffer]
            for i in range { gradient[i] *= scale }
        }
    }
}
