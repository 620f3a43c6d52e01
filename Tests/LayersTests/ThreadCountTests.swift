import Kernels
import Layers
import Parallel
import Platform
import Testing
import TestSupport

/// Every layer's outputs and gradients on work large enough for many pieces, as one number each.
private func digests() -> [String] {
    var lines: [String] = []
    func note(_ name: String, _ outputs: Poisoned...) {
        var h: UInt64 = 14_695_981_039_346_656_037
        for value in outputs.flatMap({ $0.values() }) { h = (h ^ UInt64(value.bitPattern)) &* 1_099_511_628_211 }
        lines.append("\(name) \(h)")
    }
    func zeros(_ count: Int) -> Poisoned { Poisoned([Float](repeating: 0, count: count)) }

    for (kernel, stride, C, K) in [(1, 1, 20, 24), (3, 1, 20, 24), (3, 1, 32, 64), (3, 2, 32, 64), (7, 2, 20, 24)] {
        let window = Window(H: 40, W: 37, C: C, kernel: kernel, stride: stride, padding: kernel / 2), N = 6
        let layer = Convolution(window: window, K: K)
        let scratch = Scratch(workers: Parallel.threads)
        scratch.reserve(layer.scratch(N: N))
        let x = formula("x", N * 40 * 37 * C), W = formula("W", layer.weightCount), dy = formula("dy", N * window.outputPixels * K)
        let y = Poisoned(dy.count), dx = Poisoned(x.count), dW = zeros(W.count)
        layer.forward(y: y.pointer, x: x, W: W, N: N, scratch: scratch)
        layer.backwardData(dx: dx.pointer, adding: false, dy: dy, W: W, N: N, scratch: scratch)
        layer.backwardWeights(dW: dW.pointer, dy: dy, x: x, N: N, scratch: scratch)
        note("convolution \(kernel) \(C)", y, dx, dW)
        if layer.joinsGradients {
            let joined = zeros(W.count)
            layer.backward(dx: dx.pointer, adding: true, dW: joined.pointer, dy: dy, x: x, W: W, N: N, scratch: scratch)
            note("both gradients", dx, joined)
        }

        let pool = MaxPool(window: window), under = Poisoned(N * window.outputPixels * C), back = Poisoned(x.count)
        var taps = [UInt8](repeating: 0, count: under.count)
        pool.forward(y: under.pointer, argmax: &taps, x: x, N: N)
        pool.backward(dx: back.pointer, adding: false, dy: formula("dy", under.count), argmax: taps, N: N)
        note("maximum \(kernel) \(C)", under, back)
    }
    for (side, C, K, N) in [(2, 96, 160, 130), (7, 336, 352, 9)] {
        let window = Window(H: side, W: side, C: C, kernel: 3, stride: 1, padding: 1), layer = Convolution(window: window, K: K)
        let scratch = Scratch(workers: Parallel.threads)
        scratch.reserve(layer.scratch(N: N))
        let x = formula("x", N * side * side * C), W = formula("W", layer.weightCount), dy = formula("dy", N * side * side * K)
        let y = Poisoned(dy.count), dx = Poisoned(x.count), dW = zeros(W.count)
        layer.forward(y: y.pointer, x: x, W: W, N: N, scratch: scratch)
        layer.backwardData(dx: dx.pointer, adding: false, dy: dy, W: W, N: N, scratch: scratch)
        layer.backwardWeights(dW: dW.pointer, dy: dy, x: x, N: N, scratch: scratch)
        note("few places \(side)", y, dx, dW)
    }
    for (C, kernel, stride, N) in [(72, 3, 1, 20), (300, 5, 2, 3)] {
        let window = Window(H: 30, W: 37, C: C, kernel: kernel, stride: stride, padding: kernel / 2), layer = Depthwise(window: window)
        let scratch = Scratch(workers: Parallel.threads)
        scratch.reserve(layer.scratch(N: N))
        let x = formula("x", N * 30 * 37 * C), W = formula("W", layer.weightCount), dy = formula("dy", N * window.outputPixels * C)
        let y = Poisoned(dy.count), dx = Poisoned(x.count), dW = zeros(W.count)
        layer.forward(y: y.pointer, x: x, W: W, N: N, bias: formula("b", C), .relu, scratch: scratch)
        layer.backward(dx: dx.pointer, adding: false, dW: dW.pointer, dy: dy, x: x, W: W, N: N, scratch: scratch)
        note("depthwise \(kernel)", y, dx, dW)
    }
    for stride in [1, 2] {
        let window = Window(H: 30, W: 37, C: 24, kernel: 3, stride: stride, padding: 1), N = 20, layer = GroupedConvolution(window: window, K: 40, groups: 4)
        let scratch = Scratch(workers: Parallel.threads)
        scratch.reserve(layer.scratch(N: N))
        let x = formula("x", N * 30 * 37 * 24), W = formula("W", layer.weightCount), dy = formula("dy", N * window.outputPixels * 40)
        let y = Poisoned(dy.count), dx = Poisoned(x.count), dW = zeros(W.count)
        layer.forward(y: y.pointer, x: x, W: W, N: N, scratch: scratch)
        layer.backwardData(dx: dx.pointer, adding: false, dy: dy, W: W, N: N, scratch: scratch)
        layer.backwardWeights(dW: dW.pointer, dy: dy, x: x, N: N, scratch: scratch)
        note("grouped convolution \(stride)", y, dx, dW)
    }
    do {
        let (rows, D) = (1000, 130), unit = Poisoned(rows * D), norm = Poisoned(rows), change = Poisoned(rows * D)
        let given = Poisoned(formula("rows", rows * D)), gradient = Poisoned(formula("gradient", rows * D))
        L2Normalization.forward(y: unit.all, norm: norm.all, x: UnsafeBufferPointer(given.all), N: rows, D: D)
        L2Normalization.backward(
            dx: change.all, dy: UnsafeBufferPointer(gradient.all), y: UnsafeBufferPointer(unit.all), norm: UnsafeBufferPointer(norm.all), N: rows, D: D)
        note("rows of unit length", unit, norm, change, given, gradient)
    }
    for (M, C, groups, activation) in [
        (12_000, 20, 1, Activation.relu), (12_000, 20, 4, .relu), (3000, 64, 2, .none), (12_000, 24, 1, .hardSwish), (12_000, 17, 2, .silu),
        (600, 1024, 1, .relu),
    ] {
        let layer = BatchNorm(C: C, epsilon: 1e-5, momentum: 0.1, activation: activation)
        let summed = activation == .relu || activation == .none
        let x = formula("x", M * C), gamma = formula("gamma", C), other = Poisoned(x)
        let y = Poisoned(x.count), mean = Poisoned(groups * C), inverseDeviation = Poisoned(groups * C), running = zeros(C), variance = zeros(C)
        var sums = [Double](repeating: .nan, count: BatchNorm.sums(C: C, groups: groups))
        layer.forward(
            y: y.pointer, mean: mean.pointer, inverseDeviation: inverseDeviation.pointer, runningMean: running.pointer, runningVariance: variance.pointer, x: x,
            gamma: gamma, beta: gamma, residual: summed ? UnsafePointer(other.pointer) : nil, M: M, groups: groups, sums: &sums)
        let dx = Poisoned(x.count), dresidual = Poisoned(x.count), dgamma = zeros(C), dbeta = zeros(C)
        layer.backward(
            dx: dx.pointer, dgamma: dgamma.pointer, dbeta: dbeta.pointer, dresidual: summed ? dresidual.pointer : nil,
            addingToResidual: false, dy: formula("dy", x.count), y: y.pointer, x: x, mean: mean.pointer, inverseDeviation: inverseDeviation.pointer, gamma: gamma,
            beta: gamma, M: M, groups: groups, sums: &sums)
        note("batch norm \(C) \(groups) \(activation)", y, mean, inverseDeviation, running, variance, dx, dresidual, dgamma, dbeta)
    }
    for (N, P, C, K) in [(9, 400, 72, 24), (2, 900, 200, 50)] {
        let layer = SqueezeExcite(C: C, K: K, activation: .silu, gate: .sigmoid), x = formula("x", N * P * C)
        let numbers = [K * C, K, C * K, C].map { Poisoned(formula("numbers", $0)) }, gradients = [K * C, K, C * K, C].map(zeros)
        func parameters(_ all: [Poisoned]) -> SqueezeExcite.Parameters {
            .init(W1: all[0].pointer, b1: all[1].pointer, W2: all[2].pointer, b2: all[3].pointer)
        }
        let y = Poisoned(x.count), dx = Poisoned(x.count), kept = Poisoned(layer.saved(N: N)), scratch = Scratch(workers: Parallel.threads)
        scratch.reserve(layer.scratch(N: N))
        withExtendedLifetime(numbers) {
            layer.forward(y: y.pointer, saved: kept.pointer, x: x, parameters(numbers), N: N, P: P, scratch: scratch)
            layer.backward(
                dx: dx.pointer, parameters(gradients), dy: formula("dy", x.count), x: x, saved: kept.pointer, parameters(numbers), N: N, P: P,
                scratch: scratch)
        }
        note("squeeze-excite \(C)", y, dx, gradients[0], gradients[1], gradients[2], gradients[3])
        let randomKey = RandomKey(seed: 1, epoch: 2, step: 3), dropped = Poisoned(x.count), sum = Poisoned(x.count)
        Dropout(0.2).apply(y: dropped.pointer, x: x, N: N, C: P * C, randomKey, operation: 4)
        StochasticDepth(0.5).forward(y: sum.pointer, x: x, residual: x, N: N, count: P * C, randomKey, operation: 4)
        note("dropout \(C)", dropped, sum)
    }
    for (N, T, C, heads) in [(5, 90, 64, 2), (40, 3, 128, 4), (1, 197, 96, 2), (7, 33, 80, 1), (1, 1, 48, 3)] {
        let W = formula("W", 3 * C * C), b = formula("b", 4 * C), x = formula("x", N * T * C), scratch = Scratch(workers: Parallel.threads)
        let numbers = [W, b].map { FloatBuffer($0) }, (w, c) = (numbers[0].pointer, numbers[1].pointer)
        let parameters = Attention.Parameters(normScale: c, normBias: c, qkv: w, qkvBias: c, output: w, outputBias: c, layerScale: nil)
        let layers = [false, true].map { Attention(T: T, C: C, heads: heads, onlyFirst: $0, epsilon: 1e-6, parameters) }
        let wide = FeedForward(
            C: C, F: 3 * C, epsilon: 1e-6, FeedForward.Parameters(normScale: c, normBias: c, first: w, firstBias: c, second: w, secondBias: c, layerScale: c))
        let last = LayerNorm(C: C, epsilon: 1e-6, scale: c, bias: c)
        withExtendedLifetime(numbers) {}
        for layer in layers { scratch.reserve(layer.scratch(N: N)) }
        scratch.reserve(wide.scratch())
        let mixed = Poisoned(x.count), y = Poisoned(x.count), first = Poisoned(N * C), normed = Poisoned(N * C)
        layers[0].forward(y: mixed.pointer, x: x, N: N, scratch: scratch)
        wide.forward(y: y.pointer, x: mixed.pointer, M: N * T, scratch: scratch)
        layers[1].forward(y: first.pointer, x: y.pointer, N: N, scratch: scratch)
        last.forward(y: normed.pointer, x: y.pointer, stride: T * C, N: N)
        note("transformer \(C)", mixed, y, first, normed)
    }
    for c in PatchEmbeddingTests.cases {
        let y = Poisoned(c.N * c.T * c.K)
        PatchEmbedding(H: c.H, W: c.W, C: c.C, P: c.P, K: c.K, tokens: c.tokens, weights: c.weights, bias: c.bias).forward(y: y.pointer, x: c.x, N: c.N)
        note("patches \(c.P) \(c.K)", y)
    }
    let (N, I, O) = (9, 700, 515)
    let x = formula("x", N * I), W = formula("W", O * I), dy = formula("dy", N * O)
    let y = Poisoned(N * O), dx = Poisoned(N * I), dW = zeros(W.count), db = zeros(O)
    Linear(I: I, O: O).forward(y: y.pointer, x: x, W: W, b: formula("b", O), N: N)
    Linear(I: I, O: O).backward(dx: dx.pointer, adding: false, dW: dW.pointer, db: db.pointer, dy: dy, x: x, W: W, N: N)
    note("linear", y, dx, dW, db)
    let mean = Poisoned(9 * 20), spread = Poisoned(9 * 49 * 20)
    AveragePool.forward(y: mean.pointer, x: formula("x", 9 * 49 * 20), N: 9, P: 49, C: 20)
    AveragePool.backward(dx: spread.pointer, adding: false, dy: mean.pointer, N: 9, P: 49, C: 20)
    note("average", mean, spread)
    let kept = Poisoned(100_003), cut = Poisoned(100_003), signs = formula("x", 100_003)
    Elementwise(.relu).forward(y: kept.pointer, x: signs, count: 100_003)
    Elementwise(.relu).backward(dx: cut.pointer, dy: formula("dy", 100_003), x: signs, count: 100_003)
    note("activation", kept, cut)
    return lines
}

@Suite struct ThreadCountTests {
    /// Each number of threads has its own process: threads are never removed again.
    @Test func `all layers give the same bytes with 1, 2, 3 and 7 threads`() async throws {
        var found: [String] = []
        for threads in [1, 2, 3, 7] {
            let result = await #expect(processExitsWith: .success, observing: [\.standardOutputContent]) { [threads = threads as Int] in
                Parallel.setThreads(threads)
                guard allAtWork(threads) else { exit(1) }
                let first = digests()
                // The assignment of pieces to threads differs between runs.
                for _ in 0..<3 where digests() != first { exit(2) }
                for line in first { print("digest \(line)") }
                fflush(nil)
            }
            let text = String(decoding: try #require(result).standardOutputContent, as: UTF8.self)
            found.append(text.split(separator: "\n").filter { $0.hasPrefix("digest ") }.joined(separator: "\n"))
        }
        #expect(found[0].split(separator: "\n").count == 43)
        for (index, text) in found.enumerated() { #expect(text == found[0], "\([1, 2, 3, 7][index]) threads") }
    }
}
