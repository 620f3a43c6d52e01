import Parallel

/// The length of the whole gradient.
public enum GradientNorm {
    /// The square root of the sum of all squares, in double precision; the same for any number of threads. NaN if a number is.
    public static func of(_ gradients: [UnsafeBufferPointer<Float>]) -> Double {
        let pieces = Pieces(gradients.map(\.count)).pieces
        var squares = [Double](repeating: 0, count: pieces.count)
        squares.withUnsafeMutableBufferPointer { squares in
            let squares = squares
            Parallel.forEach(pieces.count) { piece, _ in
                let (buffer, range) = pieces[piece]
                let gradient = gradients[buffer]
                // Eight sums side by side, else each addition waits for the one before.
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
    /// Makes a gradient that is longer than `longest` that long: times longest/(norm + 1e-6), as `torch.nn.utils.clip_grad_norm_`.
    ///
    /// - Parameter norm: its length.
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
