public import Kernels
import Parallel

/// Channels weighed by what is in the whole picture (Hu et al., "Squeeze-and-Excitation Networks", CVPR 2018), as in torchvision.
///
///     s = mean of x over places      u = W₁·s + b₁      v = W₂·activation(u) + b₂      y = x · gate(v)
///
/// | array  | shape     |                                                         |
/// |--------|-----------|---------------------------------------------------------|
/// | x, y   | (N, P, C) | P places                                                |
/// | W₁, b₁ | (K, C), (K) | 1×1 convolutions in torchvision: (K, C, 1, 1)         |
/// | W₂, b₂ | (C, K), (C) |                                                       |
/// | kept   |           | s (N, C), u (N, K) and the gates (N, C), for the way back |
///
/// One pass over x for the means, one for the products; what is between them is small.
public struct SqueezeExcite: Sendable {
    public enum Gate: Sendable {
        /// 1 / (1 + e⁻ᵛ): EfficientNet.
        case sigmoid
        /// min(max(v + 3, 0), 6) / 6: MobileNetV3.
        case hardSigmoid
    }

    public let C, K: Int
    public let activation: Rows.Activation
    public let gate: Gate

    public init(C: Int, K: Int, activation: Rows.Activation, gate: Gate) {
        self.C = C
        self.K = K
        self.activation = activation
        self.gate = gate
    }

    /// The four parameters, or their gradients.
    public struct Parameters {
        public let W1, b1, W2, b2: UnsafeMutablePointer<Float>

        public init(W1: UnsafeMutablePointer<Float>, b1: UnsafeMutablePointer<Float>, W2: UnsafeMutablePointer<Float>, b2: UnsafeMutablePointer<Float>) {
            (self.W1, self.b1, self.W2, self.b2) = (W1, b1, W2, b2)
        }
    }

    /// Floats of what is kept for the way back.
    public func kept(N: Int) -> Int { N * (2 * C + K) }
    /// Scratch for both passes with a batch of N.
    public func scratch(N: Int) -> Scratch.Need { Scratch.Need(shared: 2 * N * (C + K)) }
    /// Scratch for the pass forward that keeps nothing.
    public func inferenceScratch(N: Int) -> Scratch.Need { Scratch.Need(shared: 2 * N * (C + K)) }

    /// Sets y, which may be x itself, and `kept`.
    public func forward(
        y: UnsafeMutablePointer<Float>, kept: UnsafeMutablePointer<Float>?, x: UnsafePointer<Float>, normalized: NormalizedInput? = nil,
        _ parameters: Parameters, N: Int, P: Int, scratch: Scratch
    ) {
        let g = gates(kept: kept, x: x, normalized: normalized, parameters, N: N, P: P, scratch: scratch)
        normalized.reading(Products(layer: self, y: y, x: x, g: g, N: N, P: P))
    }

    /// The gates (N, C) alone, and `kept`: for a reader of x that multiplies by them itself. Without `kept` they lie in the scratch memory
    /// that is shared, until another layer uses it.
    public func gates(
        kept: UnsafeMutablePointer<Float>?, x: UnsafePointer<Float>, normalized: NormalizedInput? = nil, _ parameters: Parameters, N: Int, P: Int,
        scratch: Scratch
    ) -> UnsafePointer<Float> {
        let h = scratch.shared, kept = kept ?? h + N * K
        let (s, u, g) = (kept, kept + N * C, kept + N * (C + K))
        normalized.reading(Means(layer: self, s: s, x: x, N: N, P: P))
        Linear(I: C, O: K).forward(y: u, x: s, W: parameters.W1, b: parameters.b1, N: N)
        Elementwise(activation).forward(y: h, x: u, count: N * K)
        Linear(I: K, O: C).forward(y: g, x: h, W: parameters.W2, b: parameters.b2, N: N)
        switch gate {
        case .sigmoid: Elementwise.map(g, N * C) { Vector.sigmoid(g.vector($0, lanes: $1)) }
        case .hardSigmoid:
            Elementwise.map(g, N * C) {
                pointwiseMin(pointwiseMax(g.vector($0, lanes: $1) + 3, Vector(repeating: 0)), Vector(repeating: 6)) * (1 / 6)
            }
        }
        return UnsafePointer(g)
    }

