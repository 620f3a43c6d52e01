import CProcessor
import Kernels
import Parallel

/// The forward pass that reads images in place, for finished images so wide that few windows extend past their edges.
///
/// It computes several neighbouring outputs at a time for all channels, so that memory is read sequentially. Taps
/// outside the image are skipped. With finite weights the sums are bit-identical to those of the copied rows.
extension Depthwise {
    /// Whether to use this path if no normalisation is pending: rows of several tiles, and windows that overlap the
    /// image everywhere. On smaller images most windows extend past an edge.
    var readsInPlace: Bool {
        window.outW >= 28 && window.outW > 4 * window.S && window.R <= window.H && window.padding < min(window.R, window.S) && window.C >= 16
            && window.stride <= 2
    }

    private static let rowsAtOnce = 14

    /// The number of floats in a row of sums that are still to be finished.
    var inPlaceScratch: Int { readsInPlace ? window.outW * window.C : 0 }

    func forwardInPlace(
        y: UnsafeMutablePointer<Float>, x: UnsafePointer<Float>, W: UnsafePointer<Float>, N: Int, bias: UnsafePointer<Float>?,
        _ activation: Activation, scratch: Scratch
    ) {
        let (C, outH, outW) = (window.C, window.outH, window.outW)
        let runs = (outH + Self.rowsAtOnce - 1) / Self.rowsAtOnce
        let nonTemporal = C % 16 == 0 && NonTemporalStore.pays(y, count: N * window.outputPixels * C)
        Parallel.forEach(N * runs, workers: scratch.workers) { piece, worker in
            let n = piece / runs, image = x + n * window.H * window.W * C
            for oy in Parallel.part(piece % runs, of: runs, in: outH) {
                let out = y + (n * outH + oy) * outW * C
                let sums = bias != nil && nonTemporal ? scratch.pointer(worker) : out
                makeRow(oy, of: image, W, into: sums, nonTemporal: bias == nil && nonTemporal)
                if let bias { Rows.apply(Epilogue(bias: bias, activation: activation, isNonTemporal: nonTemporal), to: sums, into: out, rows: outW, width: C) }
            }
        }
    }

    /// Computes all outputs of row `oy`.
    private func makeRow(_ oy: Int, of x: UnsafePointer<Float>, _ W: UnsafePointer<Float>, into out: UnsafeMutablePointer<Float>, nonTemporal: Bool) {
        let (stride, padding) = (window.stride, window.padding)
        let top = oy * stride - padding
        let rows = max(0, -top)..<min(window.R, window.H - top)
        // The outputs whose windows lie between the left and the right edge.
        let first = (padding + stride - 1) / stride, end = max(first, min(window.outW, (window.W + padding - window.S) / stride + 1))
        func single(_ ox: Int) {
            let left = ox * stride - padding
            make(InlineArray<1, Vector>.self, ox, x, W, top, rows, columns: max(0, -left)..<min(window.S, window.W - left), into: out, nonTemporal: nonTemporal)
        }
        @inline(__always) func inside<let T: Int>(_ tile: InlineArray<T, Vector>.Type, from start: Int) -> Int {
            var ox = start
            while ox + T <= end {
                make(tile, ox, x, W, top, rows, columns: 0..<window.S, into: out, nonTemporal: nonTemporal)
                ox += T
            }
            return ox
        }
        for ox in 0..<first { single(ox) }
        let done = inside(InlineArray<2, Vector>.self, from: inside(InlineArray<8, Vector>.self, from: first))
        for ox in done..<window.outW { single(ox) }
    }

    /// Computes `T` outputs from column `ox` on, all channels, from the taps of their windows inside the image.
    @inline(never)
    private func make<let T: Int>(
        _: InlineArray<T, Vector>.Type, _ ox: Int, _ x: UnsafePointer<Float>, _ W: UnsafePointer<Float>, _ top: Int, _ rows: Range<Int>,
        columns: Range<Int>, into out: UnsafeMutablePointer<Float>, nonTemporal: Bool
    ) {
        let C = window.C, step = window.stride &* C
        let start = x + (top + rows.lowerBound) * window.W * C + (ox * window.stride - window.padding + columns.lowerBound) * C
        let weights = W + (rows.lowerBound * window.S + columns.lowerBound) * C
        let out = out + ox * C
        @inline(__always)
        func channels(_ c: Int, _ lanes: Int) {
            var sums = InlineArray<T, Vector>(repeating: Vector(repeating: 0))
            var line = start + c, weight = weights + c
            for _ in 0..<rows.count {
                var (pixel, w) = (line, weight)
                for _ in 0..<columns.count {
                    let own = w.vector(0, lanes: lanes)
                    for t in 0..<T { sums[t] = sums[t].addingProduct(pixel.vector(t &* step, lanes: lanes), own) }
                    pixel += C
                    w += C
                }
                line += window.W &* C
                weight += window.S &* C
            }
            if nonTemporal {
                for t in 0..<T { seed_store_nontemporal(out + t &* C + c, sums[t]) }
            } else {
                for t in 0..<T { out.store(sums[t], t &* C &+ c, lanes: lanes) }
            }
        }
        // Prefetches what the same columns of the next output row read in addition.
        for row in 0..<window.stride {
            let next = x + ((top + window.R + row) * window.W + ox * window.stride) * C
            for i in Swift.stride(from: 0, to: T * step, by: 16) { seed_prefetch_far(next + i) }
        }
        forEachVector(C) { c, lanes in channels(c, lanes) }
    }
}
