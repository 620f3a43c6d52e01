import Kernels
import Layers
import Parallel
import Platform
import Synchronization
import Testing
import TestSupport

/// A kernel with its own inputs. Each run makes new outputs and returns one number that depends on all their bytes.
private struct Work: Sendable {
    let name: String
    let digest: @Sendable (Scratch) -> UInt64

    init(_ name: String, _ outputs: @escaping @Sendable (Scratch) -> [Poisoned]) {
        self.name = name
        digest = { scratch in
            var h: UInt64 = 14_695_981_039_346_656_037
            for output in outputs(scratch) { for value in output.values() { h = (h ^ UInt64(value.bitPattern)) &* 1_099_511_628_211 } }
            return h
        }
    }

    private static func zeros(_ count: Int) -> Poisoned { Poisoned([Float](repeating: 0, count: count)) }

    /// All kernels, with work large enough for several pieces and small enough for a thousand runs.
    static func all() -> (works: [Work], need: Scratch.Need) {
        var works: [Work] = [], need = Scratch.Need()
        // Winograd tiles, patches, pixels in place, gathered pixels, pixel pairs.
        for (side, C, K, kernel, stride) in [(14, 32, 48, 3, 1), (7, 48, 16, 3, 1), (15, 20, 24, 3, 2), (21, 3, 24, 7, 2), (13, 40, 72, 1, 1), (7, 1024, 24, 1, 1), (14, 24, 40, 1, 2), (4, 24, 40, 3, 2)] {
            let N = 3, window = Window(H: side, W: side - 2, C: C, kernel: kernel, stride: stride, padding: kernel / 2), layer = Convolution(window: window, K: K)
            need.formUnion(layer.scratch(N: N))
            let x = formula("x", N * side * (side - 2) * C), W = formula("W", layer.weightCount), dy = formula("dy", N * window.outputPixels * K), bias = formula("b", K)
            works.append(Work("convolution \(kernel) / \(stride) of \(C) to \(K)") { scratch in
                let y = Poisoned(dy.count), folded = Poisoned(dy.count), dx = Poisoned(x.count), dW = zeros(W.count), packed = Poisoned(layer.packedCount)
                layer.forward(y: y.pointer, x: x, W: W, N: N, scratch: scratch)
                layer.pack(W, into: packed.pointer)
                bias.withUnsafeBufferPointer { bias in
                    guard let bias = bias.baseAddress else { return }
                    layer.forward(
                        y: folded.pointer, x: x, packed: packed.pointer, N: N, epilogue: Epilogue(bias: bias, residual: y.pointer, activation: .silu), scratch: scratch)
                }
                layer.backwardData(dx: dx.pointer, adding: false, dy: dy, W: W, N: N, scratch: scratch)
                layer.backwardWeights(dW: dW.pointer, dy: dy, x: x, N: N, scratch: scratch)
                guard let pieces = layer.momentPieces(N: N) else { return [y, folded, dx, dW] }
                let mean = Poisoned(K), inverseDeviation = Poisoned(K), running = zeros(K), variance = zeros(K)
                var moments = [Double](repeating: .nan, count: layer.momentDoubles(N: N))
                layer.forward(y: y.pointer, x: x, W: W, N: N, moments: &moments, scratch: scratch)
                BatchNorm(C: K, epsilon: 1e-5, momentum: 0.1, activation: .relu).measure(
                    mean: mean.pointer, inverseDeviation: inverseDeviation.pointer, runningMean: running.pointer, runningVariance: variance.pointer, x: y.pointer,
                    M: N * window.outputPixels, groups: 1, measured: pieces, sums: &moments)
                return [y, folded, dx, dW, mean, inverseDeviation, running, variance]
            })
        }
        // The last reads its images in place.
        for (width, C, kernel, stride) in [(13, 40, 3, 1), (13, 24, 5, 2), (59, 40, 3, 2)] {
            let N = 3, window = Window(H: 14, W: width, C: C, kernel: kernel, stride: stride, padding: kernel / 2), layer = Depthwise(window: window)
            need.formUnion(layer.scratch(N: N))
            let x = formula("x", N * 14 * width * C), W = formula("W", layer.weightCount), dy = formula("dy", N * window.outputPixels * C), bias = formula("b", C)
            works.append(Work("depthwise \(kernel) / \(stride)") { scratch in
                let y = Poisoned(dy.count), dx = Poisoned(x.count), dW = zeros(W.count)
                layer.forward(y: y.pointer, x: x, W: W, N: N, bias: bias, .hardSwish, scratch: scratch)
                layer.backward(dx: dx.pointer, adding: false, dW: dW.pointer, dy: dy, x: x, W: W, N: N, scratch: scratch)
                return [y, dx, dW]
            })
        }
        for (C, groups, activation, withResidual) in [(20, 1, Activation.relu, true), (64, 2, .silu, false), (24, 4, .none, true)] {
            let M = 2400, layer = BatchNorm(C: C, epsilon: 1e-5, momentum: 0.1, activation: activation)
            let x = formula("x", M * C), dy = formula("dy", M * C), gamma = formula("gamma", C)
            works.append(Work("batch norm of \(C)") { _ in
                let y = Poisoned(x.count), mean = Poisoned(groups * C), inverseDeviation = Poisoned(groups * C), running = zeros(C), variance = zeros(C)
                let dx = Poisoned(x.count), dgamma = zeros(C), dbeta = zeros(C), dresidual = zeros(x.count)
                var sums = [Double](repeating: .nan, count: BatchNorm.sums(C: C, groups: groups))
                x.withUnsafeBufferPointer { residual in
                    layer.forward(
                        y: y.pointer, mean: mean.pointer, inverseDeviation: inverseDeviation.pointer, runningMean: running.pointer, runningVariance: variance.pointer, x: x,
                        gamma: gamma, beta: gamma, residual: withResidual ? residual.baseAddress : nil, M: M, groups: groups, sums: &sums)
                }
                layer.backward(
                    dx: dx.pointer, dgamma: dgamma.pointer, dbeta: dbeta.pointer, dresidual: withResidual ? dresidual.pointer : nil, addingToResidual: true,
                    dy: dy, y: y.pointer, x: x, mean: mean.pointer, inverseDeviation: inverseDeviation.pointer, gamma: gamma, beta: gamma, M: M, groups: groups, sums: &sums)
                return [y, mean, inverseDeviation, running, variance, dx, dgamma, dbeta, dresidual]
            })
        }
        let pool = MaxPool(window: Window(H: 21, W: 20, C: 24, kernel: 3, stride: 2, padding: 1)), pixels = formula("x", 3 * 21 * 20 * 24)
        works.append(Work("pools") { _ in
            let outputs = 3 * pool.window.outputPixels * 24, y = Poisoned(outputs), dx = Poisoned(pixels.count), mean = Poisoned(3 * 24), spread = Poisoned(pixels.count)
            var taps = [UInt8](repeating: 0, count: outputs)
            pool.forward(y: y.pointer, argmax: &taps, x: pixels, N: 3)
            pool.backward(dx: dx.pointer, adding: false, dy: y.pointer, argmax: taps, N: 3)
            AveragePool.forward(y: mean.pointer, x: pixels, N: 3, P: 420, C: 24)
            AveragePool.backward(dx: spread.pointer, adding: false, dy: mean.pointer, N: 3, P: 420, C: 24)
            return [y, dx, mean, spread]
        })
        let (rows, I, O) = (9, 300, 270), linear = Linear(I: I, O: O)
        let x = formula("x", rows * I), W = formula("W", O * I), b = formula("b", O), dy = formula("dy", rows * O)
        works.append(Work("linear") { _ in
            let y = Poisoned(rows * O), dx = Poisoned(x.count), dW = zeros(W.count), db = zeros(O)
            linear.forward(y: y.pointer, x: x, W: W, b: b, N: rows, .relu)
            linear.backward(dx: dx.pointer, adding: false, dW: dW.pointer, db: db.pointer, dy: dy, x: x, W: W, N: rows)
            return [y, dx, dW, db]
        })
        // Step by step, and image by image.
        for (N, K) in [(9, 24), (17, 8)] {
            let excite = SqueezeExcite(C: 72, K: K, activation: .silu, gate: .sigmoid), P = 49
            need.formUnion(excite.scratch(N: N))
            let image = formula("x", N * P * 72), change = formula("dy", N * P * 72), numbers = [K * 72, K, 72 * K, 72].map { formula("\($0)", $0) }
            let randomKey = RandomKey(seed: 1, epoch: 2, step: 3)
            works.append(Work("squeeze-excite of \(N), dropout, stochastic depth") { scratch in
                let y = Poisoned(image.count), kept = Poisoned(excite.saved(N: N)), dx = Poisoned(image.count), deep = Poisoned(image.count)
                let own = numbers.map { Poisoned($0) }, gradients = numbers.map { zeros($0.count) }
                func parameters(_ all: [Poisoned]) -> SqueezeExcite.Parameters { .init(W1: all[0].pointer, b1: all[1].pointer, W2: all[2].pointer, b2: all[3].pointer) }
                // Swift may free arrays after their last use.
                withExtendedLifetime((own, gradients)) {
                    excite.forward(y: y.pointer, saved: kept.pointer, x: image, parameters(own), N: N, P: P, scratch: scratch)
                    excite.backward(dx: dx.pointer, parameters(gradients), dy: change, x: image, saved: kept.pointer, parameters(own), N: N, P: P, scratch: scratch)
                }
                StochasticDepth(0.4).forward(y: deep.pointer, x: y.pointer, residual: dx.pointer, N: N, count: P * 72, randomKey, operation: 1)
                Dropout(0.4).apply(y: y.pointer, x: y.pointer, N: N, C: P * 72, randomKey, operation: 2)
                return [y, kept, dx, deep] + gradients
            })
        }
        for (name, C, K, stride, groups) in [("grouped convolution", 24, 40, 1, 4), ("grouped convolution of stride 2", 48, 32, 2, 4), ("grouped convolution of wide groups", 80, 96, 2, 2)] {
            let layer = GroupedConvolution(window: Window(H: 14, W: 12, C: C, kernel: 3, stride: stride, padding: 1), K: K, groups: groups)
            need.formUnion(layer.scratch(N: 3))
            let x = formula("x", 3 * 14 * 12 * C), W = formula("W", layer.weightCount), dy = formula("dy", 3 * (14 / stride) * (12 / stride) * K)
            works.append(Work(name) { scratch in
                let y = Poisoned(dy.count), dx = Poisoned(x.count), dW = zeros(W.count)
                layer.forward(y: y.pointer, x: x, W: W, N: 3, scratch: scratch)
                layer.backwardData(dx: dx.pointer, adding: false, dy: dy, W: W, N: 3, scratch: scratch)
                layer.backwardWeights(dW: dW.pointer, dy: dy, x: x, N: 3, scratch: scratch)
                return [y, dx, dW]
            })
        }
        for (N, T, C, heads) in [(3, 37, 96, 2), (1, 130, 32, 2)] {
            let weights = FloatBuffer(formula("W", 3 * C * C)), numbers = FloatBuffer(formula("b", 4 * C)), (w, b) = (weights.pointer, numbers.pointer)
            let (attention, feed, last) = withExtendedLifetime((weights, numbers)) {
                (
                    Attention(
                        T: T, C: C, heads: heads, epsilon: 1e-6, .init(normScale: b, normBias: b, qkv: w, qkvBias: b, output: w, outputBias: b, layerScale: b)),
                    FeedForward(C: C, F: 3 * C, epsilon: 1e-6, .init(normScale: b, normBias: b, first: w, firstBias: b, second: w, secondBias: b, layerScale: nil)),
                    LayerNorm(C: C, epsilon: 1e-6, scale: b, bias: b)
                )
            }
            need.formUnion(attention.scratch(N: N))
            need.formUnion(feed.scratch())
            let x = formula("x", N * T * C)
            works.append(Work("attention, feed forward and layer norm of \(C)") { scratch in
                let mixed = Poisoned(x.count), y = Poisoned(x.count), first = Poisoned(N * C)
                attention.forward(y: mixed.pointer, x: x, N: N, scratch: scratch)
                feed.forward(y: y.pointer, x: mixed.pointer, M: N * T, scratch: scratch)
                last.forward(y: first.pointer, x: y.pointer, stride: T * C, N: N)
                return [mixed, y, first]
            })
        }
        let patches = PatchEmbedding(H: 98, W: 70, C: 3, P: 14, K: 112, tokens: formula("tokens", 36 * 112), weights: formula("W", 112 * 588), bias: formula("bias", 112))
        let photographs = formula("x", 2 * 98 * 70 * 3)
        works.append(Work("patches") { _ in
            let y = Poisoned(2 * 36 * 112)
            patches.forward(y: y.pointer, x: photographs, N: 2)
            return [y]
        })
        let unit = formula("x", 100 * 33)
        works.append(Work("rows of unit length, activations") { _ in
            let y = Poisoned(unit.count), norm = Poisoned(100), dx = Poisoned(unit.count), active = Poisoned(unit.count), slope = Poisoned(unit.count)
            unit.withUnsafeBufferPointer { x in
                L2Normalization.forward(y: y.all, norm: norm.all, x: x, N: 100, D: 33)
                L2Normalization.backward(dx: dx.all, dy: x, y: UnsafeBufferPointer(y.all), norm: UnsafeBufferPointer(norm.all), N: 100, D: 33)
            }
            Elementwise(.silu).forward(y: active.pointer, x: unit, count: unit.count)
            Elementwise(.silu).backward(dx: slope.pointer, dy: dx.pointer, x: unit, count: unit.count)
            return [y, norm, dx, active, slope]
        })
        let panels = Panels(k: 90, n: 75), left = formula("a", 90 * 90), right = formula("b", 90 * 96)
        works.append(Work("products") { _ in
            let packed = Poisoned(panels.floats), c = Poisoned(90 * 75), transposed = Poisoned(90 * 75)
            for index in 0..<panels.count { panels.pack(index, of: right, ldb: 96, into: packed.pointer) }
            GEMM.multiply(left, lda: 90, m: 90, packed.pointer, panels, into: c.pointer, ldc: 75, epilogue: Epilogue(activation: .relu))
            GEMM.multiplyTransposed(left, lda: 90, m: 90, right, ldb: 96, n: 75, k: 90, into: transposed.pointer, ldc: 75)
            return [packed, c, transposed]
        })
        return (works, need)
    }
}

