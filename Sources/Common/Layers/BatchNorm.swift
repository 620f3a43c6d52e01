public import Kernels
import Parallel

/// Batch normalisation in training mode, with the residual sum and the rectifier that follow it.
///
///     x̂ = (x − μ) / √(σ² + ε)        y = relu(γ·x̂ + β + residual)
///
/// | array            | shape     |                                                     |
/// |------------------|-----------|-----------------------------------------------------|
/// | x, y, residual   | (M, C)    | M = N·H·W places                                    |
/// | γ, β             | (C)       |                                                     |
/// | mean, inverse    | (G, C)    | of each group's batch: μ and 1 / √(σ² + ε)          |
/// | running…         | (C)       | moved towards the batch by `momentum`, variance unbiased |
///
/// The batch is cut into G groups of consecutive pictures that are normalised apart: what G machines of a
/// data-parallel run do, and what MoCo's shuffling needs (He et al. 2020, section 3.3). Running statistics
/// move towards the mean over groups, as in SplitBatchNorm of MoCo's CIFAR demonstration.
public struct BatchNorm: Sendable {
    public let C: Int
    public let epsilon: Float
    public let momentum: Float
    public let activation: Rows.Activation

    public init(C: Int, epsilon: Float, momentum: Float, activation: Rows.Activation) {
        self.C = C
        self.epsilon = epsilon
        self.momentum = momentum
        self.activation = activation
    }

    /// Pieces whose sums are made apart; by the size alone, so that the order of summing is fixed.
    private func pieces(rows: Int) -> Int { max(1, min(16, rows * C / 16384)) }

    /// Floats of scratch one worker needs.
    public var scratch: Int { 2 * C }

    /// Doubles that hold the sums of all pieces.
    public static func sums(C: Int, groups: Int) -> Int { groups * 16 * 2 * C }

    public func forward(
        y: UnsafeMutablePointer<Float>, mean: UnsafeMutablePointer<Float>, inverse: UnsafeMutablePointer<Float>,
        runningMean: UnsafeMutablePointer<Float>, runningVariance: UnsafeMutablePointer<Float>,
        x: UnsafePointer<Float>, gamma: UnsafePointer<Float>, beta: UnsafePointer<Float>, residual: UnsafePointer<Float>?,
        M: Int, groups: Int, sums: UnsafeMutablePointer<Double>
    ) {
        let rows = M / groups
        let pieces = pieces(rows: rows)
        // Sums of (x − s) and (x − s)², s being the group's first place: near enough to the mean that nothing cancels.
        Parallel.forEach(groups * pieces) { piece, _ in
            let group = piece / pieces
            let own = Parallel.part(piece % pieces, of: pieces, in: rows)
            let origin = x + group * rows * C
            let total = sums + piece * 2 * C
            total.update(repeating: 0, count: 2 * C)
            sumRows(of: own, C: C, into: total) { row, c in
                let d = (origin + row * C).vector(c) - origin.vector(c)
                return (d, d * d)
            } tail: { row, c in
                let d = origin[row * C + c] - origin[c]
                return (d, d * d)
            }
        }
        for group in 0..<groups {
            let origin = x + group * rows * C
            for c in 0..<C {
                var (sum, squares) = (0.0, 0.0)
                for piece in 0..<pieces {
                    let total = sums + (group * pieces + piece) * 2 * C
                    sum += total[c]
                    squares += total[C + c]
                }
                let shifted = sum / Double(rows)
                let variance = max(0, squares / Double(rows) - shifted * shifted)
                let average = Double(origin[c]) + shifted
                mean[group * C + c] = Float(average)
                inverse[group * C + c] = Float(1 / (variance + Double(epsilon)).squareRoot())
                // Kept in the sums' first places: what the running statistics need.
                sums[group * pieces * 2 * C + c] = average
                sums[group * pieces * 2 * C + C + c] = variance * Double(rows) / Double(max(1, rows - 1))
            }
        }
        for c in 0..<C {
            var (average, variance) = (0.0, 0.0)
            for group in 0..<groups {
                average += sums[group * pieces * 2 * C + c]
                variance += sums[group * pieces * 2 * C + C + c]
            }
            runningMean[c] += momentum * (Float(average / Double(groups)) - runningMean[c])
            runningVariance[c] += momentum * (Float(variance / Double(groups)) - runningVariance[c])
        }
        switch activation {
        case .none: apply(Identity.self)
        case .relu: apply(RectifiedLinear.self)
        case .hardSwish: apply(HardSwish.self)
        case .silu: apply(SiLU.self)
        }
        func apply<A: ActivationFunction>(_: A.Type) {
          let tail = C / 16 * 16
          forEachRows(M: M, C: C, groups: groups) { range, group in
            let mean = mean + group * C, inverse = inverse + group * C
            for row in range {
                let x = x + row * C, y = y + row * C
                let residual = residual.map { $0 + row * C }
                var c = 0
                while c < tail {
                    let scale = gamma.vector(c) * inverse.vector(c)
                    var v = beta.vector(c).addingProduct(x.vector(c) - mean.vector(c), scale)
                    if let residual { v += residual.vector(c) }
                    y.store(A.value(v), c)
                    c += 16
                }
                while c < C {
                    var v = beta[c] + (x[c] - mean[c]) * (gamma[c] * inverse[c])
                    if let residual { v += residual[c] }
                    y[c] = A.value(Vector(repeating: v))[0]
                    c += 1
                }
            }
          }
        }
    }

