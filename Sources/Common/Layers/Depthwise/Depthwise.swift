import CProcessor
public import Kernels
import Parallel

/// A convolution with a separate window for every channel: `y[n, o, c] = Σ W[r, s, c] · x[n, o·stride + (r, s) −
/// padding, c]`.
///
/// | array | shape           |                                                              |
/// |-------|-----------------|--------------------------------------------------------------|
/// | x     | (N, H, W, C)    |                                                              |
/// | W     | (R, S, C)       | PyTorch's (C, 1, R, S) with the channels innermost           |
/// | y     | (N, H', W', C)  | H' = (H + 2·padding − R) / stride + 1                        |
///
/// It processes sixteen channels at a time. Wide images are read in place (`Depthwise+InPlace.swift`). Otherwise the
/// rows that a window spans are first copied into scratch memory, in blocks of sixteen channels with zeros around them.
/// So no pixel needs a border test, every load is aligned, and a row is read from main memory once. Each step then
/// computes several neighbouring outputs, whose sums stay in registers.
public struct Depthwise: Sendable {
    public let window: Window

    public init(window: Window) { self.window = window }

    /// The number of floats of the weights or their gradient.
    public var weightCount: Int { window.R * window.S * window.C }

    // MARK: How the work is cut

    private static let lanes = 16
    /// The number of floats of padded rows in one piece of work: they stay in a core's private cache.
    private static let budget = 65536
    /// The least number of blocks copied together: shorter runs of channels are read from main memory at a quarter of
    /// its speed.
    private static let leastBlocks = 16

    private var blocks: Int { (window.C + 15) / 16 }
    private var taps: Int { window.R * window.S }

    /// The shape of the padded input rows. Outputs are rounded up to whole steps, so the last step may read further.
    private var inputRows: PaddedRows.Shape {
        PaddedRows.Shape(
            height: window.H, width: window.W, C: window.C, window: window.R, before: window.padding,
            columns: window.stride * (Self.rounded(window.outW) - 1) + window.S)
    }

    /// The number of outputs, besides the nearest, that reach an input pixel from above.
    private var far: Int { (window.R - 1) / window.stride }

    /// The shape of the padded rows of the output's gradient.
    private var gradientRows: PaddedRows.Shape {
        PaddedRows.Shape(
            height: window.outH, width: window.outW, C: window.C, window: far + 1, before: far,
            columns: far + window.padding / window.stride + 2 + Self.rounded((window.W + window.stride - 1) / window.stride))
    }

    private static func rounded(_ count: Int) -> Int { (count + 7) / 8 * 8 }

    /// The number of blocks of sixteen channels in one piece of work, for padded rows of `rows` floats.
    private func blocksAtOnce(_ rows: Int, parts: Int) -> Int {
        let fitting = max(Self.leastBlocks, Self.budget / rows)
        // With few images, use more pieces.
        return min(blocks, parts < 8 ? min(fitting, max(1, blocks * parts / 16)) : fitting)
    }

    /// Calls `body(image, blocks, worker)` for ranges of blocks.
    private func forEach(_ N: Int, blocksAtOnce: Int, _ scratch: Scratch, _ body: (Int, Range<Int>, Int) -> Void) {
        let groups = (blocks + blocksAtOnce - 1) / blocksAtOnce
        Parallel.forEach(N * groups, workers: scratch.workers) { piece, worker in
            body(piece / groups, Parallel.part(piece % groups, of: groups, in: blocks), worker)
        }
    }

    /// Scratch for all passes on a batch of N.
    public func scratch(N: Int) -> Scratch.Need {
        let both = inputRows.floats + gradientRows.floats
        let backward = Self.spare + blocksAtOnce(both, parts: parts(N)) * (both + taps * Self.lanes)
        return Scratch.Need(worker: max(backward, inferenceScratch(N: N).worker), shared: parts(N) * partialCount)
    }

    /// Scratch for the forward pass on up to N images.
    public func inferenceScratch(N: Int) -> Scratch.Need {
        let one = inputRows.floats
        return Scratch.Need(worker: max(inPlaceScratch, Self.spare + blocksAtOnce(one, parts: 8) * (one + taps * Self.lanes)))
    }

    /// Space for results that ``correlate`` cannot store directly.
    private static let spare = 8 * lanes

    /// The number of partial sums of the weights' gradient, and the floats in each.
    private func parts(_ N: Int) -> Int { min(N, 16) }
    private var partialCount: Int { taps * blocks * Self.lanes }

