public import Kernels

/// Squeeze-excite for inference, with its weights packed once.
///
/// The bits of an image do not depend on the number of images in a call, so that parts of a batch give the same results
/// as the whole batch.
public struct PackedSqueezeExcite: Sendable {
    private let layer: SqueezeExcite
    private let reduce, expand: PackedLinear

    /// - Parameter parameters: the same parameters must be passed to every call.
    public init(_ layer: SqueezeExcite, _ parameters: SqueezeExcite.Parameters) {
        self.layer = layer
        reduce = PackedLinear(I: layer.C, O: layer.K, W: parameters.W1, b: parameters.b1)
        expand = PackedLinear(I: layer.K, O: layer.C, W: parameters.W2, b: parameters.b2)
    }

    /// The number of floats that the layer stores.
    public var floats: Int { reduce.floats + expand.floats }

    /// Sets y, which may be x itself.
    public func forward(
        y: UnsafeMutablePointer<Float>, x: UnsafePointer<Float>, _ parameters: SqueezeExcite.Parameters, N: Int, P: Int, scratch: Scratch
    ) {
        if layer.isByImage(P: P) { return layer.forwardByImage(y: y, saved: nil, x: x, normalized: nil, parameters, N: N, P: P, scratch: scratch) }
        layer.multiply(y: y, x: x, gates: gates(x: x, N: N, P: P, scratch: scratch), N: N, P: P)
    }

    /// Computes the gates (N, C). They lie in the shared scratch memory until another layer uses it.
    public func gates(x: UnsafePointer<Float>, N: Int, P: Int, scratch: Scratch) -> UnsafePointer<Float> {
        layer.gates(
            saved: nil, x: x, N: N, P: P, scratch: scratch, reduce: { reduce.forward(y: $0, x: $1, N: N) }, expand: { expand.forward(y: $0, x: $1, N: N) })
    }
}
