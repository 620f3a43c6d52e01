import Kernels
import Parallel

/// Convolution of images with so few pixels that most windows extend past the edge: one product for each pair of an
/// output pixel p and an input pixel q that an offset of the window connects, and none for the padding.
///
///     y[:, p] = Σ_{(p, q)} x[:, q]·Wᵀ[offset(p, q)]      dx[:, q] = Σ_{(p, q)} dy[:, p]·W[offset(p, q)]      dW[offset(p, q)] += dy[:, p]ᵀ·x[:, q]
///
/// A 3×3 window on 2×2 pixels takes 16 products instead of 36. The rows of a product are the images of a batch.
struct PixelPairs: ConvolutionAlgorithm {
    let window: Window
    let K: Int
    private let pairs: [(p: Int, q: Int, offset: Int)]

    /// nil if there are more than four output pixels, or if the pairs are more than three quarters of the direct
    /// products.
    init?(_ window: Window, K: Int) {
        guard window.R > 1, window.H * window.W <= 16, window.outputPixels <= 4 else { return nil }
        var pairs: [(p: Int, q: Int, offset: Int)] = []
        for p in 0..<window.outputPixels {
            for r in 0..<window.R {
                for s in 0..<window.S {
                    let y = p / window.outW * window.stride + r - window.padding, x = p % window.outW * window.stride + s - window.padding
                    if y >= 0, y < window.H, x >= 0, x < window.W { pairs.append((p, y * window.W + x, r * window.S + s)) }
                }
            }
        }
        guard 4 * pairs.count <= 3 * window.outputPixels * window.R * window.S else { return nil }
        (self.window, self.K, self.pairs) = (window, K, pairs)
    }

    var directions: ConvolutionDirection { [.forward, .data, .weights] }

    private var offsets: Int { window.R * window.S }
    private var panels: Panels { Panels(k: window.C, n: K) }
    private var turnedPanels: Panels { Panels(k: K, n: window.C) }

    /// The most images in one piece of work.
    private static let imagesAtOnce = 56
    /// The panels are split into blocks small enough that there are pieces for many threads.
    private static func columnBlocks(_ panels: Panels) -> Int { (panels.count + 3) / 4 }

    func scratch(_ direction: ConvolutionDirection, N: Int) -> Scratch.Need {
        let inputs = window.H * window.W * RowStride.padded(window.C), outputs = window.outputPixels * RowStride.padded(K)
        return Scratch.Need(
            worker: min(N, PixelPairs.imagesAtOnce) * max(inputs, outputs),
            shared: max(offsets * max(panels.floats, turnedPanels.floats), N * (inputs + outputs)))
    }

    var packedCount: Int { offsets * panels.floats }

    func pack(_ W: UnsafePointer<Float>, into packed: UnsafeMutablePointer<Float>) {
        let (panels, C, offsets) = (self.panels, window.C, self.offsets)
        Parallel.forEach(offsets * panels.count) { piece, _ in
            let (offset, panel) = (piece / panels.count, piece % panels.count)
            panels.pack(panel, of: W + offset * C, .transposed, ldb: offsets * C, into: packed + offset * panels.floats)
        }
    }

    func forward(_ pass: ConvolutionForward, packed: UnsafePointer<Float>) {
        let pairs = pairs.map { (from: $0.q, to: $0.p, offset: $0.offset) }
        multiply(
            pairs, pass.x, pixels: window.H * window.W, C: window.C, packed, panels, to: pass.y, pixels: window.outputPixels, K: K, N: pass.N, adding: false,
            pass.scratch)
        // These rows are still in the cache.
        var epilogue = pass.epilogue
        epilogue.isNonTemporal = false
        guard epilogue.bias != nil || epilogue.residual != nil || epilogue.activation != .none else { return }
        let rows = pass.N * window.outputPixels, pieces = (rows + 55) / 56, own = epilogue
        Parallel.forEach(pieces) { piece, _ in
            let range = Parallel.part(piece, of: pieces, in: rows), y = pass.y + range.lowerBound * K
            Rows.apply(own.advanced(rows: range.lowerBound, stride: K), to: y, into: y, rows: range.count, width: K)
        }
    }

