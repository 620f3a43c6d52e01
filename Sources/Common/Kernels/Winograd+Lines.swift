/// The transforms along one line of a tile, for sixteen channels at once: those of weights here, those of images below,
/// by the tile's side.
extension Winograd {
    typealias Three = (Vector, Vector, Vector)
    typealias Four = (Vector, Vector, Vector, Vector)
    typealias Six = (Vector, Vector, Vector, Vector, Vector, Vector)

    /// G g:
    ///
    ///     1/4 0 0 / −1/6 −1/6 −1/6 / −1/6 1/6 −1/6 / 1/24 1/12 1/6 / 1/24 −1/12 1/6 / 0 0 1
    @inline(__always)
    static func weightLine(_ x: Vector, _ y: Vector, _ z: Vector) -> Six {
        let ends = (x + z) * Vector(repeating: -1 / 6), middle = y * Vector(repeating: 1 / 6)
        let far = (x * Vector(repeating: 1 / 24)).addingProduct(1 / 6, z), half = y * Vector(repeating: 1 / 12)
        return (x * Vector(repeating: 0.25), ends - middle, ends + middle, far + half, far - half, z)
    }

    /// Gᵀu, the transpose of G.
    @inline(__always)
    static func weightGradientLine(_ u: Six) -> Three {
        let near = u.1 + u.2, far = u.3 + u.4
        return (
            (u.0 * Vector(repeating: 0.25)).addingProduct(-1 / 6, near).addingProduct(1 / 24, far),
            ((u.2 - u.1) * Vector(repeating: 1 / 6)).addingProduct(1 / 12, u.3 - u.4),
            u.5.addingProduct(-1 / 6, near).addingProduct(1 / 6, far)
        )
    }

    @inline(__always)
    static func load(_ p: UnsafePointer<Float>, _ step: Int) -> Six {
        (p.vector(0), p.vector(step), p.vector(2 * step), p.vector(3 * step), p.vector(4 * step), p.vector(5 * step))
    }

    @inline(__always)
    static func loadFour(_ p: UnsafePointer<Float>, _ step: Int) -> Four { (p.vector(0), p.vector(step), p.vector(2 * step), p.vector(3 * step)) }

    @inline(__always)
    static var zeros: Six { (.zero, .zero, .zero, .zero, .zero, .zero) }
}

/// A side of a tile and its transforms. A missing element is neither read nor written, and zero in between.
protocol TileSide {
    static var outputs: Int { get }
    /// The index of the missing element among six, if any.
    static var lacking: Int? { get }

    /// The first three elements of Bᵀd; `inputLower` gives the other three.
    static func inputUpper(_ d: Winograd.Six) -> Winograd.Three
    static func inputLower(_ d: Winograd.Six) -> Winograd.Three
    /// Aᵀm
    static func outputLine(_ m: Winograd.Six) -> Winograd.Four
    /// A y
    static func gradientLine(_ y: Winograd.Four) -> Winograd.Six
}

/// F(4, 3): points 0, 1, −1, 2, −2, ∞.
enum SideOfFour: TileSide {
    @inline(__always) static var outputs: Int { 4 }
    @inline(__always) static var lacking: Int? { nil }

    /// 4 0 −5 0 1 0 / 0 −4 −4 1 1 0 / 0 4 −4 −1 1 0
    @inline(__always)
    static func inputUpper(_ d: Winograd.Six) -> Winograd.Three {
        let even = d.4.addingProduct(-4, d.2), odd = d.3.addingProduct(-4, d.1)
        return (d.4.addingProduct(-5, d.2).addingProduct(4, d.0), even + odd, even - odd)
    }

    /// 0 −2 −1 2 1 0 / 0 2 −1 −2 1 0 / 0 4 0 −5 0 1
    @inline(__always)
    static func inputLower(_ d: Winograd.Six) -> Winograd.Three {
        let even = d.4 - d.2, odd = d.3 - d.1
        return (even.addingProduct(2, odd), even.addingProduct(-2, odd), d.5.addingProduct(-5, d.3).addingProduct(4, d.1))
    }

    /// 1 1 1 1 1 0 / 0 1 −1 2 −2 0 / 0 1 1 4 4 0 / 0 1 −1 8 −8 1
    @inline(__always)
    static func outputLine(_ m: Winograd.Six) -> Winograd.Four {
        let (nearSum, near) = (m.1 + m.2, m.1 - m.2), (farSum, far) = (m.3 + m.4, m.3 - m.4)
        return (m.0 + nearSum + farSum, near.addingProduct(2, far), nearSum.addingProduct(4, farSum), (near + m.5).addingProduct(8, far))
    }