    // MARK: Forward

    /// Sets y. With a bias it also applies y = activation(y + b) while the rows are in the cache.
    public func forward(
        y: UnsafeMutablePointer<Float>, x: UnsafePointer<Float>, normalized: NormalizedInput? = nil, W: UnsafePointer<Float>, N: Int,
        bias: UnsafePointer<Float>? = nil, _ activation: Activation = .none, scratch: Scratch
    ) {
        if normalized == nil, readsInPlace { return forwardInPlace(y: y, x: x, W: W, N: N, bias: bias, activation, scratch: scratch) }
        let shape = inputRows
        let (C, stride) = (window.C, window.stride)
        let nonTemporal = bias == nil && C % 16 == 0 && NonTemporalStore.pays(y, count: N * window.outputPixels * C)
        forEach(N, blocksAtOnce: blocksAtOnce(shape.floats, parts: N), scratch) { n, blocks, worker in
            let memory = scratch.pointer(worker)
            let weights = memory, rows = PaddedRows(shape, memory + blocks.count * taps * Self.lanes, blocks)
            pack(W, blocks, rows: Array(0..<window.R), columns: Array(0..<window.S), into: weights)
            rows.clear()
            var next = -window.padding
            for oy in 0..<window.outH {
                let first = oy * stride - window.padding
                while next < first + window.R {
                    rows.load(next, of: x + n * window.H * window.W * C, normalized)
                    next += 1
                }
                let out = y + (n * window.outH + oy) * window.outW * C
                for (index, block) in blocks.enumerated() {
                    correlate(
                        out + block * 16, step: C, count: window.outW, channels: min(16, C - block * 16), adding: false, nonTemporal: nonTemporal, rows, index,
                        row: first, column: 0, stride: stride, R: window.R, S: window.S, weights + index * taps * Self.lanes, spare: rows.end)
                }
                guard let bias else { continue }
                let c = blocks.lowerBound * 16, width = min(C, blocks.upperBound * 16) - c
                let epilogue = Epilogue(bias: bias + c, activation: activation), own = out + c
                if width == C {
                    Rows.apply(epilogue, to: own, into: own, rows: window.outW, width: C)
                } else {
                    for ox in 0..<window.outW { Rows.apply(epilogue, to: own + ox * C, into: own + ox * C, rows: 1, width: width) }
                }
            }
        }
    }

    // MARK: Backward

