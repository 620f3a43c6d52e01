public import Kernels
import Parallel

/// A convolution without bias whose channels are cut into G groups, each with weights of its own (Xie et al., "Aggregated Residual
/// Transformations for Deep Neural Networks", CVPR 2017; RegNet's 3×3).
///
///     y[n, p, q, k] = Σ_{r,s,c} W[k, r, s, c] · x[n, stride·p + r − padding, stride·q + s − padding, g·C/G + c]        g = k / (K/G), rounded down
///
/// | array | shape            |                                                         |
/// |-------|------------------|---------------------------------------------------------|
/// | x     | (N, H, W, C)     |                                                         |
/// | W     | (K, R, S, C/G)   | PyTorch's (K, C/G, R, S) with the channels moved last   |
/// | y     | (N, H', W', K)   | H' = (H + 2·padding − R) / stride + 1                   |
///
/// Group by group and image by image by im2col: the patches of some output pixels, (pixels, R·S·C/G), times the group's weights.
public struct GroupedConvolution: Sendable {
    public let window: Window
    /// Output channels.
    public let K: Int
    public let groups: Int

    /// - Precondition: `groups` divides the channels of both sides.
    public init(window: Window, K: Int, groups: Int) {
        precondition(groups > 0 && window.C % groups == 0 && K % groups == 0)
        (self.window, self.K, self.groups) = (window, K, groups)
    }

    /// Channels of a group.
    private var inputs: Int { window.C / groups }
    private var outputs: Int { K / groups }
    /// R·S·C/G.
    private var patch: Int { window.R * window.S * inputs }
    public var weightCount: Int { K * patch }

    /// Output pixels at once: their patches stay in the L2 cache.
    private var rows: Int { max(1, min(window.outputPixels, (1 << 16) / stride)) }
    /// Floats from a patch to the next.
    private var stride: Int { RowStride.padded(patch) }
    /// Wᵀ of a group, and W.
    private var forwardPanels: Panels { Panels(k: patch, n: outputs) }
    private var dataPanels: Panels { Panels(k: outputs, n: patch) }
    /// Parts of the batch that sum the gradient of the weights apart.
    private func parts(_ N: Int) -> Int { min(16, N) }

    public func scratch(N: Int) -> Scratch.Need {
        let packed = groups * max(forwardPanels.floats, dataPanels.floats)
        return Scratch.Need(worker: rows * max(stride, patch), shared: max(packed, parts(N) * weightCount))
    }

    public func inferenceScratch(N: Int) -> Scratch.Need { Scratch.Need(worker: rows * stride) }

    /// Floats of the weights that ``pack(_:into:)`` packs.
    public var packedCount: Int { groups * forwardPanels.floats }

    /// Packs W for ``forward(y:x:packed:N:epilogue:scratch:)``.
    public func pack(_ W: UnsafePointer<Float>, into packed: UnsafeMutablePointer<Float>) { pack(W, forwardPanels, .transposed, into: packed) }

    private func pack(_ W: UnsafePointer<Float>, _ panels: Panels, _ orientation: Matrix.Orientation, into packed: UnsafeMutablePointer<Float>) {
        Parallel.forEach(groups * panels.count) { piece, _ in
            let (group, panel) = piece.quotientAndRemainder(dividingBy: panels.count)
            panels.pack(panel, of: W + group * outputs * patch, orientation, ldb: patch, into: packed + group * panels.floats)
        }
    }

    /// Runs of output pixels of an image.
    private func forEachRun(_ body: (Range<Int>) -> Void) {
        for first in Swift.stride(from: 0, to: window.outputPixels, by: rows) { body(first..<min(window.outputPixels, first + rows)) }
    }

    // MARK: im2col

    /// Calls `body` for each window pixel of each output pixel in `range` that lies inside the image, with its offset in the patches and in the image.
    @inline(__always)
    private func forEachPixel(_ range: Range<Int>, stride: Int, inside: (_ patch: Int, _ image: Int) -> Void, outside: (_ patch: Int) -> Void) {
        for (row, pixel) in range.enumerated() {
            let (oy, ox) = pixel.quotientAndRemainder(dividingBy: window.outW)
            for r in 0..<window.R {
                let y = oy * window.stride + r - window.padding
                for s in 0..<window.S {
                    let x = ox * window.stride + s - window.padding, offset = row * stride + (r * window.S + s) * inputs
                    if y >= 0, y < window.H, x >= 0, x < window.W { inside(offset, (y * window.W + x) * window.C) } else { outside(offset) }
                }
            }
        }
    }

    /// The patches of the output pixels `range` of `image`, which begins at the group's first channel.
    private func im2col(_ image: UnsafePointer<Float>, _ range: Range<Int>, into patches: UnsafeMutablePointer<Float>) {
        forEachPixel(range, stride: stride) {
            Rows.copy(image + $1, to: patches + $0, count: inputs)
        } outside: {
            (patches + $0).update(repeating: 0, count: inputs)
        }
    }

