import Kernels
import Layers
import Parallel
import Testing
import TestSupport

/// The fused transformer layers against their plain versions.
@Suite struct TransformerLayersTests {
    private func rows(_ values: [Float], _ width: Int) -> [[Double]] {
        stride(from: 0, to: values.count, by: width).map { values[$0..<($0 + width)].map { Double($0) } }
    }

    private func doubles(_ values: [Float]) -> [Double] { values.map { Double($0) } }

    private struct Block {
        let scale, shift, qkv, qkvBias, output, outputBias, gamma: [Float]
        /// The same values in memory with stable pointers.
        let buffers: [FloatBuffer]

        init(C: Int) {
            let size = 1.7 / Float(C).squareRoot()
            (scale, shift, gamma) = (formula("scale", C).map { 1 + 0.3 * $0 }, formula("shift", C), formula("gamma", C).map { 1 + 0.5 * $0 })
            (qkv, qkvBias) = (formula("qkv", 3 * C * C).map { 2 * size * $0 }, formula("qkv bias", 3 * C))
            (output, outputBias) = (formula("output", C * C).map { size * $0 }, formula("output bias", C))
            buffers = [scale, shift, qkv, qkvBias, output, outputBias, gamma].map { FloatBuffer($0) }
        }

        func parameters(layerScale: Bool) -> Attention.Parameters {
            let p = buffers.map { UnsafePointer($0.pointer) }
            return Attention.Parameters(normScale: p[0], normBias: p[1], qkv: p[2], qkvBias: p[3], output: p[4], outputBias: p[5], layerScale: layerScale ? p[6] : nil)
        }
    }

    private func attention(_ x: [Float], N: Int, T: Int, C: Int, heads: Int, onlyFirst: Bool, _ p: Block, layerScale: Bool) -> [Float] {
        let layer = withExtendedLifetime(p) {
            Attention(T: T, C: C, heads: heads, onlyFirst: onlyFirst, epsilon: 1e-6, p.parameters(layerScale: layerScale))
        }
        let scratch = Scratch(workers: Parallel.threads), y = Poisoned([Float](repeating: 0, count: N * (onlyFirst ? 1 : T) * C))
        scratch.reserve(layer.scratch(N: N))
        layer.forward(y: y.pointer, x: x, N: N, scratch: scratch)
        return y.values()
    }

    @Test(arguments: [(1, 1, 16, 1), (2, 5, 32, 2), (3, 17, 64, 1), (2, 33, 96, 3), (1, 197, 128, 2), (1, 259, 64, 4), (1, 1250, 32, 1)], [true, false])
    func `attention is that of the plain loops`(_ shape: (N: Int, T: Int, C: Int, heads: Int), layerScale: Bool) {
        let (N, T, C, heads) = shape, d = C / heads, p = Block(C: C), x = formula("x", N * T * C).map { 2 * $0 }
        let result = attention(x, N: N, T: T, C: C, heads: heads, onlyFirst: false, p, layerScale: layerScale)
        var expected: [Double] = []
        for n in 0..<N {
            let tokens = rows(Array(x[(n * T * C)..<((n + 1) * T * C)]), C)
            let mixed = tokens.map { TransformerReference.linear(TransformerReference.layerNorm($0, scale: doubles(p.scale), bias: doubles(p.shift), epsilon: 1e-6), doubles(p.qkv), doubles(p.qkvBias)) }
            var o = [[Double]](repeating: [], count: T)
            for head in 0..<heads {
                func part(_ which: Int) -> [[Double]] { mixed.map { Array($0[(which * C + head * d)..<(which * C + (head + 1) * d)]) } }
                for (t, row) in TransformerReference.attention(q: part(0), k: part(1), v: part(2)).enumerated() { o[t] += row }
            }
            for t in 0..<T {
                let y = TransformerReference.linear(o[t], doubles(p.output), doubles(p.outputBias))
                expected += (0..<C).map { tokens[t][$0] + y[$0] * (layerScale ? Double(p.gamma[$0]) : 1) }
            }
        }
        #expect(relativeError(result, expected) < 3e-6)
        // For the first tokens alone: the same bits.
        let first = attention(x, N: N, T: T, C: C, heads: heads, onlyFirst: true, p, layerScale: layerScale)
        let firstOfAll: [Float] = (0..<N).flatMap { (n: Int) -> ArraySlice<Float> in result[(n * T * C)..<(n * T * C + C)] }
        #expect(first == firstOfAll)
    }