    /// Adds to `dW`. Sets `dx` or adds to it, unless it is nil.
    ///
    ///     dx[n, i, c] = Σ W[r, s, c] · dy[n, (i + padding − (r, s)) / stride, c]      over (r, s) that leave no remainder
    ///     dW[r, s, c] = Σ dy[n, o, c] · x[n, o·stride + (r, s) − padding, c]
    ///
    /// Both are computed in one pass over dy. The pixels of dx fall into stride² classes by their remainder. Each class
    /// is a small convolution of dy with the taps that reach it, flipped.
    public func backward(
        dx: UnsafeMutablePointer<Float>?, adding: Bool, dW: UnsafeMutablePointer<Float>, dy: UnsafePointer<Float>,
        gradient: NormalizedGradient? = nil, x: UnsafePointer<Float>, normalized: NormalizedInput? = nil, W: UnsafePointer<Float>, N: Int,
        scratch: Scratch
    ) {
        let (C, stride, padding, taps) = (window.C, window.stride, window.padding, taps)
        let (inputShape, gradientShape) = (inputRows, gradientRows)
        let (parts, partialCount, partial) = (parts(N), partialCount, scratch.shared)
        let nonTemporal = dx.map { !adding && C % 16 == 0 && NonTemporalStore.pays($0, count: N * window.H * window.W * C) } ?? false
        forEach(parts, blocksAtOnce: blocksAtOnce(inputShape.floats + gradientShape.floats, parts: parts), scratch) { part, blocks, worker in
            let memory = scratch.pointer(worker)
            let weights = memory, sums = partial + part * partialCount + blocks.lowerBound * taps * Self.lanes
            let gradients = PaddedRows(gradientShape, weights + blocks.count * taps * Self.lanes, blocks)
            let inputs = PaddedRows(inputShape, gradients.end, blocks)
            // The weights of class (a, b) follow those of the classes before it.
            var classes: [(taps: Int, start: Int)] = []
            var start = 0
            for a in 0..<stride {
                for b in 0..<stride {
                    let (rows, columns) = (Self.meeting(a, stride, window.R), Self.meeting(b, stride, window.S))
                    pack(W, blocks, rows: rows, columns: columns, into: weights + start)
                    classes.append((rows.count * columns.count, start))
                    start += rows.count * columns.count * blocks.count * Self.lanes
                }
            }
            sums.update(repeating: 0, count: blocks.count * taps * Self.lanes)
            gradients.clear()
            inputs.clear()
            for n in Parallel.part(part, of: parts, in: N) {
                let first = dy, dy = dy + n * window.outputPixels * C, x = x + n * window.H * window.W * C
                var nextGradient = -gradientShape.before, nextInput = -padding
                func load(through last: Int) {
                    while nextGradient <= last {
                        let oy = nextGradient
                        gradients.load(oy, of: dy, gradient, from: first)
                        nextGradient += 1
                        guard oy >= 0, oy < window.outH else { continue }
                        while nextInput < oy * stride - padding + window.R {
                            inputs.load(nextInput, of: x, normalized)
                            nextInput += 1
                        }
                        for index in 0..<blocks.count {
                            accumulate(sums + index * taps * Self.lanes, gradients, inputs, index, row: oy)
                        }
                    }
                }
                if let dx {
                    for iy in 0..<window.H {
                        let a = (iy + padding) % stride, nearest = (iy + padding - a) / stride
                        load(through: nearest)
                        let R = Self.meeting(a, stride, window.R).count
                        for b in 0..<stride {
                            let first = (b + stride - padding % stride) % stride  // The first pixel of this class.
                            let S = Self.meeting(b, stride, window.S).count, count = (window.W - first + stride - 1) / stride
                            let own = classes[a * stride + b]
                            for (index, block) in blocks.enumerated() where count > 0 {
                                correlate(
                                    dx + ((n * window.H + iy) * window.W + first) * C + block * 16, step: stride * C, count: count,
                                    channels: min(16, C - block * 16), adding: adding, nonTemporal: nonTemporal, gradients, index, row: nearest - R + 1,
                                    column: (first + padding - b) / stride - S + 1 + gradientShape.before, stride: 1, R: R, S: S,
                                    weights + own.start + index * own.taps * Self.lanes, spare: inputs.end)
                            }
                        }
                    }
                }
                load(through: window.outH - 1)
            }
        }
        let count = blocks
        Parallel.forEach(count) { block, _ in
            for part in 0..<parts {
                let sums = partial + part * partialCount + block * taps * Self.lanes
                for tap in 0..<taps {
                    for c in 0..<min(16, C - block * 16) { dW[tap * C + block * 16 + c] += sums[tap * Self.lanes + c] }
                }
            }
        }
    }

    /// The taps of a window of `count` that reach an input pixel of remainder `a`, last first.
    private static func meeting(_ a: Int, _ stride: Int, _ count: Int) -> [Int] { Swift.stride(from: a, to: count, by: stride).reversed() }

    // MARK: The two loops

    /// Copies the weights of some rows and columns: for each block of channels (row, column, 16), with zeros past C.
    private func pack(_ W: UnsafePointer<Float>, _ blocks: Range<Int>, rows: [Int], columns: [Int], into packed: UnsafeMutablePointer<Float>) {
        var out = packed
        for block in blocks {
            for r in rows {
                for s in columns {
                    out.store(W.vector((r * window.S + s) * window.C + block * 16, lanes: min(16, window.C - block * 16)), 0)
                    out += 16
                }
            }
        }
    }

