import Layers
import Losses

/// The L2-normalized rows of an output, and the gradient through the normalization.
struct NormalizedRows {
    let N: Int
    let D: Int
    /// (N, D).
    private(set) var values: [Float]
    /// The row lengths before normalization (N).
    private var norm: [Float]

    init(_ output: PassOutput) {
        (N, D) = (output.N, output.D)
        values = output.values
        norm = L2Normalization.normalize(&values, D: D)
    }

    var areFinite: Bool { values.allSatisfy(\.isFinite) }

    /// The mean cosine of two different rows.
    var meanCosine: Double? { unsafe values.withUnsafeBufferPointer { unsafe MeanCosine.of($0, dimension: D) } }

    /// The gradient with respect to the original output, given the gradient with respect to the normalized rows.
    func backward(_ gradient: [Float]) -> [Float] {
        var result = gradient
        unsafe result.withUnsafeMutableBufferPointer { dx in
            unsafe values.withUnsafeBufferPointer { y in
                unsafe norm.withUnsafeBufferPointer { norm in
                    unsafe L2Normalization.backward(dx: dx, dy: UnsafeBufferPointer(dx), y: y, norm: norm, N: N, D: D)
                }
            }
        }
        return result
    }
}