    @Test(arguments: [(1, 16, 16), (7, 32, 80), (57, 64, 256), (130, 96, 384)], [true, false])
    func `feed forward is that of the plain loops, in place too`(_ shape: (M: Int, C: Int, F: Int), layerScale: Bool) {
        let (M, C, F) = shape, p = Block(C: C), x = formula("x", M * C).map { 2 * $0 }
        let (first, firstBias) = (formula("first", F * C).map { 2 * $0 / Float(C).squareRoot() }, formula("first bias", F))
        let (second, secondBias) = (formula("second", C * F).map { 2 * $0 / Float(F).squareRoot() }, formula("second bias", C))
        let numbers = [p.scale, p.shift, first, firstBias, second, secondBias, p.gamma].map { FloatBuffer($0) }, pointers = numbers.map { UnsafePointer($0.pointer) }
        let layer = withExtendedLifetime(numbers) {
            FeedForward(
                C: C, F: F, epsilon: 1e-6,
                FeedForward.Parameters(
                    normScale: pointers[0], normBias: pointers[1], first: pointers[2], firstBias: pointers[3], second: pointers[4], secondBias: pointers[5],
                    layerScale: layerScale ? pointers[6] : nil))
        }
        let scratch = Scratch(workers: Parallel.threads), y = Poisoned(x)
        scratch.reserve(layer.scratch())
        layer.forward(y: y.pointer, x: y.pointer, M: M, scratch: scratch)
        let expected = rows(x, C).flatMap { x -> [Double] in
            let inner = TransformerReference.linear(
                TransformerReference.layerNorm(x, scale: doubles(p.scale), bias: doubles(p.shift), epsilon: 1e-6), doubles(first), doubles(firstBias)
            ).map { Activation.gelu.reference($0).value }
            let y = TransformerReference.linear(inner, doubles(second), doubles(secondBias))
            return x.indices.map { x[$0] + y[$0] * (layerScale ? Double(p.gamma[$0]) : 1) }
        }
        #expect(relativeError(y.values(), expected) < 3e-6)
    }

    @Test func `scores far apart neither overflow nor vanish`() {
        let C = 32, T = 40, p = Block(C: C)
        let x = formula("x", T * C).enumerated().map { $0.offset / C % 7 == 0 ? 1e4 * $0.element : 1e-4 * $0.element }
        let apart = attention(x, N: 1, T: T, C: C, heads: 2, onlyFirst: false, p, layerScale: false)
        #expect(apart.allSatisfy { $0.isFinite })
        // For equal tokens every weight is 1/T, so o = v.
        let token = formula("token", C), same = attention((0..<T).flatMap { _ in token }, N: 1, T: T, C: C, heads: 2, onlyFirst: false, p, layerScale: false)
        let mixed = TransformerReference.linear(
            TransformerReference.layerNorm(doubles(token), scale: doubles(p.scale), bias: doubles(p.shift), epsilon: 1e-6), doubles(p.qkv), doubles(p.qkvBias))
        let y = TransformerReference.linear(Array(mixed[(2 * C)...]), doubles(p.output), doubles(p.outputBias))
        let expected = (0..<T).flatMap { _ in token.indices.map { Double(token[$0]) + y[$0] } }
        #expect(relativeError(same, expected) < 3e-6)
    }

    /// Against `Tests/golden/transformer_positions.py`.
    @Test(arguments: PositionGrid.Interpolation.allCases)
    func `position grids grow and shrink as PyTorch's`(_ interpolation: PositionGrid.Interpolation) throws {
        let golden = try Golden("transformer-positions"), word = interpolation == .plain ? "plain" : interpolation == .offset ? "offset" : "antialiased", grid = formula("grid", 5 * 5 * 3)
        for (h, w) in [(6, 7), (9, 3), (17, 12), (2, 4), (1, 11), (5, 8)] {
            let found = PositionGrid.resized(grid, G: 5, h: h, w: w, C: 3, interpolation)
            #expect(relativeError(found, try golden.doubles("grid.\(h).\(w).\(word)")) < 1e-6, "\(h)×\(w)")
        }
    }

    @Test func `a position grid of its own size is left as it is, and constants stay so at any size`() {
        let grid = formula("grid", 5 * 5 * 3)
        for interpolation in PositionGrid.Interpolation.allCases {
            #expect(PositionGrid.resized(grid, G: 5, h: 5, w: 5, C: 3, interpolation) == grid)
            for (h, w) in [(1, 1), (2, 9), (14, 3), (5, 6)] {
                let flat = PositionGrid.resized([Float](repeating: 0.75, count: 25), G: 5, h: h, w: w, C: 1, interpolation)
                #expect(flat.count == h * w && flat.allSatisfy { abs($0 - 0.75) < 1e-6 })
            }
        }
    }
}
