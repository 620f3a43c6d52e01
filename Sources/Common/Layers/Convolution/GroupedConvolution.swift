public import Kernels
import Parallel

/// A convolution without bias whose channels are split into G groups, each with its own weights (Xie et al.,
/// "Aggregated Residual Transformations for Deep Neural Networks", CVPR 2017; RegNet's 3×3).
///
///     y[n, p, q, k] = Σ_{r,s,c} W[k, r, s, c] · x[n, stride·p + r − padding, stride·q + s − padding, g·C/G + c]        g = k / (K/G), rounded down
///
/// | array | shape            |                                                         |
/// |-------|------------------|---------------------------------------------------------|
/// | x     | (N, H, W, C)     |                                                         |
/// | W     | (K, R, S, C/G)   | PyTorch's (K, C/G, R, S) with the channels moved last   |
/// | y     | (N, H', W', K)   | H' = (H + 2·padding − R) / stride + 1                   |
///
/// Groups with few channels are convolved directly on copied rows of x (``NarrowGroups``). Wider groups each use a
/// ``Convolution`` over a copy of their channels (``WideGroups``).
public struct GroupedConvolution: Sendable {
    public let window: Window
    /// Output channels.
    public let K: Int
    public let groups: Int

    private let narrow: NarrowGroups?
    private let wide: WideGroups

    /// - Precondition: `groups` divides the numbers of input and output channels.
    public init(window: Window, K: Int, groups: Int) {
        precondition(groups > 0 && window.C % groups == 0 && K % groups == 0)
        (self.window, self.K, self.groups) = (window, K, groups)
        narrow = NarrowGroups(window, K: K, groups: groups)
        wide = WideGroups(window, K: K, groups: groups)
    }

    public var weightCount: Int { K * window.patch / groups }

    public func scratch(N: Int) -> Scratch.Need {
        guard let narrow else { return wide.scratch(N: N) }
        var need = narrow.scratch(N: N)
        if !narrow.hasBackwardData { need.formUnion(wide.scratch(N: N)) }
        return need
    }

    public func inferenceScratch(N: Int) -> Scratch.Need { narrow?.inferenceScratch ?? wide.inferenceScratch(N: N) }

    /// The number of floats that ``pack(_:into:)`` writes.
    public var packedCount: Int { narrow?.packedCount ?? wide.packedCount }

    /// Packs W for ``forward(y:x:packed:N:epilogue:scratch:)``.
    public func pack(_ W: UnsafePointer<Float>, into packed: UnsafeMutablePointer<Float>) {
        if let narrow { narrow.pack(W, into: packed) } else { wide.pack(W, into: packed) }
    }

    /// Sets y from unpacked weights.
    public func forward(y: UnsafeMutablePointer<Float>, x: UnsafePointer<Float>, W: UnsafePointer<Float>, N: Int, scratch: Scratch) {
        guard let narrow else { return wide.forward(y: y, x: x, W: W, N: N, scratch: scratch) }
        narrow.pack(W, into: scratch.shared)
        narrow.forward(y: y, x: x, packed: scratch.shared, N: N, .store, scratch)
    }

    /// Sets y from weights packed by ``pack(_:into:)``.
    ///
    /// - Parameter epilogue: must not accumulate.
    public func forward(
        y: UnsafeMutablePointer<Float>, x: UnsafePointer<Float>, packed: UnsafePointer<Float>, N: Int, epilogue: Epilogue = .store, scratch: Scratch
    ) {
        precondition(!epilogue.accumulates)
        if let narrow {
            narrow.forward(y: y, x: x, packed: packed, N: N, epilogue, scratch)
        } else {
            wide.forward(y: y, x: x, packed: packed, N: N, epilogue, scratch: scratch)
        }
    }

    /// Adds to `dx` or sets it:
    ///
    ///     dx[n, h, w, g·C/G + c] = Σ_{k,r,s} W[k, r, s, c] · dy[n, p, q, k]     with  stride·p + r − padding = h,  stride·q + s − padding = w,  k in g
    public func backwardData(
        dx: UnsafeMutablePointer<Float>, adding: Bool, dy: UnsafePointer<Float>, W: UnsafePointer<Float>, N: Int, scratch: Scratch
    ) {
        if let narrow, narrow.hasBackwardData {
            narrow.backwardData(dx: dx, adding: adding, dy: dy, W: W, N: N, scratch)
        } else {
            wide.backwardData(dx: dx, adding: adding, dy: dy, W: W, N: N, scratch: scratch)
        }
    }

    /// Adds to `dW`:
    ///
    ///     dW[k, r, s, c] = Σ_{n,p,q} dy[n, p, q, k] · x[n, stride·p + r − padding, stride·q + s − padding, g·C/G + c]
    public func backwardWeights(dW: UnsafeMutablePointer<Float>, dy: UnsafePointer<Float>, x: UnsafePointer<Float>, N: Int, scratch: Scratch) {
        if let narrow {
            narrow.backwardWeights(dW: dW, dy: dy, x: x, N: N, scratch)
        } else {
            wide.backwardWeights(dW: dW, dy: dy, x: x, N: N, scratch: scratch)
        }
    }
}
