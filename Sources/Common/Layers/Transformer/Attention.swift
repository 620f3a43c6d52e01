public import Kernels
import Parallel

/// A transformer's attention block for inference: multi-head self-attention (Vaswani et al., "Attention Is All You
/// Need", NeurIPS 2017) over normalised tokens, plus the residual:
///
///     [q k v] = Wqkv · norm(x) + b                          per token, split into heads of d = C / heads numbers
///     o[t] = Σᵤ softmaxᵤ(q[t]·k[u] / √d) · v[u]             per head
///     y = x + γ · (Wo · o + b)                              γ: LayerScale
///
/// | array      | shape          |                                                    |
/// |------------|----------------|----------------------------------------------------|
/// | x          | (N, T, C)      |                                                    |
/// | Wqkv       | (3C, C)        | rows of q, of k, of v                              |
/// | Wo         | (C, C)         |                                                    |
/// | y          | (N, T', C)     | T' = T, or 1 if only the first token is needed     |
///
/// The scores of all heads, (N, heads, T, T), are never in memory. Each head processes some rows of q at a time, whose
/// scores stay in the cache between the product with kᵀ, the softmax and the product with v. 1/√d is folded into Wq,
/// and γ into Wo.
public struct Attention: Sendable {
    public let T, C, heads: Int
    /// Whether only the first token of each image is passed on: then only that token has a q.
    public let onlyFirst: Bool
    private let epsilon: Float
    private let queries, keys, output: NormalizedLinear

    /// The parameters of one block, in PyTorch's shapes.
    public struct Parameters {
        public var normScale, normBias, qkv, qkvBias, output, outputBias: UnsafePointer<Float>
        /// γ (C); nil means 1.
        public var layerScale: UnsafePointer<Float>?

        public init(
            normScale: UnsafePointer<Float>, normBias: UnsafePointer<Float>, qkv: UnsafePointer<Float>, qkvBias: UnsafePointer<Float>, output: UnsafePointer<Float>,
            outputBias: UnsafePointer<Float>, layerScale: UnsafePointer<Float>?
        ) {
            (self.normScale, self.normBias, self.qkv, self.qkvBias) = (normScale, normBias, qkv, qkvBias)
            (self.output, self.outputBias, self.layerScale) = (output, outputBias, layerScale)
        }
    }

    /// - Precondition: the size of a head is a multiple of 16.
    public init(T: Int, C: Int, heads: Int, onlyFirst: Bool = false, epsilon: Float, _ p: Parameters) {
        precondition(C % (16 * heads) == 0)
        (self.T, self.C, self.heads, self.onlyFirst, self.epsilon) = (T, C, heads, onlyFirst, epsilon)
        queries = NormalizedLinear(
            I: C, O: C, W: p.qkv, b: p.qkvBias, scale: p.normScale, shift: p.normBias, constant: 1 / Float(C / heads).squareRoot())
        keys = NormalizedLinear(I: C, O: 2 * C, W: p.qkv + C * C, b: p.qkvBias + C, scale: p.normScale, shift: p.normBias)
        output = NormalizedLinear(I: C, O: C, W: p.output, b: p.outputBias, factor: p.layerScale)
    }

    /// The number of floats of the stored weights.
    public var floats: Int { queries.floats + keys.floats + output.floats }
    /// The number of tokens of an image that are passed on.
    private var tokens: Int { onlyFirst ? 1 : T }
    private var d: Int { C / heads }
    /// The row stride in floats.
    private var stride: Int { RowStride.padded(C) }
    private var keyStride: Int { RowStride.padded(2 * C) }
    private var scoreStride: Int { RowStride.padded(T) }
    /// The panels of a head's kᵀ, and of v.
    private var keyPanels: Panels { Panels(k: d, n: T) }
    private var valuePanels: Panels { Panels(k: T, n: d) }
    /// The number of rows of q processed at once.
    private var block: Int { max(Panels.rows, min(TokenRows.block, (1 << 16) / scoreStride / Panels.rows * Panels.rows)) }

    /// For N images: k and v, and q (later overwritten by o). For each thread: normalised rows, or a head's panels and
    /// scores.
    public func scratch(N: Int) -> Scratch.Need {
        Scratch.Need(
            worker: max((TokenRows.block + Panels.rows) * stride, keyPanels.floats + valuePanels.floats + block * scoreStride),
            shared: N * T * keyStride + N * tokens * stride)
    }

