import Kernels
import Parallel

/// Both gradients of a 1×1 convolution in one pass over dy, for weights few enough to stay in the cache.
///
///     dx = dy·W        dW += dyᵀ·x
///
/// A piece of work takes a part of the pixels, some rows at a time. dy is read from main memory once. If dy must still
/// pass back through a batch norm, that happens here, and so does a pending normalisation of x.
struct PointwiseGradients: Sendable {
    let window: Window
    let K: Int

    /// nil if the window is not a single pixel or there are too many weights.
    init?(_ window: Window, K: Int) {
        guard window.isPointwise, window.C * K <= 1 << 17 else { return nil }
        (self.window, self.K) = (window, K)
    }

    private var weightCount: Int { K * window.C }
    private var panels: Panels { Panels(k: K, n: window.C) }

    /// The number of rows at a time, small enough that what is read and copied of them stays in the cache.
    private var rows: Int { max(1, min(16, (3 << 15) / (window.C + K) / 14)) * 14 }

    /// The number of parts of the pixels with separate sums of dW, from sizes alone.
    private func parts(N: Int) -> Int { max(1, min(32, (1 << 20) / weightCount, N * window.outputPixels / rows)) }

    func scratch(N: Int) -> Scratch.Need {
        Scratch.Need(
            worker: rows * (RowStride.padded(K) + RowStride.padded(window.C)),
            shared: panels.floats + parts(N: N) * weightCount)
    }

    /// See ``Convolution/backward(dx:adding:dW:dy:gradient:x:normalized:W:N:scratch:)``.
    func backward(
        dx: UnsafeMutablePointer<Float>?, adding: Bool, dW: UnsafeMutablePointer<Float>, dy: UnsafePointer<Float>, gradient: NormalizedGradient? = nil,
        x: UnsafePointer<Float>, normalized: NormalizedInput? = nil, W: UnsafePointer<Float>, N: Int, scratch: Scratch
    ) {
        let (C, K) = (window.C, K), total = N * window.outputPixels, parts = self.parts(N: N), step = rows
        let panels = self.panels, packed = scratch.shared, partial = packed + panels.floats
        if dx != nil { Parallel.forEach(panels.count) { panel, _ in panels.pack(panel, of: W, ldb: C, into: packed) } }
        var epilogue = adding ? Epilogue.accumulate : .store
        epilogue.isNonTemporal = dx.map { !adding && NonTemporalStore.pays($0, count: total * C) } ?? false
        let stored = epilogue
        Parallel.forEach(parts, workers: scratch.workers) { part, worker in
            let own = Parallel.part(part, of: parts, in: total)
            let target = partial + part * weightCount, memory = scratch.pointer(worker)
            for first in Swift.stride(from: own.lowerBound, to: own.upperBound, by: step) {
                let range = first..<min(own.upperBound, first + step)
                let next = range.upperBound..<min(own.upperBound, range.upperBound + step)
                let (made, stride) = gradientRows(dy, gradient, range, memory)
                if let dx {
                    var prefetch = Prefetch(x, rows: range, columns: C)
                    GEMM.multiply(
                        made, lda: stride, m: range.count, packed, panels, into: dx + first * C, ldc: C, epilogue: stored,
                        prefetch: &prefetch)
                }
                let (x, xStride) = inputRows(x, normalized, range, of: total, memory + step * RowStride.padded(K))
                var prefetch = gradientPrefetch(dy, gradient, next)
                GEMM.multiplyTransposed(
                    made, lda: stride, m: K, x, ldb: xStride, n: C, k: range.count, into: target, ldc: C, accumulates: first > own.lowerBound,
                    prefetch: &prefetch)
            }
        }
        addParts(partial, parts, count: weightCount, to: dW)
    }

    /// What ``gradientRows(_:_:_:_:)`` is going to read.
    private func gradientPrefetch(_ dy: UnsafePointer<Float>, _ gradient: NormalizedGradient?, _ range: Range<Int>) -> Prefetch {
        let rows = Prefetch(dy, rows: range, columns: K)
        return gradient.map { rows.and(Prefetch($0.x, rows: range, columns: K)) } ?? rows
    }

    /// The rows `range` of dy and the stride between them in floats. They are read in place, computed or copied.
    private func gradientRows(
        _ dy: UnsafePointer<Float>, _ gradient: NormalizedGradient?, _ range: Range<Int>, _ memory: UnsafeMutablePointer<Float>
    ) -> (UnsafePointer<Float>, Int) {
        let stride = RowStride.padded(K)
        switch (gradient, RowStride.spreadsBothWays(K)) {
        case (nil, true): return (dy + range.lowerBound * K, K)
        case (nil, false): Rows.copy(dy + range.lowerBound * K, stride: K, rows: range.count, columns: K, into: memory, stride: stride)
        case (let gradient?, true):
            gradient.make(dy, start: range.lowerBound * K, count: range.count * K, into: memory)
            return (UnsafePointer(memory), K)
        case (let gradient?, false):
            for (row, pixel) in range.enumerated() { gradient.make(dy, start: pixel * K, count: K, into: memory + row * stride) }
        }
        return (UnsafePointer(memory), stride)
    }

    /// The same for the rows `range` of `total` of x. The GEMM reads whole panels, past the end of the last rows, so
    /// these are copied to the workspace.
    private func inputRows(
        _ x: UnsafePointer<Float>, _ normalized: NormalizedInput?, _ range: Range<Int>, of total: Int, _ memory: UnsafeMutablePointer<Float>
    ) -> (UnsafePointer<Float>, Int) {
        let C = window.C
        if let normalized { return (UnsafePointer(memory), normalized.normalizeRows(x, range, into: memory)) }
        if RowStride.spreadsBothWays(C), C % 32 == 0 || range.upperBound < total, C >= 16 { return (x + range.lowerBound * C, C) }
        Rows.copy(x + range.lowerBound * C, stride: C, rows: range.count, columns: C, into: memory, stride: RowStride.padded(C))
        return (UnsafePointer(memory), RowStride.padded(C))
    }
}
