import Kernels

/// Sums over vectors, always in the same order.
enum VectorAlgebra {
    /// Σ a·b. Chunks of 256 are summed in single precision, and their sums in double precision.
    static func dot(_ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ count: Int) -> Double {
        var total = 0.0
        var start = 0
        while start < count {
            let end = min(start + 256, count)
            var sums = SIMD16<Float>()
            var i = start
            while i + 16 <= end {
                let x = UnsafeRawPointer(a + i).loadUnaligned(as: SIMD16<Float>.self)
                let y = UnsafeRawPointer(b + i).loadUnaligned(as: SIMD16<Float>.self)
                sums.addProduct(x, y)
                i += 16
            }
            var rest = sums.sum()
            while i < end {
                rest += a[i] * b[i]
                i += 1
            }
            total += Double(rest)
            start = end
        }
        return total
    }

    /// a·b in single precision, the fastest way: 64 accumulators on every processor. Equal rows give equal bits.
    static func similarity(_ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ count: Int) -> Float {
        var (s0, s1, s2, s3) = (Vector.zero, Vector.zero, Vector.zero, Vector.zero)
        var i = 0
        while i + 64 <= count {
            s0 = s0.addingProduct(a.vector(i), b.vector(i))
            s1 = s1.addingProduct(a.vector(i + 16), b.vector(i + 16))
            s2 = s2.addingProduct(a.vector(i + 32), b.vector(i + 32))
            s3 = s3.addingProduct(a.vector(i + 48), b.vector(i + 48))
            i += 64
        }
        while i + 16 <= count {
            s0 = s0.addingProduct(a.vector(i), b.vector(i))
            i += 16
        }
        var rest: Float = 0
        while i < count {
            rest.addProduct(a[i], b[i])
            i += 1
        }
        let all = (s0 + s1) + (s2 + s3), half = all.lowHalf + all.highHalf, quarter = half.lowHalf + half.highHalf, two = quarter.lowHalf + quarter.highHalf
        return two[0] + two[1] + rest
    }

    /// ‖a‖
    static func norm(_ a: UnsafePointer<Float>, _ count: Int) -> Double { dot(a, a, count).squareRoot() }

    /// y += scale·x
    static func add(_ scale: Float, _ x: UnsafePointer<Float>, to y: UnsafeMutablePointer<Float>, _ count: Int) {
        for i in 0..<count { y[i] += scale * x[i] }
    }

    /// Scales one row to length 1. A row of zeros stays unchanged (as with PyTorch's `F.normalize`).
    static func normalize(_ row: UnsafeMutablePointer<Float>, _ count: Int) {
        let length = norm(row, count)
        // Rows whose squares exceed the range of a float are scaled first.
        guard length.isFinite, length > 1e-18 else {
            var largest: Float = 0
            for i in 0..<count { largest = max(largest, abs(row[i])) }
            guard largest > 0 else { return }
            for i in 0..<count { row[i] /= largest }
            let length = Float(norm(row, count))
            for i in 0..<count { row[i] /= length }
            return
        }
        let inverse = Float(1 / length)
        for i in 0..<count { row[i] *= inverse }
    }
}