    @inline(__always)
    static func gradientLine(_ y: Winograd.Four) -> Winograd.Six {
        let (even, odd) = (y.0 + y.2, y.1 + y.3)
        let evenFar = y.0.addingProduct(4, y.2), oddFar = (y.1 + y.1).addingProduct(8, y.3)
        return (y.0, even + odd, even - odd, evenFar + oddFar, evenFar - oddFar, y.3)
    }
}

/// F(3, 3) on the same points except −2, scaled for the same G g. The element of −2 is the fifth of six here too, but
/// empty.
enum SideOfThree: TileSide {
    @inline(__always) static var outputs: Int { 3 }
    @inline(__always) static var lacking: Int? { 4 }

    /// 4 −2 −4 2 0 / 0 −6 −3 3 0 / 0 2 −3 1 0
    @inline(__always)
    static func inputUpper(_ d: Winograd.Six) -> Winograd.Three {
        let odd = d.3 - d.1
        return (
            (odd + odd).addingProduct(4, d.0 - d.2), (d.3 - d.2 - (d.1 + d.1)) * Vector(repeating: 3), d.3.addingProduct(-3, d.2) + (d.1 + d.1)
        )
    }

    /// 0 −4 0 4 0 / (none) / 0 2 −1 −2 1
    @inline(__always)
    static func inputLower(_ d: Winograd.Six) -> Winograd.Three {
        let odd = d.3 - d.1
        return (odd * Vector(repeating: 4), .zero, (d.4 - d.2).addingProduct(-2, odd))
    }

    /// 1 1 1 1 0 / 0 1 −1 2 0 / 0 1 1 4 1
    @inline(__always)
    static func outputLine(_ m: Winograd.Six) -> Winograd.Four {
        let sum = m.1 + m.2
        return (m.0 + sum + m.3, (m.1 - m.2).addingProduct(2, m.3), (sum + m.5).addingProduct(4, m.3), .zero)
    }

    @inline(__always)
    static func gradientLine(_ y: Winograd.Four) -> Winograd.Six {
        let even = y.0 + y.2
        return (y.0, even + y.1, even - y.1, (y.0 + (y.1 + y.1)).addingProduct(4, y.2), .zero, y.2)
    }
}

extension TileSide {
    @inline(__always) static var inputs: Int { outputs + 2 }
    /// Whether it has element `index` of six.
    @inline(__always) static func has(_ index: Int) -> Bool { index != lacking }

    /// Bᵀd
    @inline(__always)
    static func inputLine(_ d: Winograd.Six) -> Winograd.Six {
        let (a, b) = (inputUpper(d), inputLower(d))
        return (a.0, a.1, a.2, b.0, b.1, b.2)
    }

    @inline(__always)
    static func loadInputs(_ p: UnsafePointer<Float>, _ step: Int) -> Winograd.Six {
        (p.vector(0), p.vector(step), p.vector(2 * step), p.vector(3 * step), p.vector(4 * step), inputs > 5 ? p.vector(5 * step) : .zero)
    }

    @inline(__always)
    static func loadOutputs(_ p: UnsafePointer<Float>, _ step: Int) -> Winograd.Four {
        (p.vector(0), p.vector(step), p.vector(2 * step), outputs > 3 ? p.vector(3 * step) : .zero)
    }

    @inline(__always)
    static func load(_ p: UnsafePointer<Float>, _ step: Int) -> Winograd.Six {
        @inline(__always) func element(_ index: Int) -> Vector { has(index) ? p.vector(index * step) : .zero }
        return (element(0), element(1), element(2), element(3), element(4), element(5))
    }

    @inline(__always)
    static func store(_ x: Winograd.Six, _ p: UnsafeMutablePointer<Float>, _ step: Int) {
        @inline(__always) func put(_ index: Int, _ value: Vector) { if has(index) { p.store(value, index * step) } }
        put(0, x.0)
        put(1, x.1)
        put(2, x.2)
        put(3, x.3)
        put(4, x.4)
        put(5, x.5)
    }
}

/// An operation on one tile, specialized for the kinds of its two sides.
protocol TileBody {
    func run<Down: TileSide, Across: TileSide>(_: Down.Type, _: Across.Type)
}

extension TileBody {
    /// Runs for a tile with the given numbers of outputs.
    @inline(__always)
    func run(rows: Int, columns: Int) {
        switch (rows, columns) {
        case (4, 4): run(SideOfFour.self, SideOfFour.self)
        case (4, 3): run(SideOfFour.self, SideOfThree.self)
        case (3, 4): run(SideOfThree.self, SideOfFour.self)
        default: run(SideOfThree.self, SideOfThree.self)
        }
    }
}
