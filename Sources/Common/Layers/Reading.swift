import Kernels

/// How a value is made from what lies in memory at a place: as it is, or by what a batch norm has still to do. `c` is its channel.
protocol Reading {
    func value(_ place: UnsafePointer<Float>, _ c: Int, lanes: Int) -> Vector
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
}

extension NormalizedInput? {
    /// Calls `body` with the way to read.
    func reading<Body: ReadingBody>(_ body: Body) {
        guard let self else { return body.run(AsIs()) }
        switch self.activation {
        case .none: body.run(AsNormalized<Identity>(line: self.line))
        case .relu: body.run(AsNormalized<RectifiedLinear>(line: self.line))
        case .hardSwish: body.run(AsNormalized<HardSwish>(line: self.line))
        case .silu: body.run(AsNormalized<SiLU>(line: self.line))
        }
    }
}

extension NormalizedGradient? {
    /// The same for a gradient that lies at `dy`.
    func reading<Body: ReadingBody>(_ dy: UnsafePointer<Float>, _ body: Body) {
        guard let self else { return body.run(AsIs()) }
        switch self.activation {
        case .none: body.run(AsGradient<Identity>(line: self.line, distance: self.x - dy))
        case .relu: body.run(AsGradient<RectifiedLinear>(line: self.line, distance: self.x - dy))
        case .hardSwish: body.run(AsGradient<HardSwish>(line: self.line, distance: self.x - dy))
        case .silu: body.run(AsGradient<SiLU>(line: self.line, distance: self.x - dy))
        }
    }
}
