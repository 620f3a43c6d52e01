public import Kernels
import Parallel

/// A convolution without bias, on images whose channels lie together.
///
///     y[n, p, q, k] = Σ_{r,s,c} W[k, r, s, c] · x[n, stride·p + r − padding, stride·q + s − padding, c]
///
/// | array | shape            |                                                   |
/// |-------|------------------|---------------------------------------------------|
/// | x     | (N, H, W, C)     |                                                   |
/// | W     | (K, R, S, C)     | PyTorch's (K, C, R, S) with the channels moved last |
/// | y     | (N, H', W', K)   | H' = (H + 2·padding − R) / stride + 1             |
///
/// Images of a few places go by pairs of places (`Convolution+Places.swift`), other windows of 3×3 by Winograd's tiles
/// (`Convolution+Winograd.swift`; with stride 2 `Convolution+StridedWinograd.swift`) where they pay, images of few channels by lines
/// (`Convolution+Lines.swift`), all others by patches (`Convolution+Patches.swift`), both gradients of small 1×1 windows at once
/// (`Convolution+Pointwise.swift`). All end in ``Product``. Weights are packed for it once for each pass.
public struct Convolution: Sendable {
    public let window: Window
    /// Output channels.
    public let K: Int

    public init(window: Window, K: Int) {
        self.window = window
        self.K = K
    }

    public var weightCount: Int { K * window.patch }

    /// The tiles by which this convolution goes, if they pay: with whole vectors of channels, and where tiles hold enough places that their
    /// products, and a third for the transforms, are fewer than the direct ones.
    var winograd: Winograd? {
        guard window.stride == 1, hasTiles else { return nil }
        let tiled = Winograd(H: window.H, W: window.W, padding: window.padding)
        return 4 * tiled.products < 3 * 9 * window.places ? tiled : nil
    }

    /// Likewise with stride 2, forward and to data: where the transformed weights, nine times as many, do not have to come from far memory.
    var strided: StridedWinograd? { StridedWinograd.packedCount(C: window.C, K: K) <= 1 << 22 ? stridedWeights : nil }

    /// The same for the gradient of the weights, which reads no transformed weights and so pays for more of them.
    var stridedWeights: StridedWinograd? {
        guard window.stride == 2, hasTiles, StridedWinograd.packedCount(C: window.C, K: K) <= 1 << 23 else { return nil }
        let tiled = StridedWinograd(H: window.H, W: window.W, padding: window.padding)
        return 4 * StridedWinograd.products * tiled.tiles < 3 * 9 * window.places ? tiled : nil
    }

    /// Pairs of places come first.
    private var hasTiles: Bool { !byPlaces && window.R == 3 && window.S == 3 && window.padding <= 2 && window.C % 16 == 0 && K % 16 == 0 }

    /// Floats of the packed weights that ``forward(y:x:packed:N:finish:scratch:)`` takes.
    public var packedCount: Int {
        if byPlaces { return placesPackedCount }
        if strided != nil { return StridedWinograd.packedCount(C: window.C, K: K) }
        return winograd == nil ? patchPanels.floats : Winograd.places * Panels(k: window.C, n: K).floats
    }

    /// Packs W (K, R, S, C) for the forward pass.
    public func pack(_ W: UnsafePointer<Float>, into packed: UnsafeMutablePointer<Float>) {
        if byPlaces {
            packPlaces(W, into: packed)
        } else if strided != nil {
            packStrided(W, into: packed)
        } else if winograd == nil {
            packPatches(W, into: packed)
        } else {
            let panels = Panels(k: window.C, n: K)
            Parallel.forEach(panels.count) { panel, _ in
                Winograd.transformWeights(W, C: window.C, K: K, panel: panel, into: packed + panels.offset(panel), plane: panels.floats)
            }
        }
    }

    /// What is done to the sums before they are stored: a folded batch norm's bias (K), a residual of y's shape, the activation.
    public struct Finish {
        public let bias: UnsafePointer<Float>
        public let residual: UnsafePointer<Float>?
        public let activation: Activation

        public init(bias: UnsafePointer<Float>, residual: UnsafePointer<Float>?, activation: Activation) {
            self.bias = bias
            self.residual = residual
            self.activation = activation
        }

        /// Whether a product does all of it.
        var isFused: Bool { activation == .none || activation == .relu }
    }

    /// Scratch of all passes on N images.
    public func scratch(N: Int) -> Scratch.Need {
        if byPlaces { return placesScratch(N: N) }
        if let strided { return stridedScratch(strided, N: N) }
        guard let winograd else {
            var need = patchScratch(N: N)
            if joinsGradients { need.formUnion(joinedScratch(N: N)) }
            if readsLines { need.formUnion(linesScratch(N: N)) }
            if let stridedWeights { need.formUnion(stridedWeightsScratch(stridedWeights, N: N)) }
            return need
        }
        return winogradScratch(winograd, N: N)
    }

    /// Scratch of ``forward(y:x:packed:N:finish:scratch:)`` alone.
    public func inferenceScratch(N: Int) -> Scratch.Need { Scratch.Need(worker: scratch(N: N).worker) }

    /// Whether the input may be one that is still to be normalised, or to be multiplied by gates: where it is copied row by row.
    public var copiesInput: Bool { window.isPointwise }

