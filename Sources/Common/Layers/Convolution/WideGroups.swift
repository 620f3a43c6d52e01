import Kernels
import Parallel

/// A ``GroupedConvolution`` that runs a ``Convolution`` for each group on copies of its input and output channels.
///
/// It gains from the dense algorithms, such as Winograd tiles, at the cost of one more read and write of both sides.
/// Copies are padded with zero channels to whole vectors, which many algorithms require.
struct WideGroups: Sendable {
    let window: Window
    let K, groups: Int
    /// The convolution of one group.
    private let dense: Convolution

    init(_ window: Window, K: Int, groups: Int) {
        (self.window, self.K, self.groups) = (window, K, groups)
        dense = Convolution(window: window.replacing(C: Self.filled(window.C / groups)), K: Self.filled(K / groups))
    }

    /// Few channels are not padded, since most of the copy would be zeros.
    private static func filled(_ channels: Int) -> Int { channels < 32 ? channels : (channels + 15) / 16 * 16 }

    /// The channels of a group, and of its copies.
    private var inputs: Int { window.C / groups }
    private var outputs: Int { K / groups }
    private var C: Int { dense.window.C }
    private var isFilled: Bool { C > inputs || dense.K > outputs }
    private var patch: Int { window.patch / groups }

    // MARK: Memory

    /// The most images copied at once: about 16 MB of input and output.
    private func images(_ N: Int) -> Int { max(1, min(N, (1 << 22) / (window.H * window.W * C + window.outputPixels * dense.K))) }

    /// Offsets of the copies in the shared scratch, after the part that ``dense`` uses.
    private struct Memory {
        let x, y, W, dW, packed, end: Int
    }

    private func memory(_ N: Int, behind start: Int) -> Memory {
        let count = images(N)
        func after(_ offset: Int, _ floats: Int) -> Int { offset + (floats + 15) / 16 * 16 }
        let x = after(0, start), y = after(x, count * window.H * window.W * C), W = after(y, count * window.outputPixels * dense.K)
        let dW = after(W, isFilled ? dense.weightCount : 0), packed = after(dW, isFilled ? dense.weightCount : 0)
        return Memory(x: x, y: y, W: W, dW: dW, packed: packed, end: after(packed, count < N ? dense.packedCount : 0))
    }

    func scratch(N: Int) -> Scratch.Need {
        let need = dense.scratch(N: images(N))
        return Scratch.Need(worker: need.worker, shared: memory(N, behind: need.shared).end)
    }

    func inferenceScratch(N: Int) -> Scratch.Need {
        Scratch.Need(worker: dense.inferenceScratch(N: images(N)).worker, shared: memory(N, behind: 0).W)
    }

    // MARK: Copies

    /// Copies a group's channels of `pixels` pixels; `values` points to the first of them.
    private func gather(_ values: UnsafePointer<Float>, stride: Int, count: Int, pixels: Int, into copy: UnsafeMutablePointer<Float>, stride filled: Int) {
        forEachRun(pixels) { run in
            for pixel in run {
                Rows.copy(values + pixel * stride, to: copy + pixel * filled, count: count)
                if filled > count { (copy + pixel * filled + count).update(repeating: 0, count: filled - count) }
            }
        }
    }

    /// Stores a group's channels of `pixels` pixels to their place and applies the epilogue.
    private func scatter(
        _ copy: UnsafePointer<Float>, stride filled: Int, count: Int, pixels: Int, into values: UnsafeMutablePointer<Float>, stride: Int, _ epilogue: Epilogue
    ) {
        forEachRun(pixels) { run in
            for pixel in run {
                let (source, target) = (copy + pixel * filled, values + pixel * stride)
                if epilogue.accumulates {
                    Rows.add(source, to: target, count: count)
                } else if epilogue.isPlain {
                    Rows.copy(source, to: target, count: count)
                } else {
                    Rows.apply(epilogue.advanced(rows: pixel, stride: stride), to: source, into: target, rows: 1, width: count)
                }
            }
        }
    }

    private func forEachRun(_ pixels: Int, _ body: (Range<Int>) -> Void) {
        let run = 128
        Parallel.forEach((pixels + run - 1) / run) { piece, _ in body((piece * run)..<min(pixels, (piece + 1) * run)) }
    }

    /// The weights of a group, padded in `memory` if necessary.
    private func weights(_ W: UnsafePointer<Float>, _ group: Int, in memory: UnsafeMutablePointer<Float>) -> UnsafePointer<Float> {
        let own = W + group * outputs * patch
        guard isFilled else { return own }
        memory.update(repeating: 0, count: dense.weightCount)
        for row in 0..<(outputs * window.R * window.S) { Rows.copy(own + row * inputs, to: memory + row * C, count: inputs) }
        return UnsafePointer(memory)
    }

    private func forEachChunk(_ N: Int, _ body: (_ first: Int, _ count: Int) -> Void) {
        let most = images(N)
        for first in Swift.stride(from: 0, to: N, by: most) { body(first, min(most, N - first)) }
    }

    // MARK: Forward

    var packedCount: Int { groups * dense.packedCount }