@Suite struct ManyThreadsTests {
    /// One thread, whichever comes first, has the pool; the others work alone. All work at once, each on a different
    /// kernel.
    @Test func `every kernel gives the same bytes from many threads at once`() async throws {
        let result = await #expect(processExitsWith: .success, observing: [\.standardOutputContent]) {
            let (works, need) = Work.all()
            let alone = Scratch(workers: 1)
            alone.reserve(need)
            let expected = works.map { $0.digest(alone) }
            Parallel.setThreads(3)
            let wrong = Mutex<[String: Int]>([:])
            onThreads(8) { thread in
                let scratch = MeasuredScratch(workers: Parallel.threads, need)
                for round in 0..<20 {
                    for step in works.indices {
                        // Every thread goes through them in a different order.
                        let index = ((thread % 2 == 0 ? step : works.count - 1 - step) + round + 2 * thread) % works.count
                        if works[index].digest(scratch.scratch) != expected[index] { wrong.withLock { $0[works[index].name, default: 0] += 1 } }
                    }
                }
                scratch.expectWithin()
            }
            for (name, count) in wrong.withLock({ $0 }) { print("wrong \(name): \(count)") }
            print("compared \(works.count) kernels")
            fflush(nil)
        }
        let lines = String(decoding: try #require(result).standardOutputContent, as: UTF8.self).split(separator: "\n")
        #expect(lines.filter { $0.hasPrefix("wrong ") } == [])
        #expect(lines.contains("compared 26 kernels"))
    }
}
