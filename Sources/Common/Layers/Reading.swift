import CProcessor
import Kernels

/// How a value is made from what lies in memory at a place: as it is, or by what a batch norm has still to do. `c` is its channel.
protocol Reading {
    func value(_ place: UnsafePointer<Float>, _ c: Int, lanes: Int) -> Vector
    /// Asks for what is read for a place.
    func ask(_ place: UnsafePointer<Float>)
}

extension Reading {
    @inline(__always) func ask(_ place: UnsafePointer<Float>) { seed_prefetch_far(place) }
}

/// What is done with values, made once for every way to read them.
protocol ReadingBody {
    func run<R: Reading>(_ reading: R)
}

struct AsIs: Reading {
    @inline(__always) func value(_ place: UnsafePointer<Float>, _ c: Int, lanes: Int) -> Vector { place.vector(0, lanes: lanes) }
}

/// ``NormalizedInput``
struct AsNormalized<A: ActivationFunction>: Reading {
    let line: ChannelLines.Line
    @inline(__always) func value(_ place: UnsafePointer<Float>, _ c: Int, lanes: Int) -> Vector {
        A.value(line.z(place.vector(0, lanes: lanes) - line.mean(c), c))
    }
}

/// ``NormalizedGradient``, where the place is one of dy and x lies `distance` floats behind it.
struct AsGradient<A: ActivationFunction>: Reading {
    let line: ChannelLines.Line
    let distance: Int
    @inline(__always) func value(_ place: UnsafePointer<Float>, _ c: Int, lanes: Int) -> Vector {
        let d = place.vector(distance, lanes: lanes) - line.mean(c)
        return line.gradient(A.gradient(place.vector(0, lanes: lanes), at: line.z(d, c)), d, c)
    }
    @inline(__always) func ask(_ place: UnsafePointer<Float>) {
        seed_prefetch_far(place)
        seed_prefetch_far(place + distance)
    }
}

/// Sets whole rows at `target` to what is read at `source`, `count` floats in all.
struct ReadRows: ReadingBody {
    let source: UnsafePointer<Float>
    let count: Int
    let periods: Periods
    let target: UnsafeMutablePointer<Float>

    func run<R: Reading>(_ reading: R) { periods.forEach(count, Work(reading: reading, source: source, target: target)) }

    private struct Work<R: Reading>: RowWork {
        let reading: R
        let source: UnsafePointer<Float>
        let target: UnsafeMutablePointer<Float>
        @inline(__always) func apply(_ i: Int, _ c: Int, _ lanes: Int) { target.store(reading.value(source + i, c, lanes: lanes), i, lanes: lanes) }
    }
}

extension NormalizedInput {
    /// Calls `body` with the way to read.
    func reading<Body: ReadingBody>(_ body: Body) {
        activation.apply(Normalizing(body: body, line: line))
    }

    private struct Normalizing<Body: ReadingBody>: ActivationBody {
        let body: Body
        let line: ChannelLines.Line
        func run<A: ActivationFunction>(_: A.Type) { body.run(AsNormalized<A>(line: line)) }
    }
}

extension NormalizedGradient {
    /// The same for a gradient, the first of whose rows lies at `dy`.
    func reading<Body: ReadingBody>(_ dy: UnsafePointer<Float>, _ body: Body) {
        activation.apply(Normalizing(body: body, line: line, distance: x - dy))
    }

    private struct Normalizing<Body: ReadingBody>: ActivationBody {
        let body: Body
        let line: ChannelLines.Line
        let distance: Int
        func run<A: ActivationFunction>(_: A.Type) { body.run(AsGradient<A>(line: line, distance: distance)) }
    }
}

extension NormalizedInput? {
    /// The same; as it is, if nothing is left to do.
    func reading<Body: ReadingBody>(_ body: Body) {
        if let self { self.reading(body) } else { body.run(AsIs()) }
    }
}

extension NormalizedGradient? {
    func reading<Body: ReadingBody>(_ dy: UnsafePointer<Float>, _ body: Body) {
        if let self { self.reading(dy, body) } else { body.run(AsIs()) }
    }
}
