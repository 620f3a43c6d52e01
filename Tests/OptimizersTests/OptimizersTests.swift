import Optimizers
import Parallel
import Randomness
import TestSupport
import Testing

struct OptimizersTests {
    /// One SGD step over the buffers that `sizes` cuts the arrays into.
    private func step(_ optimizer: any Optimizer, _ w: inout [Float], _ g: [Float], _ v: inout [Float], sizes: [Int], rate: Double, decays: Bool = true) {
        w.withUnsafeMutableBufferPointer { w in
            v.withUnsafeMutableBufferPointer { v in
                g.withUnsafeBufferPointer { g in
                    var (parameters, start) = ([ParameterBuffer](), 0)
                    for size in sizes {
                        parameters.append(ParameterBuffer(
                            values: w.baseAddress! + start, gradient: g.baseAddress! + start, momentum: v.baseAddress! + start,
                            count: size, decays: decays))
                        start += size
                    }
                    optimizer.step(parameters, learningRate: rate, step: 1)
                }
            }
        }
    }

    @Test func `six steps are those of torch's SGD, from a first step without momentum`() throws {
        let golden = try Golden("objectives")
        var w = try golden.floats("sgd.begin")
        var v = [Float](repeating: 0, count: w.count)
        let (gradients, values) = (try golden.floats("sgd.gradients"), try golden.floats("sgd.values"))
        for (i, rate) in try golden.floats("sgd.rates").enumerated() {
            let numbers = i * 33..<(i + 1) * 33
            step(SGD(momentum: 0.9, weightDecay: 1e-2), &w, Array(gradients[numbers]), &v, sizes: [13, 20], rate: Double(rate))
            for (found, expected) in zip(w, values[numbers]) { #expect(abs(found - expected) < 1e-6) }
        }
        for (found, expected) in zip(v, try golden.floats("sgd.momentum")) { #expect(abs(found - expected) < 2e-6) }
    }

    private static let shapes = [[13], [4, 5], [3, 2, 3, 3], [1], [40, 1000], [6, 2]]
    private static let rates = [0.0, 0.1, 0.1, 0.05, 0.2, 0.01, 0.03, 0.3, 0.1, 0.02]

    /// The first numbers of each parameter after each of ten steps.
    private func values(_ optimizer: any Optimizer, own: Double? = nil) -> [[Float]] {
        let counts = Self.shapes.map { $0.reduce(1, *) }
        /// Memory of all parameters, concatenated.
        func memory(_ values: (Int) -> [Float]) -> UnsafeMutablePointer<Float> {
            let all = counts.indices.flatMap(values), memory = UnsafeMutablePointer<Float>.allocate(capacity: all.count)
            memory.initialize(from: all, count: all.count)
            return memory
        }
        func zeros(_ i: Int) -> [Float] { [Float](repeating: 0, count: counts[i]) }
        let w = memory { $0 == 5 ? zeros($0) : formula("w\($0)", counts[$0]) }, v = memory(zeros), s = memory(zeros)
        defer { [w, v, s].forEach { $0.deallocate() } }
        return Self.rates.enumerated().map { step, rate in
            let g = memory { $0 == 1 && [0, 3].contains(step) ? zeros($0) : formula("g\($0).\(step)", counts[$0]) }
            defer { g.deallocate() }
            var start = 0, firsts: [Float] = [], parameters: [ParameterBuffer] = []
            for (shape, count) in zip(Self.shapes, counts) {
                let isExcluded = shape.count == 1 && optimizer.excludesVectors
                parameters.append(ParameterBuffer(
                    values: w + start, gradient: g + start, momentum: v + start, square: optimizer.slots.contains(.square) ? s + start : nil, count: count,
                    decays: !isExcluded, adapts: !isExcluded, learningRate: own.map { $0 * rate }))
                start += count
            }
            optimizer.step(parameters, learningRate: own == nil ? rate : 7, step: step + 1)
            for parameter in parameters { firsts += Array(UnsafeBufferPointer(start: parameter.values, count: min(64, parameter.count))) }
            return firsts
        }
    }

    @Test(arguments: [
        ("sgd", SGD(weightDecay: 1e-2)), ("nesterov", SGD(weightDecay: 1e-2, nesterov: true)), ("lars-simclr", LARS(.larsSimCLR, weightDecay: 1e-2)),
        ("lars-byol", LARS(.larsBYOL, weightDecay: 1e-2)), ("lars", LARS(.lars, weightDecay: 1e-2)), ("larc", LARS(.larc, weightDecay: 1e-2)),
        ("adam", Adam(weightDecay: 1e-2)), ("adamw", Adam(.adamW, weightDecay: 1e-2)),
    ] as [(String, any Optimizer)])
    func `ten steps are those of torch, or of the code of papers`(_ name: String, _ optimizer: any Optimizer) throws {
        let golden = try Golden("optimizers"), expected = try golden.floats(name), found = values(optimizer).flatMap { $0 }
        #expect(found.count == expected.count)
        for (found, expected) in zip(found, expected) { #expect(abs(found - expected) < 1e-6 * max(1, abs(expected))) }
        #expect(values(optimizer, own: 1).flatMap { $0 } == found, "a parameter's own rate")
    }

    @Test func `the variants of LARS are told apart where they differ`() {
        let all = [LARS(.larsSimCLR, weightDecay: 1e-2), LARS(.larsBYOL, weightDecay: 1e-2), LARS(.lars, weightDecay: 1e-2), LARS(.larc, weightDecay: 1e-2)].map { values($0).last }
        #expect(all[1] == all[2] && all[0] != all[1] && all[3] != all[1] && all[3] != all[0])
    }

    @Test func `a parameter that does not decay follows its gradient alone`() {
        var (w, v): ([Float], [Float]) = ([2, 4], [0, 0])
        step(SGD(momentum: 0.5, weightDecay: 0.1), &w, [1, 0], &v, sizes: [2], rate: 1, decays: false)
        #expect(w == [1, 4] && v == [1, 0])
        step(SGD(momentum: 0.5, weightDecay: 0.25), &w, [1, 0], &v, sizes: [2], rate: 1)
        #expect(v == [1.75, 1] && w == [-0.75, 3])
    }

    @Test func `one thread and four give the same bytes`() async {
        await #expect(processExitsWith: .success) {
            let count = 200_003
            var random = CounterRandom(seed: 1, .test)
            let (w0, g) = ((0..<count).map { _ in Float(random.normal()) }, (0..<count).map { _ in Float(random.normal()) })
            func run() -> (w: [Float], v: [Float], norm: Double, average: [Float]) {
                var (w, v) = (w0, g)
                OptimizersTests().step(SGD(), &w, g, &v, sizes: [3, 100_000, 100_000], rate: 0.1)
                OptimizersTests().step(LARS(.larc), &w, g, &v, sizes: [3, 100_000, 100_000], rate: 10)
                var average = w0
                average.withUnsafeMutableBufferPointer { k in w.withUnsafeBufferPointer { MovingAverage.update([k], towards: [$0], momentum: 0.99) } }
                return (w, v, g.withUnsafeBufferPointer { GradientNorm.of([$0]) }, average)
            }
            let alone = run()
            Parallel.setThreads(4)
            #expect(allAtWork(4))
            for _ in 0..<5 {
                let many = run()
                #expect(alone.w == many.w && alone.v == many.v && alone.norm == many.norm && alone.average == many.average)
            }
            #expect(abs(alone.norm - g.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()) < 1e-9)
        }
    }

    @Test func `the moving average is m·k + (1 − m)·q`() {
        var (k, q): ([Float], [Float]) = ([1, -2, 0], [3, 2, 8])
        k.withUnsafeMutableBufferPointer { k in q.withUnsafeMutableBufferPointer { q in
            MovingAverage.update([k], towards: [UnsafeBufferPointer(q)], momentum: 0.75)
        } }
        #expect(k == [1.5, -1, 2])
    }

    @Test func `the gradient norm goes over all buffers, and NaN shows`() {
        let (a, b): ([Float], [Float]) = ([3, 0, 0, 0, 0, 0, 0, 0, 0, 4], [12])
        a.withUnsafeBufferPointer { a in b.withUnsafeBufferPointer { b in
            #expect(GradientNorm.of([a, b]) == 13)
        } }
        [Float.nan, 1].withUnsafeBufferPointer { a in #expect(GradientNorm.of([a]).isNaN) }
        #expect(GradientNorm.of([]) == 0)
    }
}
