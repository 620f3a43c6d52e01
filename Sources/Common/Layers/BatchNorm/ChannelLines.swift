import Kernels

/// The few constants that batch norm needs per group and channel, repeated over a period.
///
/// With a = γ / √(σ² + ε), the layer before its activation is the line z = a·(x − μ) + β, and its gradient is another
/// line:
///
///     dx = a·(g − mean(g)) + B·(x − μ)        B = −a·mean(g·x̂) / √(σ² + ε)
///
/// Forward and backward compute a from the same floats by the same steps, so that z is bit-identical. μ is subtracted
/// before the product rather than folded into β, so that no precision is lost where σ is small compared with μ.
final class ChannelLines {
    private let periods: Periods
    private let groups: Int
    private let memory: UnsafeMutablePointer<Float>
    private static let lines = 5

    init(
        _ periods: Periods, mean: UnsafePointer<Float>, inverseDeviation: UnsafePointer<Float>, gamma: UnsafePointer<Float>, beta: UnsafePointer<Float>,
        groups: Int
    ) {
        self.periods = periods
        self.groups = groups
        memory = .allocate(capacity: groups * Self.lines * periods.width)
        let C = periods.C
        for group in 0..<groups {
            let scale = line(group, 0), shift = line(group, 1), means = line(group, 2)
            let (mean, inverseDeviation) = (mean + group * C, inverseDeviation + group * C)
            for c in 0..<C {
                scale[c] = gamma[c] * inverseDeviation[c]
                shift[c] = beta[c]
                means[c] = mean[c]
            }
            for line in [scale, shift, means] { periods.fill(line) }
        }
    }

    deinit { memory.deallocate() }

    private func line(_ group: Int, _ number: Int) -> UnsafeMutablePointer<Float> { memory + (group * Self.lines + number) * periods.width }

    /// The constants of one group: a vector of each at every offset of the period.
    struct Line {
        fileprivate let memory: UnsafePointer<Float>
        fileprivate let width: Int

        @inline(__always) func scale(_ c: Int) -> Vector { memory.vector(c) }
        @inline(__always) func shift(_ c: Int) -> Vector { memory.vector(width + c) }
        @inline(__always) func mean(_ c: Int) -> Vector { memory.vector(2 * width + c) }
        @inline(__always) func meanG(_ c: Int) -> Vector { memory.vector(3 * width + c) }
        @inline(__always) func slope(_ c: Int) -> Vector { memory.vector(4 * width + c) }

        /// a·d + β, where d = x − μ.
        @inline(__always) func z(_ d: Vector, _ c: Int) -> Vector { shift(c).addingProduct(d, scale(c)) }
        /// a·(g − mean(g)) + B·d
        @inline(__always) func gradient(_ g: Vector, _ d: Vector, _ c: Int) -> Vector {
            (d * slope(c)).addingProduct(g - meanG(c), scale(c))
        }
    }

    subscript(_ group: Int) -> Line { Line(memory: UnsafePointer(line(group, 0)), width: periods.width) }

    /// From the pieces' sums of g and g·(x − μ), computes the gradient's line and adds to the parameters' gradients.
    func finish(
        dgamma: UnsafeMutablePointer<Float>, dbeta: UnsafeMutablePointer<Float>, inverseDeviation: UnsafePointer<Float>, sums: UnsafePointer<Double>,
        pieces: Int, rows: Int
    ) {
        let C = periods.C
        Periods.forEachBlock(of: C, sums: groups * pieces * C) { channels in
            let first = channels.lowerBound, count = channels.count
            let work = UnsafeMutablePointer<Double>.allocate(capacity: 4 * count)
            defer { work.deallocate() }
            work.initialize(repeating: 0, count: 4 * count)
            let (g, gx, allG, allGX) = (work, work + count, work + 2 * count, work + 3 * count)
            for group in 0..<groups {
                work.update(repeating: 0, count: 2 * count)
                for piece in 0..<pieces {
                    let own = sums + (group * pieces + piece) * 2 * C + first
                    for c in 0..<count {
                        g[c] += own[c]
                        gx[c] += own[C + c]
                    }
                }
                let scale = line(group, 0) + first, meanG = line(group, 3) + first, slope = line(group, 4) + first
                let inverseDeviation = inverseDeviation + group * C + first
                for c in 0..<count {
                    let deviation = Double(inverseDeviation[c])
                    meanG[c] = Float(g[c] / Double(rows))
                    slope[c] = Float(-Double(scale[c]) * deviation * deviation * gx[c] / Double(rows))
                    allG[c] += g[c]
                    allGX[c] += gx[c] * deviation
                }
            }
            for c in 0..<count {
                dbeta[first + c] += Float(allG[c])
                dgamma[first + c] += Float(allGX[c])
            }
        }
        for group in 0..<groups { for number in 3...4 { periods.fill(line(group, number)) } }
    }
}