    func backwardData(
        dx: UnsafeMutablePointer<Float>, _ epilogue: Epilogue, dy: UnsafePointer<Float>, W: UnsafePointer<Float>, N: Int, scratch: Scratch
    ) {
        let (panels, C, offsets, packed) = (turnedPanels, window.C, self.offsets, scratch.shared)
        Parallel.forEach(offsets * panels.count) { piece, _ in
            let (offset, panel) = (piece / panels.count, piece % panels.count)
            panels.pack(panel, of: W + offset * C, ldb: offsets * C, into: packed + offset * panels.floats)
        }
        // Sums run in the order of p.
        let pairs = pairs.map { (from: $0.p, to: $0.q, offset: $0.offset) }
        multiply(
            pairs, dy, pixels: window.outputPixels, C: K, packed, panels, to: dx, pixels: window.H * window.W, K: C, N: N, adding: epilogue.accumulates, scratch)
    }

    /// to[n, j] (+)= Σ from[n, i]·B[offset] over the pairs (i, j): (N, pixels, C) to (N, pixels, K). Pixels in no pair
    /// become zero.
    private func multiply(
        _ pairs: [(from: Int, to: Int, offset: Int)], _ from: UnsafePointer<Float>, pixels: Int, C: Int, _ packed: UnsafePointer<Float>, _ panels: Panels,
        to: UnsafeMutablePointer<Float>, pixels targets: Int, K: Int, N: Int, adding: Bool, _ scratch: Scratch
    ) {
        let blocks = (N + PixelPairs.imagesAtOnce - 1) / PixelPairs.imagesAtOnce, groups = PixelPairs.columnBlocks(panels), stride = RowStride.padded(C)
        Parallel.forEach(blocks * groups, workers: scratch.workers) { piece, worker in
            let images = Parallel.part(piece / groups, of: blocks, in: N), own = Parallel.part(piece % groups, of: groups, in: panels.count)
            let columns = panels.columns(own.lowerBound).lowerBound..<panels.columns(own.upperBound - 1).upperBound
            let part = Panels(k: C, n: columns.count)
            // The rows of one pixel are copied together, so that they spread over the cache sets.
            let memory = scratch.pointer(worker), plane = images.count * stride
            for pixel in 0..<pixels {
                Rows.copy(
                    from + (images.lowerBound * pixels + pixel) * C, stride: pixels * C, rows: images.count, columns: C, into: memory + pixel * plane,
                    stride: stride)
            }
            for target in 0..<targets {
                let result = to + (images.lowerBound * targets + target) * K + columns.lowerBound
                var isFirst = !adding
                for pair in pairs where pair.to == target {
                    GEMM.multiply(
                        memory + pair.from * plane, lda: stride, m: images.count, packed + pair.offset * panels.floats + columns.lowerBound * C, part,
                        into: result, ldc: targets * K, epilogue: isFirst ? .store : .accumulate)
                    isFirst = false
                }
                if isFirst { for row in 0..<images.count { (result + row * targets * K).update(repeating: 0, count: columns.count) } }
            }
        }
    }

    func backwardWeights(
        dW: UnsafeMutablePointer<Float>, dy: UnsafePointer<Float>, x: UnsafePointer<Float>, normalized: NormalizedInput?, N: Int, scratch: Scratch
    ) {
        let (C, K, offsets, pairs) = (window.C, self.K, self.offsets, self.pairs)
        let (inputs, outputs) = (window.H * window.W, window.outputPixels), (strideC, strideK) = (RowStride.padded(C), RowStride.padded(K))
        let rowsX = scratch.shared, rowsY = rowsX + inputs * N * strideC
        Parallel.forEach(inputs + outputs) { piece, _ in
            if piece < inputs {
                Rows.copy(x + piece * C, stride: inputs * C, rows: N, columns: C, into: rowsX + piece * N * strideC, stride: strideC)
            } else {
                let pixel = piece - inputs
                Rows.copy(dy + pixel * K, stride: outputs * K, rows: N, columns: K, into: rowsY + pixel * N * strideK, stride: strideK)
            }
        }
        let rows = 4 * Panels.rows, blocks = (K + rows - 1) / rows
        Parallel.forEach(offsets * blocks) { piece, _ in
            let (offset, own) = (piece / blocks, Parallel.part(piece % blocks, of: blocks, in: K))
            for pair in pairs where pair.offset == offset {
                GEMM.multiplyTransposed(
                    rowsY + pair.p * N * strideK + own.lowerBound, lda: strideK, m: own.count, rowsX + pair.q * N * strideC, ldb: strideC, n: C, k: N,
                    into: dW + (own.lowerBound * offsets + offset) * C, ldc: offsets * C, accumulates: true)
            }
        }
    }
}
