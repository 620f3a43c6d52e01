public import Kernels
import Parallel

/// Channel weights computed from the whole image (Hu et al., "Squeeze-and-Excitation Networks", CVPR 2018), as in
/// torchvision.
///
///     s = mean of x over pixels      u = W₁·s + b₁      v = W₂·activation(u) + b₂      y = x · gate(v)
///
/// | array  | shape       |                                                                |
/// |--------|-------------|----------------------------------------------------------------|
/// | x, y   | (N, P, C)   | P pixels                                                       |
/// | W₁, b₁ | (K, C), (K) | 1×1 convolutions in torchvision: (K, C, 1, 1)                  |
/// | W₂, b₂ | (C, K), (C) |                                                                |
/// | saved  |             | s (N, C), u (N, K) and the gates (N, C), for the backward pass |
///
/// One pass over x computes the means and another the products; everything in between is small. Where pixels outnumber
/// weights by far, each image goes through all steps in turn, so that the second pass finds in the cache what the first
/// has read or computed (`SqueezeExcite+Images.swift`).
public struct SqueezeExcite: Sendable {
    public enum Gate: Sendable {
        /// 1 / (1 + e⁻ᵛ): EfficientNet.
        case sigmoid
        /// min(max(v + 3, 0), 6) / 6: MobileNetV3.
        case hardSigmoid
    }

    public let C, K: Int
    public let activation: Activation
    public let gate: Gate

