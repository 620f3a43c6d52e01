import CProcessor
import Kernels

/// How a value is made from what lies in memory at a place: as it is, or by what a batch norm has still to do. `c` is its channel.
protocol Prologue {
    func value(_ place: UnsafePointer<Float>, _ c: Int, lanes: Int) -> Vector
    /// Asks for what is read for a place.
    func prefetch(_ place: UnsafePointer<Float>)
}

extension Prologue {
    @inline(__always) func prefetch(_ place: UnsafePointer<Float>) { seed_prefetch_far(place) }
}

/// What is done with values, made once for every way to read them.
protocol PrologueBody {
    func run<R: Prologue>(_ prologue: R)
}

struct PlainLoad: Prologue {
    @inline(__always) func value(_ place: UnsafePointer<Float>, _ c: Int, lanes: Int) -> Vector { place.vector(0, lanes: lanes) }
}

/// ``NormalizedInput``
struct NormalizingLoad<A: ActivationFunction>: Prologue {
    let line: ChannelLines.Line
    @inline(__always) func value(_ place: UnsafePointer<Float>, _ c: Int, lanes: Int) -> Vector {
        A.value(line.z(place.vector(0, lanes: lanes) - line.mean(c), c))
    }
}

/// ``NormalizedGradient``, where the place is one of dy and x lies `distance` floats behind it.
struct GradientLoad<A: ActivationFunction>: Prologue {
    let line: ChannelLines.Line
    let distance: Int
    @inline(__always) func value(_ place: UnsafePointer<Float>, _ c: Int, lanes: Int) -> Vector {
        let d = place.vector(distance, lanes: lanes) - line.mean(c)
        return line.gradient(A.gradient(place.vector(0, lanes: lanes), at: line.z(d, c)), d, c)
    }
    @inline(__always) func prefetch(_ place: UnsafePointer<Float>) {
        seed_prefetch_far(place)
        seed_prefetch_far(place + distance)
    }
}

/// Sets whole rows at `target` to what is read at `source`, `count` floats in all.
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
    /// Calls `body` with the way to read.
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
    /// The same for a gradient, the first of whose rows lies at `dy`.
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
    /// The same; as it is, if nothing is left to do.
    func withPrologue<Body: PrologueBody>(_ body: Body) {
        if let self { self.withPrologue(body) } else { body.run(PlainLoad()) }
    }
}

extension NormalizedGradient? {
    func withPrologue<Body: PrologueBody>(_ dy: UnsafePointer<Float>, _ body: Body) {
        if let self { self.withPrologue(dy, body) } else { body.run(PlainLoad()) }
    }
}
