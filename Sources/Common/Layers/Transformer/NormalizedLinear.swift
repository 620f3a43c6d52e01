import Kernels
import Parallel

/// A layer norm and the linear layer after it, over rows of C numbers:
///
///     y = W · (γ · (x − mean x) / √(var x + ε) + β) + b        row by row
///
/// For inference: γ and β are folded into W and b (W' = W·diag γ, b' = b + W·β), and so is a factor of the result. So
/// rows only need to be centred and scaled to unit variance before the product. W' is packed into panels once.
public struct NormalizedLinear: Sendable {
    /// The numbers of inputs and outputs.
    public let I, O: Int
    let panels: Panels
    let packed: FloatBuffer
    let bias: FloatBuffer

    /// - Parameters:
    ///   - W: (O, I).
    ///   - b: (O); nil for zero.
    ///   - scale: γ (I) of the layer norm before it; nil if there is none.
    ///   - shift: β (I) of the layer norm before it; nil if there is none.
    ///   - factor: a factor for each output: LayerScale.
    ///   - constant: one factor for all outputs.
    public init(
        I: Int, O: Int, W: UnsafePointer<Float>, b: UnsafePointer<Float>?, scale: UnsafePointer<Float>? = nil, shift: UnsafePointer<Float>? = nil,
        factor: UnsafePointer<Float>? = nil, constant: Float = 1
    ) {
        (self.I, self.O) = (I, O)
        let panels = Panels(k: I, n: O), packed = FloatBuffer(panels.floats), bias = FloatBuffer((O + 15) / 16 * 16)
        (self.panels, self.packed, self.bias) = (panels, packed, bias)
        Parallel.forEach(panels.count) { index, _ in
            let columns = panels.columns(index)
            var folded = [Float](repeating: 0, count: columns.count * I)
            for (row, o) in columns.enumerated() {
                let factor = (factor?[o] ?? 1) * constant
                var sum = Double(b?[o] ?? 0)
                for i in 0..<I {
                    let w = W[o * I + i]
                    if let shift { sum += Double(w) * Double(shift[i]) }
                    folded[row * I + i] = w * (scale?[i] ?? 1) * factor
                }
                bias.pointer[o] = Float(sum * Double(factor))
            }
            // Packs the panel's own columns as a matrix that has no others.
            Panels(k: I, n: columns.count).pack(0, of: folded, .transposed, ldb: I, into: packed.pointer + panels.offset(index))
        }
    }

    /// The number of floats that the layer stores.
    public var floats: Int { packed.count + bias.count }

    /// Computes `y` from `rows` rows at `x` that are already normalised.
    ///
    /// - Parameter residual: added to the result; of y's shape and stride.
    func multiply(
        _ x: UnsafePointer<Float>, stride: Int, rows: Int, into y: UnsafeMutablePointer<Float>, stride yStride: Int, adding residual: UnsafePointer<Float>? = nil
    ) {
        GEMM.multiply(
            x, lda: stride, m: rows, packed.pointer, panels, into: y, ldc: yStride, epilogue: Epilogue(bias: bias.pointer, residual: residual))
    }
}
