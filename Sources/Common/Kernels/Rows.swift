import CProcessor

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
        if i + 8 <= count {
            y.storeHalf(y.half(i) + x.half(i), i)
            i += 8
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

    /// Copies a run of floats. For the few hundred floats of a patch it is faster than the call and dispatch of
    /// `memcpy`.
    @inline(__always)
    public static func copy(_ source: UnsafePointer<Float>, to target: UnsafeMutablePointer<Float>, count: Int) {
        guard count >= 16 else {
            guard count >= 8 else {
                for i in 0..<count { target[i] = source[i] }
                return
            }
            target.storeHalf(source.half(0), 0)
            if count > 8 { target.storeHalf(source.half(count - 8), count - 8) }
            return
        }
        var i = 0
        while i + 16 <= count {
            target.store(source.vector(i), i)
            i += 16
        }
        // The last sixteen, some of them copied twice.
        if i < count { target.store(source.vector(count - 16), count - 16) }
    }

    /// Copies a matrix (rows, columns) from row stride `stride` to row stride `targetStride`.
    public static func copy(
        _ source: UnsafePointer<Float>, stride: Int, rows: Int, columns: Int, into target: UnsafeMutablePointer<Float>, stride targetStride: Int
    ) {
        for row in 0..<rows {
            copy(source + row * stride, to: target + row * targetStride, count: columns)
        }
    }

    /// y = x·factors, elementwise.
    public static func multiply(_ x: UnsafePointer<Float>, by factors: UnsafePointer<Float>, into y: UnsafeMutablePointer<Float>, count: Int) {
        var i = 0
        while i + 16 <= count {
            y.store(x.vector(i) * factors.vector(i), i)
            i += 16
        }
        while i < count {
            y[i] = x[i] * factors[i]
            i += 1
        }
    }

    /// Σ aᵢbᵢ, in double precision.
    public static func dot(_ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ count: Int) -> Double {
        var sum = 0.0
        for i in 0..<count { sum += Double(a[i]) * Double(b[i]) }
        return sum
    }

    /// Applies an epilogue to each of `rows` rows of `width` floats at `x`, and stores them at `y`, which may be `x`.
    ///
    /// For rows that are still in the cache. The epilogue must not accumulate.
    public static func apply(_ epilogue: Epilogue, to x: UnsafePointer<Float>, into y: UnsafeMutablePointer<Float>, rows: Int, width: Int) {
        precondition(!epilogue.accumulates)
        epilogue.activation.apply(EpilogueRows(x: x, y: y, epilogue: epilogue, rows: rows, width: width))
    }

    private struct EpilogueRows: ActivationBody {
        let x: UnsafePointer<Float>
        let y: UnsafeMutablePointer<Float>
        let epilogue: Epilogue
        let rows, width: Int

        func run<A: ActivationFunction>(_: A.Type) {
            for r in 0..<rows {
                row(x + r * width, into: y + r * width, epilogue.residual.map { $0 + r * width }, A.self)
            }
        }

        @inline(__always)
        private func row<A: ActivationFunction>(_ x: UnsafePointer<Float>, into y: UnsafeMutablePointer<Float>, _ residual: UnsafePointer<Float>?, _: A.Type) {
            let bias = epilogue.bias, nonTemporal = epilogue.isNonTemporal
            var c = 0
            while c + 16 <= width {
                var v = x.vector(c)
                if let bias { v += bias.vector(c) }
                if let residual { v += residual.vector(c) }
                if nonTemporal { seed_store_nontemporal(y + c, A.value(v)) } else { y.store(A.value(v), c) }
                c += 16
            }
            if c + 8 <= width {
                var v = x.half(c)
                if let bias { v += bias.half(c) }
                if let residual { v += residual.half(c) }
                y.storeHalf(A.value(v), c)
                c += 8
            }
            if c < width {
                var v = x.vector(c, count: width - c)
                if let bias { v += bias.vector(c, count: width - c) }
                if let residual { v += residual.vector(c, count: width - c) }
                y.store(A.value(v), c, count: width - c)
            }
        }
    }
}
