public import Kernels
import Parallel

/// A fully connected layer: `y = x·Wᵀ + b`.
///
/// | array | shape  |                       |
/// |-------|--------|-----------------------|
/// | x     | (N, I) | one row per example   |
/// | W     | (O, I) | one row per output    |
/// | b     | (O)    | optional              |
/// | y     | (N, O) |                       |
public struct Linear: Sendable {
    public let I, O: Int

    public init(I: Int, O: Int) {
        self.I = I
        self.O = O
    }

    /// The most outputs (or inputs) in one piece of work. The number of pieces is even, so that two threads get equal
    /// shares.
    private static let block = 128

    private static func forEachBlock(_ count: Int, _ body: (Range<Int>) -> Void) {
        let blocks = count < 32 ? 1 : (count + 2 * block - 1) / (2 * block) * 2
        Parallel.forEach(blocks) { piece, _ in body(Parallel.part(piece, of: blocks, in: count)) }
    }

    /// Sets y, with the activation applied.
    public func forward(
        y: UnsafeMutablePointer<Float>, x: UnsafePointer<Float>, W: UnsafePointer<Float>, b: UnsafePointer<Float>?, N: Int,
        _ activation: Activation = .none
    ) {
        Self.forEachBlock(O) { o in
            let out = y + o.lowerBound
            Matrix.multiply(x, lda: I, W + o.lowerBound * I, .transposed, ldb: I, into: out, ldc: O, m: N, n: o.count, k: I)
            guard b != nil || activation != .none else { return }
            let epilogue = Epilogue(bias: b.map { $0 + o.lowerBound }, activation: activation)
            for n in 0..<N { Rows.apply(epilogue, to: out + n * O, into: out + n * O, rows: 1, width: o.count) }
        }
    }

    /// Adds to `dW` and `db`. Sets `dx` or adds to it, unless it is nil.
    ///
    /// From y = x·Wᵀ + b:
    ///
    ///     dx = dy·W        dW = dyᵀ·x        db = Σₙ dy[n]
    public func backward(
        dx: UnsafeMutablePointer<Float>?, adding: Bool, dW: UnsafeMutablePointer<Float>, db: UnsafeMutablePointer<Float>?,
        dy: UnsafePointer<Float>, x: UnsafePointer<Float>, W: UnsafePointer<Float>, N: Int
    ) {
        Self.forEachBlock(O) { o in
            Matrix.multiply(
                dy + o.lowerBound, .transposed, lda: O, x, ldb: I, into: dW + o.lowerBound * I, ldc: I, m: o.count, n: I, k: N, beta: 1)
            guard let db else { return }
            for n in 0..<N { Rows.add(dy + n * O + o.lowerBound, to: db + o.lowerBound, count: o.count) }
        }
        guard let dx else { return }
        Self.forEachBlock(I) { i in
            Matrix.multiply(
                dy, lda: O, W + i.lowerBound, ldb: I, into: dx + i.lowerBound, ldc: I, m: N, n: i.count, k: O, beta: adding ? 1 : 0)
        }
    }
}

/// The same layer for inference, with W packed once.
///
/// The bits of a row do not depend on the number of rows in a call, so that parts of a batch give the same results as
/// the whole batch.
public struct PackedLinear: Sendable {
    public let I, O: Int
    private let packed, bias: FloatBuffer
    private let panels: Panels

    /// - Parameters:
    ///   - W: (O, I), as in ``Linear``.
    ///   - b: (O), as in ``Linear``.
    public init(I: Int, O: Int, W: UnsafePointer<Float>, b: UnsafePointer<Float>?) {
        (self.I, self.O) = (I, O)
        let panels = Panels(k: I, n: O), packed = FloatBuffer(panels.floats)
        for index in 0..<panels.count { panels.pack(index, of: W, .transposed, ldb: I, into: packed.pointer) }
        (self.panels, self.packed) = (panels, packed)
        bias = FloatBuffer((O + 15) / 16 * 16)
        if let b { bias.pointer.update(from: b, count: O) }
    }

    /// The number of floats that the layer stores.
    public var floats: Int { packed.count + bias.count }

    /// Sets y (N, O) from x (N, I).
    public func forward(y: UnsafeMutablePointer<Float>, x: UnsafePointer<Float>, N: Int) {
        let pieces = (panels.count + 3) / 4
        Parallel.forEach(pieces) { piece, _ in
            let own = Parallel.part(piece, of: pieces, in: panels.count)
            let first = own.lowerBound * Panels.width, columns = min(O, own.upperBound * Panels.width) - first
            GEMM.multiply(
                x, lda: I, m: N, packed.pointer + panels.offset(own.lowerBound), Panels(k: I, n: columns), into: y + first, ldc: O,
                epilogue: Epilogue(bias: bias.pointer + first))
        }
    }
}
