public import Kernels
import Parallel

/// A convolution without bias, on images with channels innermost.
///
///     y[n, p, q, k] = Σ_{r,s,c} W[k, r, s, c] · x[n, stride·p + r − padding, stride·q + s − padding, c]
///
/// | array | shape          |                                                     |
/// |-------|----------------|-----------------------------------------------------|
/// | x     | (N, H, W, C)   |                                                     |
/// | W     | (K, R, S, C)   | PyTorch's (K, C, R, S) with the channels moved last |
/// | y     | (N, H', W', K) | H' = (H + 2·padding − R) / stride + 1               |
///
/// Reading order: `Reference.swift` has the three directions as plain loops, and `ConvolutionAlgorithm.swift` the
/// interface of an algorithm. `Im2col.swift` supports every shape; read the others as needed.
/// `GroupedConvolution.swift` is a separate layer.
///
/// For each direction, the first of ``algorithms`` that accepts the shape is chosen once, when the layer is created.
public struct Convolution: Sendable {
    public let window: Window
    /// Output channels.
    public let K: Int

    /// In order of preference: a later algorithm is slower for the shapes that an earlier one accepts, and the last
    /// accepts every shape.
    static let algorithms: [any ConvolutionAlgorithm.Type] = [
        PixelPairs.self, StridedWinogradTiles.self, WinogradTiles.self, ImplicitGEMM.self, Im2col.self,
    ]

    private let forward, data, weights: any ConvolutionAlgorithm
    private let joined: PointwiseGradients?

    public init(window: Window, K: Int) {
        self.window = window
        self.K = K
        let fitting = Convolution.algorithms.compactMap { $0.init(window, K: K) as (any ConvolutionAlgorithm)? }
        func first(_ direction: ConvolutionDirection) -> any ConvolutionAlgorithm {
            fitting.first { $0.directions.contains(direction) } ?? Im2col(every: window, K: K)
        }
        (forward, data, weights) = (first(.forward), first(.data), first(.weights))
        joined = PointwiseGradients(window, K: K)
    }

    public var weightCount: Int { K * window.patch }

    /// The names of the algorithms: forward, gradient of x, gradient of W.
    public var algorithmNames: [String] {
        joined == nil ? [forward, data, weights].map { "\(type(of: $0))" } : ["\(type(of: forward))"] + [String](repeating: "\(PointwiseGradients.self)", count: 2)
    }

    /// Scratch for all directions on N images.
    public func scratch(N: Int) -> Scratch.Need {
        var need = forward.scratch(.forward, N: N)
        need.formUnion(data.scratch(.data, N: N))
        need.formUnion(weights.scratch(.weights, N: N))
        if let joined { need.formUnion(joined.scratch(N: N)) }
        return need
    }

    // MARK: Forward

    /// The number of floats of the packed weights that ``forward(y:x:packed:N:epilogue:scratch:)`` reads.
    public var packedCount: Int { forward.packedCount }

    /// Packs W (K, R, S, C) for the forward pass.
    public func pack(_ W: UnsafePointer<Float>, into packed: UnsafeMutablePointer<Float>) { forward.pack(W, into: packed) }

    /// Scratch for ``forward(y:x:packed:N:epilogue:scratch:)`` alone.
    public func inferenceScratch(N: Int) -> Scratch.Need { Scratch.Need(worker: forward.scratch(.forward, N: N).worker) }

    /// Whether the input may be one that is still to be normalised or multiplied by gates. This works where it is
    /// copied row by row.
    public var copiesInput: Bool { window.isPointwise }

    /// The number of pieces whose moments the forward pass can compute for the ``BatchNorm`` after it; nil if it
    /// computes none.
    public func momentPieces(N: Int) -> Int? { forward.momentPieces(N: N) }

    /// The number of doubles for their moments, for exactly N images.
    public func momentDoubles(N: Int) -> Int { momentPieces(N: N).map { PieceMoments.doubles(C: K, pieces: $0) } ?? 0 }

