import Kernels
import Parallel

/// A linear classifier during SGD training.
///
/// For each batch of N samples:
///
///     z = x·Wᵀ + b      dz = (softmax(z) − onehot(y))/N      dW = dzᵀ·x + wd·W      db = Σ dz + wd·b
///     v = momentum·v + dW      W −= rate·v
///
/// Wᵀ (dimension, classes) and its velocity stay packed in ``Panels`` from batch to batch. The product for z reads this
/// layout, and dWᵀ = xᵀ·dz is written in it, a panel of classes at a time. The work is split by panels for z and dW, so
/// that each core keeps its weights in its own caches, and by rows for the softmax. Nothing depends on the number of
/// threads.
final class ProbeTrainer {
    let classes: Int
    let dimension: Int
    private let panels: Panels
    private let W: FloatBuffer, velocityOfW: FloatBuffer
    private let b: FloatBuffer, velocityOfB: FloatBuffer
    /// Sized for the largest batch so far: x (N, dimension), z (N, classes), y (N). Rows of z are padded with zeros to
    /// whole panels.
    private var x = FloatBuffer(0), z = FloatBuffer(0), y: [Int32] = []
    private let xStride: Int, zStride: Int
    /// A panel of dW for each worker.
    private var scratch = FloatBuffer(0)
    private static let rowBlock = 32

    /// - Parameter velocity: for W (classes, dimension), then for b (classes); zeros by default.
    init(_ classifier: LinearClassifier, velocity: [Float]? = nil) {
        (classes, dimension) = (classifier.classes, classifier.dimension)
        panels = Panels(k: dimension, n: classes)
        (W, velocityOfW) = (FloatBuffer(panels.floats), FloatBuffer(panels.floats))
        (b, velocityOfB) = (FloatBuffer(classes), FloatBuffer(classes))
        (xStride, zStride) = (RowStride.padded(dimension), RowStride.padded(classes))
        pack(classifier.weightStart, classifier.biasStart, into: W, b)
        velocity?.withUnsafeBufferPointer {
            precondition($0.count == classes * dimension + classes)
            if let base = $0.baseAddress { pack(base, base + classes * dimension, into: velocityOfW, velocityOfB) }
        }
    }

    private func pack(_ weights: UnsafePointer<Float>, _ biases: UnsafePointer<Float>, into packed: FloatBuffer, _ own: FloatBuffer) {
        for panel in 0..<panels.count { panels.pack(panel, of: weights, .transposed, ldb: dimension, into: packed.pointer) }
        own.pointer.update(from: biases, count: classes)
    }

    /// Unpacks to W (classes, dimension), then b (classes).
    private func unpacked(_ packed: FloatBuffer, _ own: FloatBuffer) -> LinearClassifier {
        let classifier = LinearClassifier(classes: classes, dimension: dimension)
        for panel in 0..<panels.count { panels.unpack(panel, of: packed.pointer, .transposed, into: classifier.weightStart, ldb: dimension) }
        classifier.biasStart.update(from: own.pointer, count: classes)
        return classifier
    }

    /// The current classifier.
    var classifier: LinearClassifier { unpacked(W, b) }
    /// The velocity of W (classes, dimension), then of b (classes).
    var velocity: [Float] {
        let both = unpacked(velocityOfW, velocityOfB)
        return both.weights + both.biases
    }

    /// Updates the weights with a batch.
    ///
    /// - Parameters:
    ///   - rows: the rows of `features` that form the batch.
    ///   - labels: for all samples of `features`, in 0..<classes.
    /// - Returns: the sum of the samples' losses, and how many were correct before the update.
    func step(_ features: FeatureMatrix, _ rows: ArraySlice<Int>, labels: [Int32], _ probe: StochasticProbe, rate: Double) -> (loss: Double, correct: Int) {
        let N = rows.count
        precondition(features.dimension == dimension && features.samples == labels.count)
        if N > y.count { (x, z, y) = (FloatBuffer(N * xStride), FloatBuffer(N * zStride), [Int32](repeating: 0, count: N)) }
        for (n, row) in rows.enumerated() { y[n] = labels[row] }
        forward(features, rows)
        let outcome = differentiate(N)
        move(N, rate: Float(rate), momentum: Float(probe.momentum), decay: Float(probe.weightDecay))
        return outcome
    }