    func pack(_ W: UnsafePointer<Float>, into packed: UnsafeMutablePointer<Float>) {
        let memory = FloatBuffer(isFilled ? dense.weightCount : 0)
        withExtendedLifetime(memory) { for group in 0..<groups { dense.pack(weights(W, group, in: memory.pointer), into: packed + group * dense.packedCount) } }
    }

    func forward(y: UnsafeMutablePointer<Float>, x: UnsafePointer<Float>, packed: UnsafePointer<Float>, N: Int, _ epilogue: Epilogue, scratch: Scratch) {
        let memory = memory(N, behind: 0), shared = scratch.shared
        for group in 0..<groups {
            forEachChunk(N) { first, count in
                convolve(y: y, x: x, group, first, count, memory, epilogue, shared) {
                    dense.forward(y: shared + memory.y, x: shared + memory.x, packed: packed + group * dense.packedCount, N: count, scratch: scratch)
                }
            }
        }
    }

    func forward(y: UnsafeMutablePointer<Float>, x: UnsafePointer<Float>, W: UnsafePointer<Float>, N: Int, scratch: Scratch) {
        let memory = memory(N, behind: dense.scratch(N: images(N)).shared), shared = scratch.shared, isCut = images(N) < N
        for group in 0..<groups {
            let W = weights(W, group, in: shared + memory.W)
            if isCut { dense.pack(W, into: shared + memory.packed) }
            forEachChunk(N) { first, count in
                convolve(y: y, x: x, group, first, count, memory, .store, shared) {
                    if isCut {
                        dense.forward(y: shared + memory.y, x: shared + memory.x, packed: shared + memory.packed, N: count, scratch: scratch)
                    } else {
                        dense.forward(y: shared + memory.y, x: shared + memory.x, W: W, N: count, scratch: scratch)
                    }
                }
            }
        }
    }

    /// Copies x, lets `body` convolve it, and stores the result.
    private func convolve(
        y: UnsafeMutablePointer<Float>, x: UnsafePointer<Float>, _ group: Int, _ first: Int, _ count: Int, _ memory: Memory, _ epilogue: Epilogue,
        _ shared: UnsafeMutablePointer<Float>, _ body: () -> Void
    ) {
        let pixels = window.H * window.W, firstOutput = first * window.outputPixels
        gather(x + first * pixels * window.C + group * inputs, stride: window.C, count: inputs, pixels: count * pixels, into: shared + memory.x, stride: C)
        body()
        scatter(
            shared + memory.y, stride: dense.K, count: outputs, pixels: count * window.outputPixels, into: y + firstOutput * K + group * outputs, stride: K,
            epilogue.advanced(rows: firstOutput, stride: K).advanced(columns: group * outputs))
    }

    // MARK: Backward

    /// Adds to dx or sets it.
    func backwardData(dx: UnsafeMutablePointer<Float>, adding: Bool, dy: UnsafePointer<Float>, W: UnsafePointer<Float>, N: Int, scratch: Scratch) {
        let memory = memory(N, behind: dense.scratch(N: images(N)).shared), shared = scratch.shared, pixels = window.H * window.W
        for group in 0..<groups {
            let W = weights(W, group, in: shared + memory.W)
            forEachChunk(N) { first, count in
                gatherGradient(dy, group, first, count, into: shared + memory.y)
                dense.backwardData(dx: shared + memory.x, adding: false, dy: shared + memory.y, W: W, N: count, scratch: scratch)
                scatter(
                    shared + memory.x, stride: C, count: inputs, pixels: count * pixels, into: dx + first * pixels * window.C + group * inputs, stride: window.C,
                    adding ? .accumulate : .store)
            }
        }
    }

    /// Adds to dW.
    func backwardWeights(dW: UnsafeMutablePointer<Float>, dy: UnsafePointer<Float>, x: UnsafePointer<Float>, N: Int, scratch: Scratch) {
        let memory = memory(N, behind: dense.scratch(N: images(N)).shared), shared = scratch.shared, pixels = window.H * window.W
        for group in 0..<groups {
            let own = dW + group * outputs * patch, sums = isFilled ? shared + memory.dW : own
            if isFilled { sums.update(repeating: 0, count: dense.weightCount) }
            forEachChunk(N) { first, count in
                gather(x + first * pixels * window.C + group * inputs, stride: window.C, count: inputs, pixels: count * pixels, into: shared + memory.x, stride: C)
                gatherGradient(dy, group, first, count, into: shared + memory.y)
                dense.backwardWeights(dW: sums, dy: shared + memory.y, x: shared + memory.x, N: count, scratch: scratch)
            }
            guard isFilled else { continue }
            for row in 0..<(outputs * window.R * window.S) { Rows.add(sums + row * C, to: own + row * inputs, count: inputs) }
        }
    }

    private func gatherGradient(_ dy: UnsafePointer<Float>, _ group: Int, _ first: Int, _ count: Int, into copy: UnsafeMutablePointer<Float>) {
        gather(
            dy + first * window.outputPixels * K + group * outputs, stride: K, count: outputs, pixels: count * window.outputPixels, into: copy, stride: dense.K)
    }
}
