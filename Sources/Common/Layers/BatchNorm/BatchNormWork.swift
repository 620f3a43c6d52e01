import Kernels

// The operations of batch norm on sixteen floats, one type per loop, so that each loop is specialized. All are
// memory-bound and prefetch a little ahead.

/// y = activation(a·(x − μ) + β)
struct Normalized<A: ActivationFunction, S: StorePolicy>: RowWork {
    let y: UnsafeMutablePointer<Float>
    let x: UnsafePointer<Float>
    let line: ChannelLines.Line

    @inline(__always)
    func apply(_ i: Int, _ c: Int, _ lanes: Int) {
        x.prefetchAhead(i)
        S.store(A.value(line.z(x.vector(i, lanes: lanes) - line.mean(c), c)), to: y, i, lanes: lanes)
    }
}

/// y = activation(a·(x − μ) + β + residual)
struct NormalizedSum<A: ActivationFunction, S: StorePolicy>: RowWork {
    let y: UnsafeMutablePointer<Float>
    let x, residual: UnsafePointer<Float>
    let line: ChannelLines.Line

    @inline(__always)
    func apply(_ i: Int, _ c: Int, _ lanes: Int) {
        x.prefetchAhead(i)
        residual.prefetchAhead(i)
        S.store(A.value(line.z(x.vector(i, lanes: lanes) - line.mean(c), c) + residual.vector(i, lanes: lanes)), to: y, i, lanes: lanes)
    }
}

/// Σ (x − s) and Σ (x − s)²
struct Distances: RowSum {
    let x, origin: UnsafePointer<Float>

    init(x: UnsafePointer<Float>, origin: UnsafeMutablePointer<Float>) {
        self.x = x
        self.origin = UnsafePointer(origin)
    }

    @inline(__always)
    func add(_ i: Int, _ c: Int, _ lanes: Int, _ a: inout Vector, _ b: inout Vector) {
        x.prefetchAhead(i)
        let d = x.vector(i, lanes: lanes) - origin.vector(c, lanes: lanes)
        a += d
        b.addProduct(d, d)
    }
}

/// A source of g = dy · activation′(z), where d is x − μ. Lanes past `lanes` are zero.
protocol GradientSource {
    func gradient(_ i: Int, _ c: Int, _ lanes: Int, _ d: Vector, _ line: ChannelLines.Line) -> Vector
}

/// Σ g and Σ g·(x − μ)
struct GradientSums<Source: GradientSource>: RowSum {
    let start: Int
    let x: UnsafePointer<Float>
    let source: Source
    let line: ChannelLines.Line

    @inline(__always)
    func add(_ i: Int, _ c: Int, _ lanes: Int, _ a: inout Vector, _ b: inout Vector) {
        x.prefetchAhead(start + i)
        let d = x.vector(start + i, lanes: lanes) - line.mean(c)
        let g = source.gradient(start + i, c, lanes, d, line)
        a += g
        b.addProduct(g, d)
    }
}

/// dx = a·(g − mean(g)) + B·(x − μ)
struct InputGradient<Source: GradientSource, S: StorePolicy>: RowWork {
    let start: Int
    let dx: UnsafeMutablePointer<Float>
    let x: UnsafePointer<Float>
    let source: Source
    let line: ChannelLines.Line

    @inline(__always)
    func apply(_ i: Int, _ c: Int, _ lanes: Int) {
        x.prefetchAhead(start + i)
        let d = x.vector(start + i, lanes: lanes) - line.mean(c)
        S.store(line.gradient(source.gradient(start + i, c, lanes, d, line), d, c), to: dx, start + i, lanes: lanes)
    }
}

/// Recomputes z from x.
struct FromInput<A: ActivationFunction>: GradientSource {
    let dy: UnsafePointer<Float>

    @inline(__always)
    func gradient(_ i: Int, _ c: Int, _ lanes: Int, _ d: Vector, _ line: ChannelLines.Line) -> Vector {
        dy.prefetchAhead(i)
        return A.gradient(dy.vector(i, lanes: lanes), at: line.z(d, c))
    }
}

/// The same, and saves g.
struct FromInputSaving<A: ActivationFunction>: GradientSource {
    let dy: UnsafePointer<Float>
    let g: UnsafeMutablePointer<Float>

    @inline(__always)
    func gradient(_ i: Int, _ c: Int, _ lanes: Int, _ d: Vector, _ line: ChannelLines.Line) -> Vector {
        dy.prefetchAhead(i)
        let v = A.gradient(dy.vector(i, lanes: lanes), at: line.z(d, c))
        g.store(v, i, lanes: lanes)
        return v
    }
}

/// Uses y instead of z, for no activation or a rectifier, where y carries the same information.
struct FromOutput<A: ActivationFunction>: GradientSource {
    let dy, y: UnsafePointer<Float>

    @inline(__always)
    func gradient(_ i: Int, _ c: Int, _ lanes: Int, _ d: Vector, _ line: ChannelLines.Line) -> Vector {
        dy.prefetchAhead(i)
        y.prefetchAhead(i)
        return A.gradient(dy.vector(i, lanes: lanes), at: y.vector(i, lanes: lanes))
    }
}

/// The same, and saves g.
struct FromOutputSaving<A: ActivationFunction, S: StorePolicy>: GradientSource {
    let dy, y: UnsafePointer<Float>
    let g: UnsafeMutablePointer<Float>

    @inline(__always)
    func gradient(_ i: Int, _ c: Int, _ lanes: Int, _ d: Vector, _ line: ChannelLines.Line) -> Vector {
        dy.prefetchAhead(i)
        y.prefetchAhead(i)
        let v = A.gradient(dy.vector(i, lanes: lanes), at: y.vector(i, lanes: lanes))
        S.store(v, to: g, i, lanes: lanes)
        return v
    }
}

/// The same, and adds g to `sum`.
struct FromOutputAdding<A: ActivationFunction>: GradientSource {
    let dy, y: UnsafePointer<Float>
    let sum: UnsafeMutablePointer<Float>

    @inline(__always)
    func gradient(_ i: Int, _ c: Int, _ lanes: Int, _ d: Vector, _ line: ChannelLines.Line) -> Vector {
        dy.prefetchAhead(i)
        y.prefetchAhead(i)
        sum.prefetchAhead(i)
        let v = A.gradient(dy.vector(i, lanes: lanes), at: y.vector(i, lanes: lanes))
        sum.store(sum.vector(i, lanes: lanes) + v, i, lanes: lanes)
        return v
    }
}

/// Reads g as saved by an earlier pass.
struct SavedGradient: GradientSource {
    let g: UnsafeMutablePointer<Float>

    @inline(__always)
    func gradient(_ i: Int, _ c: Int, _ lanes: Int, _ d: Vector, _ line: ChannelLines.Line) -> Vector {
        g.prefetchAhead(i)
        return g.vector(i, lanes: lanes)
    }
}