    /// Copies the rows to x and computes z.
    private func forward(_ features: FeatureMatrix, _ rows: ArraySlice<Int>) {
        let (N, D, block, panels, xStride, zStride) = (rows.count, dimension, Self.rowBlock, panels, xStride, zStride)
        let (x, z, W, b) = (x.pointer, z.pointer, W.pointer, b.pointer)
        Parallel.forEach((N + block - 1) / block) { piece, _ in
            for n in piece * block..<min(N, (piece + 1) * block) { Rows.copy(features.row(rows[rows.startIndex + n]), to: x + n * xStride, count: D) }
        }
        Parallel.forEach(panels.count) { panel, _ in
            let columns = panels.columns(panel)
            GEMM.multiply(
                x, lda: xStride, m: N, W + panels.offset(panel), Panels(k: D, n: columns.count), into: z + columns.lowerBound, ldc: zStride,
                epilogue: Epilogue(bias: b + columns.lowerBound))
        }
    }

    /// Replaces z by dz.
    private func differentiate(_ N: Int) -> (loss: Double, correct: Int) {
        let (C, block, z, zStride) = (classes, Self.rowBlock, z.pointer, zStride), pieces = (N + block - 1) / block
        var partial = [(loss: Double, correct: Int)](repeating: (0, 0), count: pieces)
        partial.withUnsafeMutableBufferPointer { partial in
            y.withUnsafeBufferPointer { y in
                nonisolated(unsafe) let (partial, y) = (partial, y)
                Parallel.forEach(pieces) { piece, _ in
                    let start = piece * block, count = min(block, N - start)
                    guard let labels = y.baseAddress.map({ $0 + start }) else { return }
                    partial[piece] = SoftmaxLoss.differentiate(z + start * zStride, rows: count, classes: C, stride: zStride, labels: labels, scale: 1 / Float(N))
                }
            }
        }
        return partial.reduce((0, 0)) { ($0.0 + $1.loss, $0.1 + $1.correct) }
    }

    private func move(_ N: Int, rate: Float, momentum: Float, decay: Float) {
        let (D, panels, xStride, zStride, workers) = (dimension, panels, xStride, zStride, Parallel.threads)
        if scratch.count < workers * D * Panels.width { scratch = FloatBuffer(workers * D * Panels.width) }
        let (x, z, W, v, b, vb) = (x.pointer, z.pointer, W.pointer, velocityOfW.pointer, b.pointer, velocityOfB.pointer)
        let gradients = scratch.pointer
        Parallel.forEach(panels.count, workers: workers) { panel, worker in
            let columns = panels.columns(panel), dW = gradients + worker * D * Panels.width, first = panels.offset(panel), count = D * panels.stride(panel)
            // The padding columns of the last panel are zeros in z, and so stay zero in W.
            GEMM.multiplyTransposed(
                x, lda: xStride, m: D, z + columns.lowerBound, ldb: zStride, n: panels.stride(panel), k: N, into: dW, ldc: panels.stride(panel))
            Self.descend(W + first, v + first, dW, count: count, rate: rate, momentum: momentum, decay: decay)
            Self.sumRows(z + columns.lowerBound, stride: zStride, rows: N, columns: columns.count, into: dW)
            Self.descend(b + columns.lowerBound, vb + columns.lowerBound, dW, count: columns.count, rate: rate, momentum: momentum, decay: decay)
        }
    }

    /// v = momentum·v + g + decay·w, flushed to 0 where it is tiny; then w −= rate·v. Without the flush, values would
    /// decay to denormals and stay there, and arithmetic with denormals is many times slower.
    private static func descend(
        _ w: UnsafeMutablePointer<Float>, _ v: UnsafeMutablePointer<Float>, _ g: UnsafePointer<Float>, count: Int, rate: Float, momentum: Float, decay: Float
    ) {
        let smallest: Float = 1e-30
        var i = 0
        while i + 16 <= count {
            // Loads come before all stores: a load waits for a store at an offset of 4 KB, which may occur between the
            // buffers.
            let (old, weight, gradient) = (v.vector(i), w.vector(i), g.vector(i))
            var moved = old * momentum + (gradient + weight * decay)
            moved.replace(with: 0, where: (moved .< smallest) .& (moved .> -smallest))
            v.store(moved, i)
            w.store(weight - moved * rate, i)
            i += 16
        }
        while i < count {
            let moved = momentum * v[i] + (g[i] + decay * w[i])
            v[i] = abs(moved) < smallest ? 0 : moved
            w[i] -= rate * v[i]
            i += 1
        }
    }

    /// Sums of the columns (at most a panel), in row order.
    private static func sumRows(_ z: UnsafePointer<Float>, stride: Int, rows: Int, columns: Int, into sums: UnsafeMutablePointer<Float>) {
        sums.update(repeating: 0, count: columns)
        for n in 0..<rows { for c in 0..<columns { sums[c] += z[n * stride + c] } }
    }
}
