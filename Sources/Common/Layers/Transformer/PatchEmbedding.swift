import Kernels
import Parallel

/// Turns an image into tokens, for inference: each patch of P by P pixels goes through a linear layer and gets its
/// position embedding added. Tokens shared by all images (class token, registers) come first.
///
///     y[n, t] = tokens[t]                                                                  t < prefix
///     y[n, prefix + p·w + q, k] = b[k] + tokens[prefix + p·w + q, k] + Σ_{r,s,c} W[k, r, s, c] · x[n, P·p + r, P·q + s, c]
///
/// | array  | shape                |                                                     |
/// |--------|----------------------|-----------------------------------------------------|
/// | x      | (N, H, W, C)         | H = P·h, W = P·w                                    |
/// | W      | (K, P, P, C)         | PyTorch's (K, C, P, P) with the channels moved last |
/// | tokens | (prefix + h·w, K)    | the part that does not depend on the image          |
/// | y      | (N, prefix + h·w, K) |                                                     |
///
/// A row of patches serves in place as the left factor of a product: P runs of P·C floats.
public struct PatchEmbedding: Sendable {
    public let H, W, C, P, K: Int
    private let prefix: Int
    private let tokens, packed, bias: FloatBuffer
    private let panels: Panels

    /// - Parameters:
    ///   - tokens: (prefix + h·w, K).
    ///   - weights: (K, P, P, C).
    ///   - bias: (K).
    public init(H: Int, W: Int, C: Int, P: Int, K: Int, tokens: [Float], weights: UnsafePointer<Float>, bias: UnsafePointer<Float>) {
        precondition(H % P == 0 && W % P == 0 && tokens.count % K == 0 && tokens.count / K >= (H / P) * (W / P))
        (self.H, self.W, self.C, self.P, self.K) = (H, W, C, P, K)
        prefix = tokens.count / K - (H / P) * (W / P)
        self.tokens = FloatBuffer(tokens)
        self.bias = FloatBuffer((K + 15) / 16 * 16)
        self.bias.pointer.update(from: bias, count: K)
        let panels = Panels(k: P * P * C, n: K), packed = FloatBuffer(panels.floats)
        for index in 0..<panels.count { panels.pack(index, of: weights, .transposed, ldb: panels.k, into: packed.pointer) }
        (self.panels, self.packed) = (panels, packed)
    }

    /// The number of floats of the stored weights.
    public var floats: Int { tokens.count + packed.count + bias.count }

    /// Sets y.
    public func forward(y: UnsafeMutablePointer<Float>, x: UnsafePointer<Float>, N: Int) {
        let h = H / P, w = W / P, T = prefix + h * w
        Parallel.forEach(N * h) { piece, _ in
            let (n, p) = piece.quotientAndRemainder(dividingBy: h)
            if p == 0 { (y + n * T * K).update(from: tokens.pointer, count: prefix * K) }
            let first = (prefix + p * w) * K
            GEMM.multiply(
                x + (n * H + p * P) * W * C, lda: P * C, lines: P, line: W * C, m: w, packed.pointer, panels, into: y + n * T * K + first, ldc: K,
                epilogue: Epilogue(bias: bias.pointer, residual: tokens.pointer + first))
        }
    }
}