    /// Computes `count` outputs of one row and one block, `step` floats apart:
    ///
    ///     out[i] (+)= Σ W[r, s] · rows[row + r][column + i·stride + s]
    private func correlate(
        _ out: UnsafeMutablePointer<Float>, step: Int, count: Int, channels: Int, adding: Bool, nonTemporal: Bool, _ rows: PaddedRows,
        _ block: Int,
        row: Int, column: Int, stride: Int, R: Int, S: Int, _ weights: UnsafePointer<Float>, spare: UnsafeMutablePointer<Float>
    ) {
        @inline(__always)
        func inSteps<let T: Int>(of _: InlineArray<T, Vector>.Type, stride: Int) {
            var first = 0
            while first < count {
                var sums = InlineArray<T, Vector>(repeating: Vector(repeating: 0))
                var w = weights
                for r in 0..<R {
                    var x = rows.row(row &+ r, block) + (column &+ first &* stride) &* 16
                    for _ in 0..<S {
                        let weight = w.vector(0)
                        for t in 0..<T { sums[t] = sums[t].addingProduct(x.vector(t &* stride &* 16), weight) }
                        x += 16
                        w += 16
                    }
                }
                // Every index here is a constant, so that the sums stay in registers; partial results go through
                // memory.
                if first &+ T <= count, nonTemporal {
                    for t in 0..<T { seed_store_nontemporal(out + (first &+ t) &* step, sums[t]) }
                } else if first &+ T <= count, channels == 16, !adding {
                    for t in 0..<T { (out + (first &+ t) &* step).store(sums[t], 0) }
                } else {
                    for t in 0..<T { spare.store(sums[t], t &* 16) }
                    for t in 0..<min(T, count - first) {
                        let out = out + (first + t) * step
                        var sum = spare.vector(t * 16)
                        if adding { sum += out.vector(0, lanes: channels) }
                        out.store(sum, 0, lanes: channels)
                    }
                }
                first &+= T
            }
        }
        // 7 and 14 are the side lengths that 224-pixel images lead to.
        switch (stride, count % 8 != 0 && count % 7 == 0, count <= 4) {
        case (1, true, _): inSteps(of: InlineArray<7, Vector>.self, stride: 1)
        case (1, _, true): inSteps(of: InlineArray<4, Vector>.self, stride: 1)
        case (1, _, _): inSteps(of: InlineArray<8, Vector>.self, stride: 1)
        case (2, true, _): inSteps(of: InlineArray<7, Vector>.self, stride: 2)
        case (2, _, true): inSteps(of: InlineArray<4, Vector>.self, stride: 2)
        case (2, _, _): inSteps(of: InlineArray<8, Vector>.self, stride: 2)
        default: inSteps(of: InlineArray<4, Vector>.self, stride: stride)
        }
    }

    /// Adds the contribution of output row `row` of one block to `sums` (R, S, 16).
    private func accumulate(
        _ sums: UnsafeMutablePointer<Float>, _ gradients: PaddedRows, _ inputs: PaddedRows, _ block: Int, row: Int
    ) {
        let dy = gradients.row(row, block) + gradients.shape.before * 16
        let count = window.outW
        @inline(__always)
        func add<let T: Int>(_: InlineArray<T, Vector>.Type, row first: Int, column: Int, rows: Int, columns: Int, stride: Int) {
            var own = InlineArray<T, Vector>(repeating: Vector(repeating: 0))
            let top = row * stride - window.padding + first
            for o in 0..<count {
                let d = dy.vector(o &* 16)
                for r in 0..<rows {
                    let x = inputs.row(top &+ r, block) + (o &* stride &+ column) &* 16
                    for s in 0..<columns { own[r &* columns &+ s] = own[r &* columns &+ s].addingProduct(d, x.vector(s &* 16)) }
                }
            }
            for r in 0..<rows {
                for s in 0..<columns {
                    let pixel = ((first + r) * window.S + column + s) * 16
                    sums.store(sums.vector(pixel) + own[r * columns + s], pixel)
                }
            }
        }
        // As many sums as fit in registers.
        switch (window.R, window.S, window.stride) {
        case (3, 3, 1): add(InlineArray<9, Vector>.self, row: 0, column: 0, rows: 3, columns: 3, stride: 1)
        case (3, 3, 2): add(InlineArray<9, Vector>.self, row: 0, column: 0, rows: 3, columns: 3, stride: 2)
        case (5, 5, 1):
            add(InlineArray<10, Vector>.self, row: 0, column: 0, rows: 2, columns: 5, stride: 1)
            add(InlineArray<10, Vector>.self, row: 2, column: 0, rows: 2, columns: 5, stride: 1)
            add(InlineArray<5, Vector>.self, row: 4, column: 0, rows: 1, columns: 5, stride: 1)
        case (5, 5, 2):
            add(InlineArray<10, Vector>.self, row: 0, column: 0, rows: 2, columns: 5, stride: 2)
            add(InlineArray<10, Vector>.self, row: 2, column: 0, rows: 2, columns: 5, stride: 2)
            add(InlineArray<5, Vector>.self, row: 4, column: 0, rows: 1, columns: 5, stride: 2)
        default:
            for r in 0..<window.R {
                for s in 0..<window.S {
                    add(InlineArray<1, Vector>.self, row: r, column: s, rows: 1, columns: 1, stride: window.stride)
                }
            }
        }
    }
}