    public init(C: Int, K: Int, activation: Activation, gate: Gate) {
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

    /// The number of floats saved for the backward pass.
    public func saved(N: Int) -> Int { N * (2 * C + K) }
    /// Scratch for both passes on a batch of N.
    public func scratch(N: Int) -> Scratch.Need { Scratch.Need(shared: 2 * N * (C + K)) }
    /// Scratch for a forward pass that saves nothing.
    public func inferenceScratch(N: Int) -> Scratch.Need { Scratch.Need(shared: 2 * N * (C + K)) }

    /// Sets y, which may be x itself, and `saved`.
    public func forward(
        y: UnsafeMutablePointer<Float>, saved: UnsafeMutablePointer<Float>?, x: UnsafePointer<Float>, normalized: NormalizedInput? = nil,
        _ parameters: Parameters, N: Int, P: Int, scratch: Scratch
    ) {
        if isByImage(N: N, P: P) { return forwardByImage(y: y, saved: saved, x: x, normalized: normalized, parameters, N: N, P: P, scratch: scratch) }
        let g = gates(saved: saved, x: x, normalized: normalized, parameters, N: N, P: P, scratch: scratch)
        multiply(y: y, x: x, normalized: normalized, gates: g, N: N, P: P)
    }

    func multiply(
        y: UnsafeMutablePointer<Float>, x: UnsafePointer<Float>, normalized: NormalizedInput? = nil, gates g: UnsafePointer<Float>, N: Int, P: Int
    ) {
        normalized.withPrologue(Products(layer: self, y: y, x: x, g: g, N: N, P: P))
    }

    /// Computes only the gates (N, C) and `saved`, for a reader of x that applies the gates itself.
    ///
    /// Without `saved`, the gates lie in the shared scratch memory until another layer uses it.
    public func gates(
        saved: UnsafeMutablePointer<Float>?, x: UnsafePointer<Float>, normalized: NormalizedInput? = nil, _ parameters: Parameters, N: Int, P: Int,
        scratch: Scratch
    ) -> UnsafePointer<Float> {
        gates(
            saved: saved, x: x, normalized: normalized, N: N, P: P, scratch: scratch,
            reduce: { Linear(I: C, O: K).forward(y: $0, x: $1, W: parameters.W1, b: parameters.b1, N: N) },
            expand: { Linear(I: K, O: C).forward(y: $0, x: $1, W: parameters.W2, b: parameters.b2, N: N) })
    }

    /// - Parameters:
    ///   - reduce: sets u from s.
    ///   - expand: sets v from activation(u).
    func gates(
        saved: UnsafeMutablePointer<Float>?, x: UnsafePointer<Float>, normalized: NormalizedInput? = nil, N: Int, P: Int, scratch: Scratch,
        reduce: (UnsafeMutablePointer<Float>, UnsafePointer<Float>) -> Void, expand: (UnsafeMutablePointer<Float>, UnsafePointer<Float>) -> Void
    ) -> UnsafePointer<Float> {
        let h = scratch.shared, saved = saved ?? h + N * K
        let (s, u, g) = (saved, saved + N * C, saved + N * (C + K))
        normalized.withPrologue(Means(layer: self, s: s, x: x, N: N, P: P))
        reduce(u, s)
        Elementwise(activation).forward(y: h, x: u, count: N * K)
        expand(g, h)
        openGates(g, N * C)
        return UnsafePointer(g)
    }

    /// Adds to `gradients`; sets `dx`, which may be `dy` itself.
    ///
    ///     dv = gate′(v) · Σ dy·x      du = activation′(u) · W₂ᵀ·dv      dx = dy · gate(v) + W₁ᵀ·du / P
    public func backward(
        dx: UnsafeMutablePointer<Float>, _ gradients: Parameters, dy: UnsafePointer<Float>, x: UnsafePointer<Float>,
        normalized: NormalizedInput? = nil, saved: UnsafePointer<Float>, _ parameters: Parameters, N: Int, P: Int, scratch: Scratch
    ) {
        let (s, u, g) = (saved, saved + N * C, saved + N * (C + K))
        let temporary = scratch.shared
        let (dv, ds, h, du) = (temporary, temporary + N * C, temporary + 2 * N * C, temporary + N * (2 * C + K))
        if isByImage(N: N, P: P) {
            normalized.withPrologue(ImagesBackward(
                layer: self, dx: dx, dy: dy, x: x, u: u, g: g, dv: dv, ds: ds, h: h, du: du, parameters: parameters, N: N, P: P))
            Linear(I: K, O: C).backward(dx: nil, adding: false, dW: gradients.W2, db: gradients.b2, dy: dv, x: h, W: parameters.W2, N: N)
            Linear(I: C, O: K).backward(dx: nil, adding: false, dW: gradients.W1, db: gradients.b1, dy: du, x: s, W: parameters.W1, N: N)
            return
        }
        normalized.withPrologue(GateSums(layer: self, dv: dv, dy: dy, x: x, N: N, P: P))
        throughGates(dv, g, N * C)
        Elementwise(activation).forward(y: h, x: u, count: N * K)
        Linear(I: K, O: C).backward(dx: du, adding: false, dW: gradients.W2, db: gradients.b2, dy: dv, x: h, W: parameters.W2, N: N)
        Elementwise(activation).backward(dx: du, dy: du, x: u, count: N * K)
        Linear(I: C, O: K).backward(dx: ds, adding: false, dW: gradients.W1, db: gradients.b1, dy: du, x: s, W: parameters.W1, N: N)
        let share = 1 / Float(P)
        Elementwise.map(ds, N * C) { ds.vector($0, lanes: $1) * share }
        forEachRun(N, P) { n, pixels in
            let start = n * P * C
            setPixels(dx + start, pixels, PixelGradient(dy: dy + start, g: g + n * C, ds: ds + n * C))
        }
    }

    /// Replaces v by gate(v).
    func openGates(_ v: UnsafeMutablePointer<Float>, _ count: Int) {
        switch gate {
        case .sigmoid: Elementwise.map(v, count) { Vector.sigmoid(v.vector($0, lanes: $1)) }
        case .hardSigmoid:
            Elementwise.map(v, count) {
                pointwiseMin(pointwiseMax(v.vector($0, lanes: $1) + 3, Vector(repeating: 0)), Vector(repeating: 6)) * (1 / 6)
            }
        }
    }

    /// Turns the gradient with respect to the gates `g` into the gradient with respect to v.
    func throughGates(_ d: UnsafeMutablePointer<Float>, _ g: UnsafePointer<Float>, _ count: Int) {
        switch gate {
        case .sigmoid: Elementwise.map(d, count) { d.vector($0, lanes: $1) * g.vector($0, lanes: $1) * (1 - g.vector($0, lanes: $1)) }
        case .hardSigmoid:
            Elementwise.map(d, count) {
                let gate = g.vector($0, lanes: $1)
                return (d.vector($0, lanes: $1) * (1 / 6)).replacing(with: 0, where: (gate .<= 0) .| (gate .>= 1))
            }
        }
    }

    private struct Means: PrologueBody {
        let layer: SqueezeExcite
        let s: UnsafeMutablePointer<Float>
        let x: UnsafePointer<Float>
        let N, P: Int

        func run<R: Prologue>(_ prologue: R) {
            layer.forEachShare(N) { n, share in
                layer.sumPixels(Value(x: x + n * P * layer.C, prologue: prologue), into: s + n * layer.C, times: 1 / Float(P), P: P, share)
            }
        }
    }

    private struct Products: PrologueBody {
        let layer: SqueezeExcite
        let y: UnsafeMutablePointer<Float>
        let x, g: UnsafePointer<Float>
        let N, P: Int

        func run<R: Prologue>(_ prologue: R) {
            layer.forEachRun(N, P) { n, pixels in
                let start = n * P * layer.C
                layer.setPixels(y + start, pixels, GatedValue(x: x + start, g: g + n * layer.C, prologue: prologue))
            }
        }
    }

    private struct GateSums: PrologueBody {
        let layer: SqueezeExcite
        let dv: UnsafeMutablePointer<Float>
        let dy, x: UnsafePointer<Float>
        let N, P: Int

        func run<R: Prologue>(_ prologue: R) {
            layer.forEachShare(N) { n, share in
                let start = n * P * layer.C
                layer.sumPixels(GateGradient(dy: dy + start, x: x + start, prologue: prologue), into: dv + n * layer.C, times: 1, P: P, share)
            }
        }
    }

    /// A range of blocks of sixteen channels of an image, and whether the remaining channels are included.
    struct Share {
        let blocks: Range<Int>
        let rest: Bool
    }

    /// All channels.
    var wholeImage: Share { Share(blocks: 0..<(C / 16), rest: C % 16 > 0) }

    /// Calls `body` on all threads for each image. With few images, their channels are split among threads too.
    private func forEachShare(_ N: Int, _ body: (_ n: Int, Share) -> Void) {
        let groups = N < 8 ? max(1, min(C / 64, 16 / N)) : 1
        Parallel.forEach(N * groups) { piece, _ in
            let group = piece % groups
            body(piece / groups, Share(blocks: Parallel.part(group, of: groups, in: C / 16), rest: group == groups - 1 && C % 16 > 0))
        }
    }

    /// Calls `body` on all threads for runs of pixels.
    private func forEachRun(_ N: Int, _ P: Int, _ body: (_ n: Int, _ pixels: Range<Int>) -> Void) {
        let runs = max(1, P * C / 32768)
        Parallel.forEach(N * runs) { run, _ in body(run / runs, Parallel.part(run % runs, of: runs, in: P)) }
    }
}
