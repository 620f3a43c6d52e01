/// Loops over runs of floats.
public enum Rows {
    /// y += x
    @inline(__always)
    public static func add(_ x: UnsafePointer<Float>, to y: UnsafeMutablePointer<Float>, count: Int) {
        var i = 0
        while i + 16 <= count {
            y.store(y.vector(i) + x.vector(i), i)
            i += 16
        }
        while i < count {
            y[i] += x[i]
            i += 1
        }
    }

    /// y[r] += b for each of `rows` rows of `width` floats.
    public static func addEach(_ b: UnsafePointer<Float>, to y: UnsafeMutablePointer<Float>, rows: Int, width: Int) {
        for r in 0..<rows { add(b, to: y + r * width, count: width) }
    }

    /// What a layer does to its sums before they are stored.
    public enum Activation: Sendable { case none, relu }

    /// y = activation(y + b (+ residual)), row by row: the end of a folded convolution, while its rows are still in the cache.
    public static func finish(
        _ y: UnsafeMutablePointer<Float>, bias: UnsafePointer<Float>, residual: UnsafePointer<Float>?, _ activation: Activation,
        rows: Int, width: Int
    ) {
        let floor = Vector(repeating: activation == .relu ? 0 : -.infinity)
        let tail = width / 16 * 16
        for r in 0..<rows {
            let row = y + r * width
            let other = residual.map { $0 + r * width }
            var c = 0
            while c < tail {
                var v = row.vector(c) + bias.vector(c)
                if let other { v += other.vector(c) }
                row.store(pointwiseMax(v, floor), c)
                c += 16
            }
            while c < width {
                var v = row[c] + bias[c]
                if let other { v += other[c] }
                row[c] = activation == .relu ? Swift.max(v, 0) : v
                c += 1
            }
        }
    }
}

/// The larger of each pair; what is not a number stays so when it is in `a` (as in PyTorch's ReLU).
@inlinable @inline(__always)
public func pointwiseMax(_ a: Vector, _ b: Vector) -> Vector { a.replacing(with: b, where: a .< b) }
