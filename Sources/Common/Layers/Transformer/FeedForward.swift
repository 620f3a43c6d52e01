public import Kernels
import Parallel

/// A transformer's feed-forward block for inference: two linear layers with a GELU in between, over normalised tokens,
/// plus the residual:
///
///     y = x + γ · (W₂ · gelu(W₁ · norm(x) + b₁) + b₂)        row by row; γ: LayerScale
///
/// | array  | shape          |
/// |--------|----------------|
/// | x, y   | (M, C)         |
/// | W₁, W₂ | (F, C), (C, F) |
///
/// Some rows at a time pass through both layers, so no (M, F) array is ever stored.
public struct FeedForward: Sendable {
    public let C, F: Int
    private let epsilon: Float
    private let first, second: NormalizedLinear

    /// The parameters of one block, in PyTorch's shapes.
    public struct Parameters {
        public var normScale, normBias, first, firstBias, second, secondBias: UnsafePointer<Float>
        /// γ (C); nil means 1.
        public var layerScale: UnsafePointer<Float>?

        public init(
            normScale: UnsafePointer<Float>, normBias: UnsafePointer<Float>, first: UnsafePointer<Float>, firstBias: UnsafePointer<Float>,
            second: UnsafePointer<Float>, secondBias: UnsafePointer<Float>, layerScale: UnsafePointer<Float>?
        ) {
            (self.normScale, self.normBias, self.first, self.firstBias) = (normScale, normBias, first, firstBias)
            (self.second, self.secondBias, self.layerScale) = (second, secondBias, layerScale)
        }
    }

    public init(C: Int, F: Int, epsilon: Float, _ p: Parameters) {
        precondition(C % 16 == 0 && F % 16 == 0)
        (self.C, self.F, self.epsilon) = (C, F, epsilon)
        first = NormalizedLinear(I: C, O: F, W: p.first, b: p.firstBias, scale: p.normScale, shift: p.normBias)
        second = NormalizedLinear(I: F, O: C, W: p.second, b: p.secondBias, factor: p.layerScale)
    }

    /// The number of floats of the stored weights.
    public var floats: Int { first.floats + second.floats }
    private var stride: Int { RowStride.padded(C) }
    private var innerStride: Int { RowStride.padded(F) }

    public func scratch() -> Scratch.Need { Scratch.Need(worker: (TokenRows.block + Panels.rows) * (stride + innerStride)) }

    /// Sets y from M rows; it may be x.
    public func forward(y: UnsafeMutablePointer<Float>, x: UnsafePointer<Float>, M: Int, scratch: Scratch) {
        TokenRows.forEachBlock(M, workers: scratch.workers) { rows, worker in
            let normalized = scratch.pointer(worker), inner = normalized + rows.count * stride
            let x = x + rows.lowerBound * C
            TokenRows.normalize(x, stride: C, rows: rows.count, C: C, epsilon: epsilon, into: normalized, stride: stride)
            first.multiply(normalized, stride: stride, rows: rows.count, into: inner, stride: innerStride)
            for row in 0..<rows.count {
                Rows.apply(Epilogue(activation: .gelu), to: inner + row * innerStride, into: inner + row * innerStride, rows: 1, width: F)
            }
            second.multiply(inner, stride: innerStride, rows: rows.count, into: y + rows.lowerBound * C, stride: C, adding: x)
        }
    }
}