    /// Adds to `gradients`; sets `dx`, which may be `dy` itself.
    ///
    ///     dv = gate′(v) · Σ dy·x      du = activation′(u) · W₂ᵀ·dv      dx = dy · gate(v) + W₁ᵀ·du / P
    public func backward(
        dx: UnsafeMutablePointer<Float>, _ gradients: Parameters, dy: UnsafePointer<Float>, x: UnsafePointer<Float>,
        normalized: NormalizedInput? = nil, kept: UnsafePointer<Float>, _ parameters: Parameters, N: Int, P: Int, scratch: Scratch
    ) {
        let (s, u, g) = (kept, kept + N * C, kept + N * (C + K))
        let temporary = scratch.shared
        let (dv, ds, h, du) = (temporary, temporary + N * C, temporary + 2 * N * C, temporary + N * (2 * C + K))
        normalized.reading(GateSums(layer: self, dv: dv, dy: dy, x: x, N: N, P: P))
        switch gate {
        case .sigmoid: Elementwise.map(dv, N * C) { dv.vector($0, lanes: $1) * g.vector($0, lanes: $1) * (1 - g.vector($0, lanes: $1)) }
        case .hardSigmoid:
            Elementwise.map(dv, N * C) {
                let gate = g.vector($0, lanes: $1)
                return (dv.vector($0, lanes: $1) * (1 / 6)).replacing(with: 0, where: (gate .<= 0) .| (gate .>= 1))
            }
        }
        Elementwise(activation).forward(y: h, x: u, count: N * K)
        Linear(I: K, O: C).backward(dx: du, adding: false, dW: gradients.W2, db: gradients.b2, dy: dv, x: h, W: parameters.W2, N: N)
        Elementwise(activation).backward(dx: du, dy: du, x: u, count: N * K)
        Linear(I: C, O: K).backward(dx: ds, adding: false, dW: gradients.W1, db: gradients.b1, dy: du, x: s, W: parameters.W1, N: N)
        let share = 1 / Float(P)
        setPlaces(dx, N: N, P: P) { at, channel, _, lanes in
            (ds.vector(channel, lanes: lanes) * share).addingProduct(dy.vector(at, lanes: lanes), g.vector(channel, lanes: lanes))
        }
    }

    private struct Means: ReadingBody {
        let layer: SqueezeExcite
        let s: UnsafeMutablePointer<Float>
        let x: UnsafePointer<Float>
        let N, P: Int

        func run<R: Reading>(_ reading: R) {
            layer.sumPlaces(s, times: 1 / Float(P), N: N, P: P) { at, c, lanes in reading.value(x + at, c, lanes: lanes) }
        }
    }

    private struct Products: ReadingBody {
        let layer: SqueezeExcite
        let y: UnsafeMutablePointer<Float>
        let x, g: UnsafePointer<Float>
        let N, P: Int

        func run<R: Reading>(_ reading: R) {
            layer.setPlaces(y, N: N, P: P) { at, channel, c, lanes in reading.value(x + at, c, lanes: lanes) * g.vector(channel, lanes: lanes) }
        }
    }

    private struct GateSums: ReadingBody {
        let layer: SqueezeExcite
        let dv: UnsafeMutablePointer<Float>
        let dy, x: UnsafePointer<Float>
        let N, P: Int

        func run<R: Reading>(_ reading: R) {
            layer.sumPlaces(dv, times: 1, N: N, P: P) { at, c, lanes in dy.vector(at, lanes: lanes) * reading.value(x + at, c, lanes: lanes) }
        }
    }

    /// Sets sums[n, c] = factor · Σₚ value(offset of (n, p, c), c). Four places at a time: fewer roundings and fewer stores.
    @inline(__always)
    private func sumPlaces(
        _ sums: UnsafeMutablePointer<Float>, times factor: Float, N: Int, P: Int, _ value: (_ offset: Int, _ c: Int, _ lanes: Int) -> Vector
    ) {
        @inline(__always)
        func add(_ n: Int, _ c: Int, lanes: Int, places: Range<Int>) {
            let start = n * P * C + c
            var sum = Vector.zero
            if places.count == 4 {
                let p = start &+ places.lowerBound &* C
                sum = (value(p, c, lanes) + value(p &+ C, c, lanes)) + (value(p &+ 2 &* C, c, lanes) + value(p &+ 3 &* C, c, lanes))
            } else {
                for p in places { sum += value(start + p * C, c, lanes) }
            }
            if places.lowerBound > 0 { sum += sums.vector(n &* C &+ c, lanes: lanes) }
            if places.upperBound == P { sum *= factor }
            sums.store(sum, n &* C &+ c, lanes: lanes)
        }
        // Few pictures: their channels are shared out.
        let groups = N < 8 ? max(1, min(C / 64, 16 / N)) : 1
        Parallel.forEach(N * groups) { piece, _ in
            let (n, group) = (piece / groups, piece % groups)
            let blocks = Parallel.part(group, of: groups, in: C / 16)
            for p in Swift.stride(from: 0, to: P, by: 4) {
                let places = p..<min(P, p + 4)
                for block in blocks { add(n, block &* 16, lanes: 16, places: places) }
                if group == groups - 1, C % 16 > 0 { add(n, C / 16 * 16, lanes: C % 16, places: places) }
            }
        }
    }

    /// Sets y[n, p, c] = value(its offset, that of (n, c), c).
    @inline(__always)
    private func setPlaces(
        _ y: UnsafeMutablePointer<Float>, N: Int, P: Int, _ value: (_ offset: Int, _ channel: Int, _ c: Int, _ lanes: Int) -> Vector
    ) {
        let runs = max(1, P * C / 32768)
        Parallel.forEach(N * runs) { run, _ in
            let n = run / runs
            for p in Parallel.part(run % runs, of: runs, in: P) {
                let start = (n * P + p) * C
                forEachVector(C) { c, lanes in y.store(value(start &+ c, n &* C &+ c, c, lanes), start &+ c, lanes: lanes) }
            }
        }
    }
}