    /// Sets `dx` (which may be `dy` itself), adds to `dgamma` and `dbeta`, and sets or adds to `dresidual`.
    ///
    /// With g = dy · activation′(z), z = γ·x̂ + β (+ residual), and means over a group's M/G places:
    ///
    ///     dresidual = g        dβ = Σ g        dγ = Σ g·x̂
    ///     dx = γ / √(σ² + ε) · (g − mean(g) − x̂·mean(g·x̂))
    ///
    /// The rectifier's derivative is 1 where y > 0. For the other activations z is made again from x.
    ///
    /// - Precondition: those others stand behind no residual.
    public func backward(
        dx: UnsafeMutablePointer<Float>, dgamma: UnsafeMutablePointer<Float>, dbeta: UnsafeMutablePointer<Float>,
        dresidual: UnsafeMutablePointer<Float>?, addingToResidual: Bool,
        dy: UnsafePointer<Float>, y: UnsafePointer<Float>, x: UnsafePointer<Float>, mean: UnsafePointer<Float>, inverse: UnsafePointer<Float>,
        gamma: UnsafePointer<Float>, beta: UnsafePointer<Float>, M: Int, groups: Int, sums: UnsafeMutablePointer<Double>
    ) {
        precondition(activation == .none || activation == .relu || dresidual == nil)
        switch activation {
        case .none: backward(Identity.self)
        case .relu: backward(RectifiedLinear.self)
        case .hardSwish: backward(HardSwish.self)
        case .silu: backward(SiLU.self)
        }
        func backward<A: ActivationFunction>(_: A.Type) {
        let rows = M / groups
        let pieces = pieces(rows: rows)
        let fromX = activation == .hardSwish || activation == .silu
        Parallel.forEach(groups * pieces) { piece, _ in
            let group = piece / pieces
            let own = Parallel.part(piece % pieces, of: pieces, in: rows)
            let start = group * rows * C
            let (x, y, dy) = (x + start, y + start, dy + start)
            let (mean, inverse) = (mean + group * C, inverse + group * C)
            let total = sums + piece * 2 * C
            total.update(repeating: 0, count: 2 * C)
            sumRows(of: own, C: C, into: total) { row, c in
                let normal = ((x + row * C).vector(c) - mean.vector(c)) * inverse.vector(c)
                let z = fromX ? beta.vector(c).addingProduct(normal, gamma.vector(c)) : (y + row * C).vector(c)
                let g = A.gradient((dy + row * C).vector(c), at: z)
                return (g, g * normal)
            } tail: { row, c in
                let normal = (x[row * C + c] - mean[c]) * inverse[c]
                let z = fromX ? beta[c] + normal * gamma[c] : y[row * C + c]
                let g = A.gradient(Vector(repeating: dy[row * C + c]), at: Vector(repeating: z))[0]
                return (g, g * normal)
            }
        }
        // Means of g and g·x̂ for each group, as floats in the place of the first piece's sums.
        let means = UnsafeMutablePointer<Float>.allocate(capacity: groups * 2 * C)
        defer { means.deallocate() }
        for c in 0..<C {
            var (allG, allGX) = (0.0, 0.0)
            for group in 0..<groups {
                var (g, gx) = (0.0, 0.0)
                for piece in 0..<pieces {
                    let total = sums + (group * pieces + piece) * 2 * C
                    g += total[c]
                    gx += total[C + c]
                }
                means[group * 2 * C + c] = Float(g / Double(rows))
                means[group * 2 * C + C + c] = Float(gx / Double(rows))
                allG += g
                allGX += gx
            }
            dbeta[c] += Float(allG)
            dgamma[c] += Float(allGX)
        }
        let tail = C / 16 * 16
        forEachRows(M: M, C: C, groups: groups) { range, group in
            let mean = mean + group * C, inverse = inverse + group * C
            let meanG = means + group * 2 * C, meanGX = means + group * 2 * C + C
            for row in range {
                let (x, y, dy, dx) = (x + row * C, y + row * C, dy + row * C, dx + row * C)
                let dresidual = dresidual.map { $0 + row * C }
                var c = 0
                while c < tail {
                    let normal = (x.vector(c) - mean.vector(c)) * inverse.vector(c)
                    let g = A.gradient(dy.vector(c), at: fromX ? beta.vector(c).addingProduct(normal, gamma.vector(c)) : y.vector(c))
                    if let dresidual { dresidual.store(addingToResidual ? dresidual.vector(c) + g : g, c) }
                    dx.store(gamma.vector(c) * inverse.vector(c) * (g - meanG.vector(c) - normal * meanGX.vector(c)), c)
                    c += 16
                }
                while c < C {
                    let normal = (x[c] - mean[c]) * inverse[c]
                    let z = fromX ? beta[c] + normal * gamma[c] : y[c]
                    let g = A.gradient(Vector(repeating: dy[c]), at: Vector(repeating: z))[0]
                    if let dresidual { dresidual[c] = addingToResidual ? dresidual[c] + g : g }
                    dx[c] = gamma[c] * inverse[c] * (g - meanG[c] - normal * meanGX[c])
                    c += 1
                }
            }
        }
        }
    }

