public import TensorStreams
import ToolSupport

/// Checks that embeddings are usable by a loss.
public enum NormalizedRowCheck {
    /// How much a row's length may differ from 1. Half precision stays within 5e-4.
    public static let tolerance = 1e-3

    /// Throws a ``Failure`` naming the first row of `tensor`, f32 [N, D], that is not finite or not of unit length.
    public static func check(_ tensor: Tensor, _ name: String, in document: TensorDocument) throws {
        let (rows, width) = (tensor.shape[0], tensor.shape[1])
        try unsafe tensor.withFloats { values in
            for n in 0..<rows {
                var square = 0.0
                for d in n * width..<(n + 1) * width { unsafe square += Double(values[d]) * Double(values[d]) }
                guard square.isFinite else {
                    throw document.failure("has a number that is not finite in row \(n) of '\(name)'", remedy: "the network that made it has diverged")
                }
                let length = square.squareRoot()
                guard abs(length - 1) <= tolerance else {
                    throw document.failure(
                        "has row \(n) of '\(name)' of length \(Progress.short(length)) where 1 is expected", remedy: "divide each row by its length")
                }
            }
        }
    }
}
