/// The transforms of F(4, 2) along one line of a tile, for sixteen channels at once. The variants with four values are
/// for the phase of odd samples, which has no element at ∞.
extension StridedWinograd {
    typealias Four = Winograd.Four
    typealias Five = (Vector, Vector, Vector, Vector, Vector)

    /// Bᵀd:
    ///
    ///     2 −1 −2 1 0 / 0 −2 −1 1 0 / 0 2 −3 1 0 / 0 −1 0 1 0 / 0 2 −1 −2 1
    @inline(__always)
    static func inputLine(_ d: Five) -> Five {
        let four = inputLine((d.0, d.1, d.2, d.3))
        return (four.0, four.1, four.2, four.3, (d.4 - d.2).addingProduct(-2, four.3))
    }

    /// The finite elements of Bᵀd, which do not use the last sample.
    @inline(__always)
    static func inputLine(_ d: Four) -> Four {
        let outer = d.3 - d.1
        return (
            outer.addingProduct(2, d.0 - d.2), (d.3 - d.2).addingProduct(-2, d.1), d.3.addingProduct(-3, d.2).addingProduct(2, d.1), outer
        )
    }

    /// Aᵀm:
    ///
    ///     1 1 1 1 0 / 0 1 −1 2 0 / 0 1 1 4 0 / 0 1 −1 8 1
    @inline(__always)
    static func outputLine(_ m: Five) -> Four {
        let four = outputLine((m.0, m.1, m.2, m.3))
        return (four.0, four.1, four.2, four.3 + m.4)
    }

    @inline(__always)
    static func outputLine(_ m: Four) -> Four {
        let sum = m.1 + m.2, difference = m.1 - m.2
        return (m.0 + sum + m.3, difference.addingProduct(2, m.3), sum.addingProduct(4, m.3), difference.addingProduct(8, m.3))
    }

    /// A y, the transpose of Aᵀ.
    @inline(__always)
    static func gradientLine(_ y: Four) -> Five {
        let even = y.0 + y.2, odd = y.1 + y.3
        return (y.0, even + odd, even - odd, y.0.addingProduct(4, y.2) + (y.1 + y.1).addingProduct(8, y.3), y.3)
    }

    /// G g:
    ///
    ///     1/2 0 / −1/2 −1/2 / −1/6 1/6 / 1/6 1/3 / 0 1
    @inline(__always)
    static func weightLine(_ x: Vector, _ y: Vector) -> Five {
        let sixth = x * Vector(repeating: 1 / 6)
        return (
            x * Vector(repeating: 0.5), (x + y) * Vector(repeating: -0.5), (y - x) * Vector(repeating: 1 / 6), sixth.addingProduct(1 / 3, y), y
        )
    }

    /// The same for (x, 0).
    @inline(__always)
    static func weightLine(_ x: Vector) -> Four {
        let half = x * Vector(repeating: 0.5), sixth = x * Vector(repeating: 1 / 6)
        return (half, -half, -sixth, sixth)
    }

    /// Gᵀu, the transpose of G.
    @inline(__always)
    static func weightGradientLine(_ u: Five) -> (Vector, Vector) {
        (weightGradientLine((u.0, u.1, u.2, u.3)), (u.4.addingProduct(-0.5, u.1)).addingProduct(1 / 6, u.2).addingProduct(1 / 3, u.3))
    }

    @inline(__always)
    static func weightGradientLine(_ u: Four) -> Vector { ((u.0 - u.1) * Vector(repeating: 0.5)).addingProduct(1 / 6, u.3 - u.2) }

    @inline(__always)
    static func loadFive(_ p: UnsafePointer<Float>, _ step: Int) -> Five {
        (p.vector(0), p.vector(step), p.vector(2 * step), p.vector(3 * step), p.vector(4 * step))
    }

    @inline(__always)
    static func store(_ x: Five, _ p: UnsafeMutablePointer<Float>, _ step: Int) {
        p.store(x.0, 0)
        p.store(x.1, step)
        p.store(x.2, 2 * step)
        p.store(x.3, 3 * step)
        p.store(x.4, 4 * step)
    }
}