    /// Sets y from weights that ``pack(_:into:)`` has packed.
    ///
    /// - Parameter gates: (N, C), what each image's channels are multiplied by as they are read (``SqueezeExcite``), where
    ///   ``copiesInput`` holds; not together with `normalized`.
    /// - Parameter moments: where those of y's channels go, if ``momentPieces(N:)`` is not nil; not together with `finish`.
    public func forward(
        y: UnsafeMutablePointer<Float>, x: UnsafePointer<Float>, normalized: NormalizedInput? = nil, gates: UnsafePointer<Float>? = nil,
        packed: UnsafePointer<Float>, N: Int, finish: Finish? = nil, moments: UnsafeMutablePointer<Double>? = nil, scratch: Scratch
    ) {
        precondition(normalized == nil && gates == nil || copiesInput && (normalized == nil || gates == nil))
        precondition(moments == nil || momentPieces(N: N) != nil && finish == nil)
        if byPlaces { return forwardPlaces(y: y, x: x, packed: packed, N: N, finish: finish, scratch: scratch) }
        var last = Winograd.Finish()
        last.bias = finish?.bias
        last.residual = finish?.residual
        last.activation = finish?.activation ?? .none
        last.streamed = Streamed.pays(y, count: N * window.places * K)
        if let strided {
            forwardStrided(strided, y: y, x: x, packed: packed, N: N, last, scratch)
        } else if let winograd {
            convolve(winograd, from: x, C: window.C, packed, to: y, K: K, N: N, last, scratch)
        } else if readsLines {
            forwardLines(y: y, x: x, packed: packed, N: N, finish: finish, scratch: scratch)
        } else {
            forwardPatches(
                y: y, x: x, normalized: normalized, gates: gates, packed: packed, N: N, finish: finish, moments: moments, scratch: scratch)
        }
    }

    /// Pieces whose moments the pass forward can find while it makes them, for the ``BatchNorm`` behind it; nil if it does not.
    public func momentPieces(N: Int) -> Int? { byPlaces || strided != nil || winograd != nil || readsLines ? nil : forwardPieces(N: N) }

    /// Doubles that their moments take, with just so many images.
    public func momentDoubles(N: Int) -> Int { momentPieces(N: N).map { PieceMoments.doubles(C: K, pieces: $0) } ?? 0 }

    /// Sets y from weights as they are (K, R, S, C).
    public func forward(
        y: UnsafeMutablePointer<Float>, x: UnsafePointer<Float>, normalized: NormalizedInput? = nil, W: UnsafePointer<Float>, N: Int,
        moments: UnsafeMutablePointer<Double>? = nil, scratch: Scratch
    ) {
        precondition(moments == nil || momentPieces(N: N) != nil)
        if let winograd, hasManyWeights(winograd, N: N) {
            var last = Winograd.Finish()
            last.streamed = Streamed.pays(y, count: N * window.places * K)
            return convolveByPanels(winograd, from: x, C: window.C, W, turned: false, to: y, K: K, N: N, last, scratch)
        }
        pack(W, into: scratch.shared)
        forward(y: y, x: x, normalized: normalized, packed: scratch.shared, N: N, moments: moments, scratch: scratch)
    }

    /// Adds to `dx`, or sets it:
    ///
    ///     dx[n, h, w, c] = Σ_{k,r,s} W[k, r, s, c] · dy[n, p, q, k]   with  stride·p + r − padding = h,  stride·q + s − padding = w
    public func backwardData(
        dx: UnsafeMutablePointer<Float>, adding: Bool, dy: UnsafePointer<Float>, W: UnsafePointer<Float>, N: Int, scratch: Scratch
    ) {
        if byPlaces {
            backwardDataPlaces(dx: dx, adding: adding, dy: dy, W: W, N: N, scratch: scratch)
        } else if let strided {
            backwardDataStrided(strided, dx: dx, adding: adding, dy: dy, W: W, N: N, scratch)
        } else if let winograd {
            var last = Winograd.Finish()
            last.adding = adding
            last.streamed = !adding && Streamed.pays(dx, count: N * window.H * window.W * window.C)
            if hasManyWeights(winograd, N: N) {
                return convolveByPanels(winograd.adjoint, from: dy, C: K, W, turned: true, to: dx, K: window.C, N: N, last, scratch)
            }
            let panels = Panels(k: K, n: window.C)
            Parallel.forEach(panels.count) { panel, _ in
                Winograd.transformTurnedWeights(W, C: window.C, K: K, panel: panel, into: scratch.shared + panels.offset(panel), plane: panels.floats)
            }
            convolve(winograd.adjoint, from: dy, C: K, scratch.shared, to: dx, K: window.C, N: N, last, scratch)
        } else {
            backwardDataPatches(dx: dx, adding: adding, dy: dy, W: W, N: N, scratch: scratch)
        }
    }

    /// Adds to `dW`:
    ///
    ///     dW[k, r, s, c] = Σ_{n,p,q} dy[n, p, q, k] · x[n, stride·p + r − padding, stride·q + s − padding, c]
    public func backwardWeights(
        dW: UnsafeMutablePointer<Float>, dy: UnsafePointer<Float>, x: UnsafePointer<Float>, normalized: NormalizedInput? = nil, N: Int, scratch: Scratch
    ) {
        precondition(normalized == nil || copiesInput)
        if byPlaces {
            backwardWeightsPlaces(dW: dW, dy: dy, x: x, N: N, scratch: scratch)
        } else if let stridedWeights {
            backwardWeightsStrided(stridedWeights, dW: dW, dy: dy, x: x, N: N, scratch)
        } else if let winograd {
            if hasManyWeights(winograd, N: N) {
                return backwardWeightsByRows(winograd, dW: dW, dy: dy, x: x, N: N, scratch: scratch)
            }
            backwardWeightsTiles(winograd, dW: dW, dy: dy, x: x, N: N, scratch: scratch)
        } else if readsLines {
            backwardWeightsLines(dW: dW, dy: dy, x: x, N: N, scratch: scratch)
        } else {
            backwardWeightsPatches(dW: dW, dy: dy, x: x, normalized: normalized, N: N, scratch: scratch)
        }
    }
}
