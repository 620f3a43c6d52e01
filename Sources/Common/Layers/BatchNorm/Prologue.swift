import CProcessor
import Kernels

/// What a layer applies to its operand as it loads it: nothing, or the preceding batch norm. `c` is the channel of the
/// value at `x`.
protocol Prologue {
    func value(_ x: UnsafePointer<Float>, _ c: Int, lanes: Int) -> Vector
    /// Prefetches the inputs of the value at `x`.
    func prefetch(_ x: UnsafePointer<Float>)
}

extension Prologue {
    @inline(__always) func prefetch(_ x: UnsafePointer<Float>) { seed_prefetch_far(x) }
}

/// A loop over loaded values, specialized for each prologue.
protocol PrologueBody {
    func run<R: Prologue>(_ prologue: R)
}

struct PlainLoad: Prologue {
    @inline(__always) func value(_ x: UnsafePointer<Float>, _ c: Int, lanes: Int) -> Vector { x.vector(0, lanes: lanes) }
}

/// Loads through a ``NormalizedInput``.
struct NormalizingLoad<A: ActivationFunction>: Prologue {
    let line: ChannelLines.Line
    @inline(__always) func value(_ x: UnsafePointer<Float>, _ c: Int, lanes: Int) -> Vector {
        A.value(line.z(x.vector(0, lanes: lanes) - line.mean(c), c))
    }
}

/// Loads through a ``NormalizedGradient``: dy at the pointer, and x `distance` floats after it.
struct GradientLoad<A: ActivationFunction>: Prologue {
    let line: ChannelLines.Line
    let distance: Int
    @inline(__always) func value(_ dy: UnsafePointer<Float>, _ c: Int, lanes: Int) -> Vector {
        let d = dy.vector(distance, lanes: lanes) - line.mean(c)
        return line.gradient(A.gradient(dy.vector(0, lanes: lanes), at: line.z(d, c)), d, c)
    }
    @inline(__always) func prefetch(_ dy: UnsafePointer<Float>) {
        seed_prefetch_far(dy)
        seed_prefetch_far(dy + distance)
    }
}

/// Loads whole rows from `source` through a prologue and stores them at `target`, `count` floats in all.
struct LoadRows: PrologueBody {
    let source: UnsafePointer<Float>
    let count: Int
    let periods: Periods
    let target: UnsafeMutablePointer<Float>

    func run<R: Prologue>(_ prologue: R) { periods.forEach(count, Work(prologue: prologue, source: source, target: target)) }

    private struct Work<R: Prologue>: RowWork {
        let prologue: R
        let source: UnsafePointer<Float>
        let target: UnsafeMutablePointer<Float>
        @inline(__always) func apply(_ i: Int, _ c: Int, _ lanes: Int) { target.store(prologue.value(source + i, c, lanes: lanes), i, lanes: lanes) }
    }
}

extension NormalizedInput {
    /// Calls `body` with the prologue.
    func withPrologue<Body: PrologueBody>(_ body: Body) {
        activation.apply(Normalizing(body: body, line: line))
    }

    private struct Normalizing<Body: PrologueBody>: ActivationBody {
        let body: Body
        let line: ChannelLines.Line
        func run<A: ActivationFunction>(_: A.Type) { body.run(NormalizingLoad<A>(line: line)) }
    }
}

extension NormalizedGradient {
    /// The same for a gradient whose first row is at `dy`.
    func withPrologue<Body: PrologueBody>(_ dy: UnsafePointer<Float>, _ body: Body) {
        activation.apply(Normalizing(body: body, line: line, distance: x - dy))
    }

    private struct Normalizing<Body: PrologueBody>: ActivationBody {
        let body: Body
        let line: ChannelLines.Line
        let distance: Int
        func run<A: ActivationFunction>(_: A.Type) { body.run(GradientLoad<A>(line: line, distance: distance)) }
    }
}

extension NormalizedInput? {
    /// The same, or a plain load if nothing is pending.
    func withPrologue<Body: PrologueBody>(_ body: Body) {
        if let self { self.withPrologue(body) } else { body.run(PlainLoad()) }
    }
}

extension NormalizedGradient? {
    func withPrologue<Body: PrologueBody>(_ dy: UnsafePointer<Float>, _ body: Body) {
        if let self { self.withPrologue(dy, body) } else { body.run(PlainLoad()) }
    }
}