    /// Sets y; it may not be x.
    public func forward(y: UnsafeMutablePointer<Float>, x: UnsafePointer<Float>, N: Int, scratch: Scratch) {
        let kv = scratch.shared, q = scratch.shared + N * T * keyStride
        project(x, N, q: q, kv: kv, scratch)
        Parallel.forEach(N * heads, workers: scratch.workers) { piece, worker in
            let (n, head) = piece.quotientAndRemainder(dividingBy: heads)
            attend(q + n * tokens * stride + head * d, kv + n * T * keyStride + head * d, scratch.pointer(worker))
        }
        TokenRows.forEachBlock(N * tokens, workers: scratch.workers) { rows, _ in
            let y = y + rows.lowerBound * C
            if onlyFirst {
                // The residual rows are T rows apart.
                for (row, n) in rows.enumerated() { Rows.copy(x + n * T * C, to: y + row * C, count: C) }
                output.multiply(q + rows.lowerBound * stride, stride: stride, rows: rows.count, into: y, stride: C, adding: y)
            } else {
                output.multiply(q + rows.lowerBound * stride, stride: stride, rows: rows.count, into: y, stride: C, adding: x + rows.lowerBound * C)
            }
        }
    }

    /// Sets q, k and v from x.
    private func project(_ x: UnsafePointer<Float>, _ N: Int, q: UnsafeMutablePointer<Float>, kv: UnsafeMutablePointer<Float>, _ scratch: Scratch) {
        TokenRows.forEachBlock(N * T, workers: scratch.workers) { rows, worker in
            let normalized = scratch.pointer(worker)
            TokenRows.normalize(x + rows.lowerBound * C, stride: C, rows: rows.count, C: C, epsilon: epsilon, into: normalized, stride: stride)
            keys.multiply(normalized, stride: stride, rows: rows.count, into: kv + rows.lowerBound * keyStride, stride: keyStride)
            guard onlyFirst else {
                queries.multiply(normalized, stride: stride, rows: rows.count, into: q + rows.lowerBound * stride, stride: stride)
                return
            }
            for n in 0..<N where rows.contains(n * T) {
                queries.multiply(normalized + (n * T - rows.lowerBound) * stride, stride: stride, rows: 1, into: q + n * stride, stride: stride)
            }
        }
    }

    /// Computes one head of one image; o overwrites q.
    private func attend(_ q: UnsafeMutablePointer<Float>, _ kv: UnsafePointer<Float>, _ memory: UnsafeMutablePointer<Float>) {
        let keys = memory, values = keys + keyPanels.floats, scores = values + valuePanels.floats
        for index in 0..<keyPanels.count { keyPanels.pack(index, of: kv, .transposed, ldb: keyStride, into: keys) }
        for index in 0..<valuePanels.count { valuePanels.pack(index, of: kv + C, ldb: keyStride, into: values) }
        for first in Swift.stride(from: 0, to: tokens, by: block) {
            let rows = min(block, tokens - first), q = q + first * stride
            GEMM.multiply(q, lda: stride, m: rows, keys, keyPanels.padded, into: scores, ldc: scoreStride)
            withUnsafeTemporaryAllocation(of: Float.self, capacity: rows) { factors in
                for row in 0..<rows { factors[row] = 1 / Attention.exponentials(scores + row * scoreStride, count: T) }
                GEMM.multiply(scores, lda: scoreStride, m: rows, values, valuePanels, into: q, ldc: stride)
                for row in 0..<rows {
                    let o = q + row * stride
                    for i in Swift.stride(from: 0, to: d, by: 16) { o.store(o.vector(i) * factors[row], i) }
                }
            }
        }
    }

    /// Replaces `count` numbers x by e^(x − max x) and returns their sum. The division is left to the product with v,
    /// which has fewer numbers.
    private static func exponentials(_ x: UnsafeMutablePointer<Float>, count: Int) -> Float {
        let whole = count / 16 * 16, rest = count - whole
        var most = Vector(repeating: -.infinity)
        for i in Swift.stride(from: 0, to: whole, by: 16) { most = pointwiseMax(x.vector(i), most) }
        var highest = most.max()
        for i in whole..<count { highest = max(highest, x[i]) }
        var sums = Vector.zero
        for i in Swift.stride(from: 0, to: whole, by: 16) {
            let e = Vector.exponential(x.vector(i) - highest)
            x.store(e, i)
            sums += e
        }
        var sum = sums.sum()
        if rest > 0 {
            let e = Vector.exponential(x.vector(whole, count: rest) - highest)
            for i in 0..<rest { sum += e[i] }
            x.store(e, whole, count: rest)
        }
        return sum
    }
}