    /// Adds the gradients of patches to the pixels that they were copied from.
    private func col2im(_ patches: UnsafePointer<Float>, _ range: Range<Int>, addingTo image: UnsafeMutablePointer<Float>) {
        forEachPixel(range, stride: patch) { Rows.add(patches + $0, to: image + $1, count: inputs) } outside: { _ in }
    }

    // MARK: Passes

    /// Sets y from weights as they are.
    public func forward(y: UnsafeMutablePointer<Float>, x: UnsafePointer<Float>, W: UnsafePointer<Float>, N: Int, scratch: Scratch) {
        pack(W, into: scratch.shared)
        forward(y: y, x: x, packed: scratch.shared, N: N, scratch: scratch)
    }

    /// Sets y from weights that ``pack(_:into:)`` has packed.
    public func forward(
        y: UnsafeMutablePointer<Float>, x: UnsafePointer<Float>, packed: UnsafePointer<Float>, N: Int, epilogue: Epilogue = .store, scratch: Scratch
    ) {
        let panels = forwardPanels
        Parallel.forEach(N * groups, workers: scratch.workers) { piece, worker in
            let (n, group) = piece.quotientAndRemainder(dividingBy: groups), patches = scratch.pointer(worker)
            let image = x + n * window.H * window.W * window.C + group * inputs
            forEachRun { range in
                im2col(image, range, into: patches)
                let out = y + (n * window.outputPixels + range.lowerBound) * K + group * outputs
                let epilogue = epilogue.advanced(rows: n * window.outputPixels + range.lowerBound, stride: K).advanced(columns: group * outputs)
                if epilogue.fitsGEMM {
                    return GEMM.multiply(patches, lda: stride, m: range.count, packed + group * panels.floats, panels, into: out, ldc: K, epilogue: epilogue)
                }
                GEMM.multiply(patches, lda: stride, m: range.count, packed + group * panels.floats, panels, into: out, ldc: K)
                for row in 0..<range.count { Rows.apply(epilogue.advanced(rows: row, stride: K), to: out + row * K, into: out + row * K, rows: 1, width: outputs) }
            }
        }
    }

    /// Adds to `dx`, or sets it:
    ///
    ///     dx[n, h, w, g·C/G + c] = Σ_{k,r,s} W[k, r, s, c] · dy[n, p, q, k]     with  stride·p + r − padding = h,  stride·q + s − padding = w,  k in g
    public func backwardData(
        dx: UnsafeMutablePointer<Float>, adding: Bool, dy: UnsafePointer<Float>, W: UnsafePointer<Float>, N: Int, scratch: Scratch
    ) {
        let panels = dataPanels, packed = scratch.shared, pixels = window.H * window.W
        pack(W, panels, .asIs, into: packed)
        Parallel.forEach(N * groups, workers: scratch.workers) { piece, worker in
            let (n, group) = piece.quotientAndRemainder(dividingBy: groups), patches = scratch.pointer(worker)
            let image = dx + n * pixels * window.C + group * inputs
            if !adding { for pixel in 0..<pixels { (image + pixel * window.C).update(repeating: 0, count: inputs) } }
            forEachRun { range in
                let own = dy + (n * window.outputPixels + range.lowerBound) * K + group * outputs
                GEMM.multiply(own, lda: K, m: range.count, packed + group * panels.floats, panels, into: patches, ldc: patch)
                col2im(patches, range, addingTo: image)
            }
        }
    }

    /// Adds to `dW`:
    ///
    ///     dW[k, r, s, c] = Σ_{n,p,q} dy[n, p, q, k] · x[n, stride·p + r − padding, stride·q + s − padding, g·C/G + c]
    public func backwardWeights(dW: UnsafeMutablePointer<Float>, dy: UnsafePointer<Float>, x: UnsafePointer<Float>, N: Int, scratch: Scratch) {
        let parts = parts(N), sums = scratch.shared
        Parallel.forEach(parts * groups, workers: scratch.workers) { piece, worker in
            let (part, group) = piece.quotientAndRemainder(dividingBy: groups), patches = scratch.pointer(worker)
            let images = Parallel.part(part, of: parts, in: N), own = sums + part * weightCount + group * outputs * patch
            for n in images {
                let image = x + n * window.H * window.W * window.C + group * inputs
                forEachRun { range in
                    im2col(image, range, into: patches)
                    GEMM.multiplyTransposed(
                        dy + (n * window.outputPixels + range.lowerBound) * K + group * outputs, lda: K, m: outputs, patches, ldb: stride, n: patch, k: range.count,
                        into: own, ldc: patch, accumulates: n > images.lowerBound || range.lowerBound > 0)
                }
            }
        }
        addParts(sums, parts, count: weightCount, to: dW)
    }
}