    /// Sets y from weights packed by ``pack(_:into:)``.
    ///
    /// - Parameters:
    ///   - gates: (N, C), factors of each image's channels, applied as they are read (``SqueezeExcite``). Only if
    ///     ``copiesInput`` holds.
    ///   - epilogue: must not accumulate. Its store policy is chosen here.
    public func forward(
        y: UnsafeMutablePointer<Float>, x: UnsafePointer<Float>, gates: UnsafePointer<Float>? = nil, packed: UnsafePointer<Float>, N: Int,
        epilogue: Epilogue = .store, scratch: Scratch
    ) {
        precondition(gates == nil || copiesInput)
        forward.forward(ConvolutionForward(y: y, x: x, normalized: nil, gates: gates, N: N, epilogue: stored(epilogue, y, N), moments: nil, scratch: scratch), packed: packed)
    }

    /// Sets y from unpacked weights (K, R, S, C).
    ///
    /// - Parameter moments: receives the moments of y's channels, if ``momentPieces(N:)`` is not nil.
    public func forward(
        y: UnsafeMutablePointer<Float>, x: UnsafePointer<Float>, normalized: NormalizedInput? = nil, W: UnsafePointer<Float>, N: Int,
        moments: UnsafeMutablePointer<Double>? = nil, scratch: Scratch
    ) {
        precondition((normalized == nil || copiesInput) && (moments == nil || momentPieces(N: N) != nil))
        forward.forward(
            ConvolutionForward(y: y, x: x, normalized: normalized, gates: nil, N: N, epilogue: stored(.store, y, N), moments: moments, scratch: scratch), W: W)
    }

    private func stored(_ epilogue: Epilogue, _ y: UnsafeMutablePointer<Float>, _ N: Int) -> Epilogue {
        precondition(!epilogue.accumulates)
        var epilogue = epilogue
        epilogue.isNonTemporal = NonTemporalStore.pays(y, count: N * window.outputPixels * K)
        return epilogue
    }

    // MARK: Backward

    /// Adds to `dx` or sets it:
    ///
    ///     dx[n, h, w, c] = Σ_{k,r,s} W[k, r, s, c] · dy[n, p, q, k]   with  stride·p + r − padding = h,  stride·q + s − padding = w
    public func backwardData(
        dx: UnsafeMutablePointer<Float>, adding: Bool, dy: UnsafePointer<Float>, W: UnsafePointer<Float>, N: Int, scratch: Scratch
    ) {
        var epilogue = adding ? Epilogue.accumulate : .store
        epilogue.isNonTemporal = !adding && NonTemporalStore.pays(dx, count: N * window.H * window.W * window.C)
        data.backwardData(dx: dx, epilogue, dy: dy, W: W, N: N, scratch: scratch)
    }

    /// Adds to `dW`:
    ///
    ///     dW[k, r, s, c] = Σ_{n,p,q} dy[n, p, q, k] · x[n, stride·p + r − padding, stride·q + s − padding, c]
    public func backwardWeights(
        dW: UnsafeMutablePointer<Float>, dy: UnsafePointer<Float>, x: UnsafePointer<Float>, normalized: NormalizedInput? = nil, N: Int, scratch: Scratch
    ) {
        precondition(normalized == nil || copiesInput)
        weights.backwardWeights(dW: dW, dy: dy, x: x, normalized: normalized, N: N, scratch: scratch)
    }

    /// Whether ``backward(dx:adding:dW:dy:gradient:x:normalized:W:N:scratch:)`` computes both gradients at once.
    public var joinsGradients: Bool { joined != nil }

    /// Sets `dx` or adds to it, and adds to `dW`.
    ///
    /// - Parameter gradient: the batch norm that `dy` must still pass back through.
    public func backward(
        dx: UnsafeMutablePointer<Float>?, adding: Bool, dW: UnsafeMutablePointer<Float>, dy: UnsafePointer<Float>, gradient: NormalizedGradient? = nil,
        x: UnsafePointer<Float>, normalized: NormalizedInput? = nil, W: UnsafePointer<Float>, N: Int, scratch: Scratch
    ) {
        guard let joined else { preconditionFailure("the gradients of this convolution are made one by one") }
        joined.backward(
            dx: dx, adding: adding, dW: dW, dy: dy, gradient: gradient, x: x, normalized: normalized, W: W, N: N, scratch: scratch)
    }
}
