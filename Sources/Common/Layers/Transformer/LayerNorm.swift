import Kernels

/// y = γ · (x − mean x) / √(var x + ε) + β, row by row, for inference. Within transformer blocks, ``NormalizedLinear``
/// applies γ and β.
public struct LayerNorm: Sendable {
    public let C: Int
    private let epsilon: Float
    private let scale, bias: FloatBuffer

    /// - Parameters:
    ///   - scale: γ (C).
    ///   - bias: β (C).
    public init(C: Int, epsilon: Float, scale: UnsafePointer<Float>, bias: UnsafePointer<Float>) {
        precondition(C % 16 == 0)
        (self.C, self.epsilon) = (C, epsilon)
        (self.scale, self.bias) = (FloatBuffer(C), FloatBuffer(C))
        self.scale.pointer.update(from: scale, count: C)
        self.bias.pointer.update(from: bias, count: C)
    }

    public var floats: Int { scale.count + bias.count }

    /// Sets y (N, C) from rows at `x` that are `stride` floats apart.
    public func forward(y: UnsafeMutablePointer<Float>, x: UnsafePointer<Float>, stride: Int, N: Int) {
        TokenRows.normalize(x, stride: stride, rows: N, C: C, epsilon: epsilon, into: y, stride: C)
        for n in 0..<N {
            let y = y + n * C
            for i in Swift.stride(from: 0, to: C, by: 16) { y.store(bias.pointer.vector(i).addingProduct(y.vector(i), scale.pointer.vector(i)), i) }
        }
    }
}
