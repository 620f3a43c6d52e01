import Kernels
import Layers
import TestSupport
import Testing

@Suite struct BatchNormTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let M: Int, C: Int, groups: Int
        let residual: Bool
        let activation: Activation
        var testDescription: String {
            "\(M) places of \(C) in \(groups) groups\(residual ? ", residual" : ""), \(activation)"
        }
        var rows: Int { M / groups }
        var reference: BatchNormReference { BatchNormReference(C: C, epsilon: 1e-5, activation: activation) }
        var layer: BatchNorm { BatchNorm(C: C, epsilon: 1e-5, momentum: 0.1, activation: activation) }

        let gamma, beta: [Float]
        /// A different mean and deviation in every channel.
        let x: [Float]
        /// Far from zero, so that no sum lies near the rectifier's kink.
        let other: [Float]

        /// Whether the activations' inputs extend beyond −3 and 6, where the functions have kinks.
        let isWide: Bool

        init(M: Int, C: Int, groups: Int, residual: Bool, activation: Activation, isWide: Bool = false) {
            self.isWide = isWide
            self.M = M
            self.C = C
            self.groups = groups
            self.residual = residual
            self.activation = activation
            gamma = formula("gamma", C).map { (0.4 + 0.1 * $0) * (isWide ? 10 : 1) }
            beta = formula("beta", C).map { 0.2 * $0 * (isWide ? 10 : 1) }
            x = formula("x", M * C).enumerated().map { i, u in Float(i % C) - 2 + (1 + 0.1 * Float(i % C)) * u }
            other = formula("residual", M * C).map { $0 + ($0 < 0 ? -2 : 2) }
        }
    }

    struct Result { var y, mean, inverseDeviation, runningMean, runningVariance: [Float] }

    /// Sizes with and without whole vectors, a single row, a single channel; the last are split into several pieces.
    static let cases = [
        (1, 3, 1), (1, 8, 1), (1, 100, 1), (5, 1, 1), (3, 3, 1), (14, 5, 2), (7, 24, 1), (13, 8, 1), (13, 40, 1), (63, 17, 3), (169, 20, 1),
        (28, 33, 4), (147, 100, 3), (3001, 8, 1), (5000, 20, 2), (3000, 48, 1), (2003, 24, 1), (1700, 184, 1), (98, 1040, 2),
    ]
        .flatMap { (M, C, groups) in
            [(false, Activation.none), (false, .relu), (true, .none), (true, .relu), (false, .relu6), (true, .relu6), (false, .hardSwish), (false, .silu)].map {
                Case(M: M, C: C, groups: groups, residual: $0.0, activation: $0.1, isWide: $0.1 == .relu6 || $0.1 == .hardSwish)
            }
        }

    func forward(_ c: Case, x: [Float]? = nil, gamma: [Float]? = nil, beta: [Float]? = nil, other: [Float]? = nil) -> Result {
        let y = Poisoned(c.M * c.C), mean = Poisoned(c.groups * c.C), inverseDeviation = Poisoned(c.groups * c.C)
        let runningMean = Poisoned(formula("running mean", c.C)), runningVariance = Poisoned(formula("running variance", c.C).map { 2 + $0 })
        var sums = [Double](repeating: .nan, count: BatchNorm.sums(C: c.C, groups: c.groups))
        (other ?? c.other).withUnsafeBufferPointer { other in
            c.layer.forward(
                y: y.pointer, mean: mean.pointer, inverseDeviation: inverseDeviation.pointer, runningMean: runningMean.pointer, runningVariance: runningVariance.pointer,
                x: x ?? c.x, gamma: gamma ?? c.gamma, beta: beta ?? c.beta, residual: c.residual ? other.baseAddress : nil, M: c.M,
                groups: c.groups, sums: &sums)
        }
        return Result(
            y: y.values(), mean: mean.values(), inverseDeviation: inverseDeviation.values(), runningMean: runningMean.values(), runningVariance: runningVariance.values())
    }

    /// Batches with the means 1, 2, 3 …; the expected running mean after each is computed by hand.
    @Test func `running statistics forget what they began with: a mean of ten batches, then of the last, then of the last tenth, up to what momentum asks for`() {
        let layer = BatchNorm(C: 1, epsilon: 1e-3, momentum: 0.01, activation: .none)
        let shares = [(0, 1), (1, 0.5), (4, 0.2), (9, 0.1), (60, 0.1), (99, 0.1), (199, 0.05), (499, 0.02), (999, 0.01), (5000, 0.01), (.max, 0.01)] as [(Int, Float)]
        for (seen, share) in shares { #expect(abs(layer.momentum(batchesSeen: seen) - share) < 1e-7, "\(seen)") }
        let quick = BatchNorm(C: 1, epsilon: 1e-3, momentum: 0.1, activation: .none)
        #expect(quick.momentum(batchesSeen: 3) == 0.25 && quick.momentum(batchesSeen: 1000) == 0.1)
        #expect(BatchNorm(C: 1, epsilon: 1e-3, momentum: 0.5, activation: .none).momentum(batchesSeen: 7) == 0.5)
        #expect(BatchNorm(C: 1, epsilon: 1e-3, momentum: 0, activation: .none).momentum(batchesSeen: 0) == 0)
        for (momentum, batches) in [(0.01, 1000), (0.05, 200), (0.1, 10), (0.3, 4), (1, 1)] as [(Float, Int)] {
            #expect(BatchNorm.batches(momentum: momentum) == batches)
            let layer = BatchNorm(C: 1, epsilon: 1e-3, momentum: momentum, activation: .none)
            #expect(layer.momentum(batchesSeen: batches) == momentum && (batches == 1 || layer.momentum(batchesSeen: batches - 2) > momentum))
        }
        var mean: Float = 0, variance: Float = 1, y = [Float](repeating: 0, count: 4), m: Float = 0, inverse: Float = 0
        var sums = [Double](repeating: .nan, count: BatchNorm.sums(C: 1, groups: 1))
        for seen in 0..<20 {
            let x = [-3, -1, 1, 3].map { Float($0) + Float(seen + 1) }
            layer.forward(
                y: &y, mean: &m, inverseDeviation: &inverse, runningMean: &mean, runningVariance: &variance, x: x, gamma: [1], beta: [0], residual: nil, M: 4, groups: 1,
                batchesSeen: seen, sums: &sums)
            // Unbiased: 20 / 3 in every batch.
            #expect(abs(variance - 20 / 3) < 1e-5)
            if seen < 10 { #expect(abs(mean - Float(seen + 2) / 2) < 1e-5) }
        }
        // From 5.5 on, a tenth of the way to 11, 12 … 20: n − 9 + 0.9ⁿ⁻¹⁰·4.5 after n batches.
        #expect(abs(mean - (20 - 9 + 3.486784401e-1 * (5.5 - 1))) < 1e-4)
    }

    struct Gradients { var dx, dgamma, dbeta, dresidual: [Float] }

    func backward(_ c: Case, dy: [Float], adding before: [Float]? = nil, inPlace: Bool = false, parameters: Float = 0) -> Gradients {
        let forward = forward(c)
        let dx = inPlace ? Poisoned(dy) : Poisoned(c.M * c.C)
        let given = Poisoned(dy)
        let dgamma = Poisoned([Float](repeating: parameters, count: c.C)), dbeta = Poisoned([Float](repeating: -parameters, count: c.C))
        let dresidual = before.map { Poisoned($0) } ?? Poisoned(c.M * c.C)
        var sums = [Double](repeating: .nan, count: BatchNorm.sums(C: c.C, groups: c.groups))
        c.layer.backward(
            dx: dx.pointer, dgamma: dgamma.pointer, dbeta: dbeta.pointer, dresidual: c.residual ? dresidual.pointer : nil,
            addingToResidual: before != nil, dy: inPlace ? dx.pointer : given.pointer, y: forward.y, x: c.x, mean: forward.mean,
            inverseDeviation: forward.inverseDeviation, gamma: c.gamma, beta: c.beta, M: c.M, groups: c.groups, sums: &sums)
        return Gradients(dx: dx.values(), dgamma: dgamma.values(), dbeta: dbeta.values(), dresidual: dresidual.values())
    }

    @Test func `a worked example`() {
        // Channel 0: −1, 1, 3, 5 has mean 2 and variance 5. Channel 1 is always 7.
        let x: [Float] = [-1, 7, 1, 7, 3, 7, 5, 7]
        let layer = BatchNorm(C: 2, epsilon: 4, momentum: 0.5, activation: .relu)
        let y = Poisoned(8), mean = Poisoned(2), inverseDeviation = Poisoned(2)
        let runningMean = Poisoned([10, 1]), runningVariance = Poisoned([1, 1])
        var sums = [Double](repeating: .nan, count: BatchNorm.sums(C: 2, groups: 1))
        layer.forward(
            y: y.pointer, mean: mean.pointer, inverseDeviation: inverseDeviation.pointer, runningMean: runningMean.pointer, runningVariance: runningVariance.pointer,
            x: x, gamma: [6, 1], beta: [1, -0.5], residual: [0, 1, 0, 0, 10, 0, 0, 0], M: 4, groups: 1, sums: &sums)
        // x̂ = −1, −1/3, 1/3, 1 and 0; ε = 4 makes the deviations 3 and 2.
        #expect(largestError(y.values(), [0, 0.5, 0, 0, 13, 0, 7, 0]) < 1e-6)
        #expect(mean.values() == [2, 7])
        #expect(largestError(inverseDeviation.values(), [1.0 / 3, 0.5]) < 1e-6)
        // Half the way to 2 and 7, and to the unbiased variances 20/3 and 0.
        #expect(runningMean.values() == [6, 4])
        #expect(largestError(runningVariance.values(), [(1 + 20.0 / 3) / 2, 0.5]) < 1e-6)
    }

    @Test func `a worked example of the gradients`() {
        // x̂ = −1, −1/3, 1/3, 1 as above, y = 6·x̂ + 1 = −5, −1, 3, 7: the rectifier lets (0, 0, 3, 1) through of dy = (5, 2, 3, 1).
        let x: [Float] = [-1, 1, 3, 5], layer = BatchNorm(C: 1, epsilon: 4, momentum: 0.5, activation: .relu)
        let dx = Poisoned(4), dgamma = Poisoned([10]), dbeta = Poisoned([20])
        var sums = [Double](repeating: .nan, count: BatchNorm.sums(C: 1, groups: 1))
        layer.backward(
            dx: dx.pointer, dgamma: dgamma.pointer, dbeta: dbeta.pointer, dresidual: nil, addingToResidual: false, dy: [5, 2, 3, 1], y: [0, 0, 3, 7], x: x, mean: [2],
            inverseDeviation: [1.0 / 3], gamma: [6], beta: [1], M: 4, groups: 1, sums: &sums)
        // dβ = 4 and dγ = Σ g·x̂ = 2 are added; dx = 6/3·(g − 4/4 − x̂·2/4).
        #expect(largestError(dbeta.values(), [24]) < 1e-6 && largestError(dgamma.values(), [12]) < 1e-6)
        let right: [Double] = [-1, -5.0 / 3, 11.0 / 3, -1]
        #expect(largestError(dx.values(), right) < 1e-6)
    }

    @Test(arguments: cases)
    func `outputs, saved moments and running statistics are the definition's`(_ c: Case) {
        let result = forward(c)
        let (mean, variance) = c.reference.moments(c.x, groups: c.groups)
        #expect(largestError(result.mean, mean) < 1e-6)
        #expect(largestError(result.inverseDeviation, variance.map { 1 / ($0 + Double(Float(1e-5))).squareRoot() }) < 1e-5)
        let expected = c.reference.forward(c.x, gamma: c.gamma, beta: c.beta, residual: c.residual ? c.other : nil, groups: c.groups).y
        #expect(largestError(result.y, expected) < 3e-6)
        if c.isWide, c.M > 100 { #expect(result.y.contains(0) && (c.activation == .relu6 ? result.y.contains(6) : result.y.contains { $0 > 3 })) }

        let unbiased = c.rows > 1 ? Double(c.rows) / Double(c.rows - 1) : 1
        func moved(_ start: [Float], _ batch: [Double], _ factor: Double) -> [Double] {
            (0..<c.C).map { k in
                let average = (0..<c.groups).reduce(0) { $0 + batch[$1 * c.C + k] * factor } / Double(c.groups)
                return 0.9 * Double(start[k]) + 0.1 * average
            }
        }
        #expect(largestError(result.runningMean, moved(formula("running mean", c.C), mean, 1)) < 1e-6)
        #expect(largestError(result.runningVariance, moved(formula("running variance", c.C).map { 2 + $0 }, variance, unbiased)) < 2e-6)
    }

    @Test func `groups are normalised apart`() {
        // Two groups give the results of two batches.
        let c = Case(M: 26, C: 17, groups: 2, residual: false, activation: .none)
        let half = Case(M: 13, C: 17, groups: 1, residual: false, activation: .none)
        let first = forward(half, x: Array(c.x.prefix(13 * 17))), second = forward(half, x: Array(c.x.suffix(13 * 17)))
        let together = forward(c)
        #expect(firstDifference(together.y, first.y + second.y) == nil)
        #expect(firstDifference(together.mean + together.inverseDeviation, first.mean + second.mean + first.inverseDeviation + second.inverseDeviation) == nil)
        #expect(firstDifference(forward(Case(M: 26, C: 17, groups: 1, residual: false, activation: .none)).y, together.y) != nil)
    }

    @Test func `a mean a thousand times the deviation does not spoil the variance`() {
        let c = Case(M: 3000, C: 20, groups: 1, residual: false, activation: .none)
        let x = formula("x", c.M * c.C).enumerated().map { i, u in Float(i % 20 < 10 ? 1000 : -1000) + u }
        let result = forward(c, x: x)
        let (mean, variance) = c.reference.moments(x, groups: c.groups)
        #expect(largestError(result.mean, mean) < 1e-6)
        #expect(largestError(result.inverseDeviation, variance.map { 1 / ($0 + 1e-5).squareRoot() }) < 1e-5)
    }

    @Test(arguments: cases)
    func `gradients are the definition's`(_ c: Case) {
        var dy = formula("dy", c.M * c.C)
        let y = forward(c).y, z = c.reference.forward(c.x, gamma: c.gamma, beta: c.beta, residual: c.residual ? c.other : nil, groups: c.groups).z
        // At its kinks the slope of h-swish jumps, and single precision may be on the other side.
        if c.activation == .hardSwish {
            for i in dy.indices where abs(abs(z[i]) - 3) < 1e-4 { dy[i] = 0 }
        }
        // If the layer derives the slope from y, use its y: a sum may lie on the other side of the kink.
        let g = dy.indices.map { Double(dy[$0]) * c.activation.reference(c.activation.isInvertible ? Double(y[$0]) : z[$0]).derivative }
        let linear = BatchNormReference(C: c.C, epsilon: 1e-5, activation: .none)
        let expected = linear.backward(dy: g.map { Float($0) }, c.x, gamma: c.gamma, beta: c.beta, residual: nil, groups: c.groups)
        let found = backward(c, dy: dy, parameters: 3)
        if c.rows > 1 { #expect(largestError(found.dx, expected.dx) < 1e-5) } else { #expect(found.dx.allSatisfy { $0 == 0 }) }
        // It adds to 3 and −3.
        #expect(largestError(found.dgamma, expected.dgamma.map { 3 + $0 }) < 1e-5)
        #expect(largestError(found.dbeta, expected.dbeta.map { -3 + $0 }) < 1e-5)
        if c.residual {
            #expect(firstDifference(found.dresidual, g.map { Float($0) }) == nil)
            let before = formula("before", dy.count)
            #expect(firstDifference(backward(c, dy: dy, adding: before).dresidual, zip(before, g).map { $0 + Float($1) }) == nil)
        }
        let inPlace = backward(c, dy: dy, inPlace: true, parameters: 3)
        #expect(firstDifference(inPlace.dx + inPlace.dgamma + inPlace.dbeta, found.dx + found.dgamma + found.dbeta) == nil)
        if c.residual { #expect(firstDifference(inPlace.dresidual, found.dresidual) == nil) }
    }

    @Test(arguments: [(14, 5, 2), (63, 17, 3), (169, 20, 1)], [Activation.none, .relu, .relu6, .hardSwish, .silu])
    func `gradients are the derivative`(_ size: (Int, Int, Int), _ activation: Activation) {
        let c = Case(M: size.0, C: size.1, groups: size.2, residual: activation.isInvertible, activation: activation)
        let dy = formula("dy", c.M * c.C), found = backward(c, dy: dy)
        expectDerivative(found.dx, of: { dot(dy, forward(c, x: $0).y) }, at: c.x, step: 3e-3, tolerance: 1e-3)
        expectDerivative(found.dgamma, of: { dot(dy, forward(c, gamma: $0).y) }, at: c.gamma, step: 3e-2, tolerance: 1e-3)
        expectDerivative(found.dbeta, of: { dot(dy, forward(c, beta: $0).y) }, at: c.beta, step: 3e-2, tolerance: 1e-3)
        guard c.residual else { return }
        expectDerivative(found.dresidual, of: { dot(dy, forward(c, other: $0).y) }, at: c.other, step: 3e-2, tolerance: 1e-3)
    }

    @Test(arguments: [(90_001, 24, 1), (33_000, 64, 2), (21_000, 104, 2)], [Activation.relu, .none])
    func `large outputs, which go by non-temporal stores, are the same`(_ size: (M: Int, C: Int, groups: Int), _ activation: Activation) {
        let (M, C, groups) = size, n = M * C
        #expect(n >= 1 << 21)
        let layer = BatchNorm(C: C, epsilon: 1e-5, momentum: 0.1, activation: activation)
        let x = FloatBuffer(formula("x", n)), other = FloatBuffer(formula("residual", n)), dy = FloatBuffer(formula("dy", n))
        let gamma = formula("gamma", C), beta = formula("beta", C)
        /// With outputs `shift` floats after the start of a cache line.
        func run(residual: Bool, shift: Int) -> [[Float]] {
            let outputs = (0..<3).map { _ in FloatBuffer([Float](repeating: .nan, count: n + 32)) }
            let (y, dx, dresidual) = (outputs[0].pointer + shift, outputs[1].pointer + shift, outputs[2].pointer + shift)
            let moments = FloatBuffer(2 * groups * C), running = FloatBuffer(4 * C)
            var sums = [Double](repeating: .nan, count: BatchNorm.sums(C: C, groups: groups))
            layer.forward(
                y: y, mean: moments.pointer, inverseDeviation: moments.pointer + groups * C, runningMean: running.pointer, runningVariance: running.pointer + C,
                x: x.pointer, gamma: gamma, beta: beta, residual: residual ? UnsafePointer(other.pointer) : nil, M: M, groups: groups, sums: &sums)
            layer.backward(
                dx: dx, dgamma: running.pointer + 2 * C, dbeta: running.pointer + 3 * C, dresidual: residual ? dresidual : nil,
                addingToResidual: false, dy: dy.pointer, y: y, x: x.pointer, mean: moments.pointer, inverseDeviation: moments.pointer + groups * C,
                gamma: gamma, beta: beta, M: M, groups: groups, sums: &sums)
            for buffer in outputs {
                let around = (0..<32).map { buffer.pointer[$0 < shift ? $0 : n + $0] }
                #expect(!around.contains { !$0.isNaN })
            }
            return outputs.map { Array(UnsafeBufferPointer(start: $0.pointer + shift, count: n)) } + [moments.array, running.array]
        }
        for residual in [false, true] {
            for (k, pair) in zip(run(residual: residual, shift: 0), run(residual: residual, shift: 5)).enumerated() where residual || k != 2 {
                #expect(firstDifference(pair.0, pair.1) == nil, "\(k)")
                #expect(!pair.0.contains { !$0.isFinite })
            }
        }
    }
}