    /// Runs of rows that lie in one group, each about 32 K floats.
    private func forEachRows(M: Int, C: Int, groups: Int, _ body: (Range<Int>, _ group: Int) -> Void) {
        let rows = M / groups
        let runs = max(1, rows * C / 32768)
        Parallel.forEach(groups * runs) { run, _ in
            let group = run / runs
            let own = Parallel.part(run % runs, of: runs, in: rows)
            body((group * rows + own.lowerBound)..<(group * rows + own.upperBound), group)
        }
    }

    /// Adds two values of each row and channel to `total` (2, C): floats over 64 rows at a time, doubles over those.
    @inline(__always)
    private func sumRows(
        of rows: Range<Int>, C: Int, into total: UnsafeMutablePointer<Double>,
        _ values: (_ row: Int, _ c: Int) -> (Vector, Vector), tail scalar: (_ row: Int, _ c: Int) -> (Float, Float)
    ) {
        let tail = C / 16 * 16
        for start in stride(from: rows.lowerBound, to: rows.upperBound, by: 64) {
            let end = min(rows.upperBound, start + 64)
            var c = 0
            while c < tail {
                var (a, b) = (Vector(repeating: 0), Vector(repeating: 0))
                for row in start..<end {
                    let (da, db) = values(row, c)
                    a += da
                    b += db
                }
                for lane in 0..<16 {
                    total[c + lane] += Double(a[lane])
                    total[C + c + lane] += Double(b[lane])
                }
                c += 16
            }
            while c < C {
                var (a, b): (Float, Float) = (0, 0)
                for row in start..<end {
                    let (da, db) = scalar(row, c)
                    a += da
                    b += db
                }
                total[c] += Double(a)
                total[C + c] += Double(b)
                c += 1
            }
        }
    }
}
