import Kernels
import Parallel

/// A linear classifier while SGD trains it.
///
/// Each batch of N samples:
///
///     z = x·Wᵀ + b      dz = (softmax(z) − onehot(y))/N      dW = dzᵀ·x + wd·W      db = Σ dz + wd·b
///     v = momentum·v + dW      W −= rate·v
///
/// The work is cut by rows for z and by classes for dW: nothing depends on the threads.
final class ProbeTrainer {
    let classifier: LinearClassifier
    /// Of W (classes, dimension), then of b (classes).
    let velocity: FloatBuffer
    /// Of the largest batch so far: x (N, dimension), z (N, classes), y (N).
    private var x = FloatBuffer(0), z = FloatBuffer(0), y: [Int32] = []
    private let dW: FloatBuffer
    private static let rowBlock = 64, classBlock = 32

    init(_ classifier: LinearClassifier) {
        self.classifier = classifier
        velocity = FloatBuffer(classifier.parameters.count)
        dW = FloatBuffer(classifier.classes * classifier.dimension)
    }

    /// Moves the weights by a batch.
    ///
    /// - Parameters:
    ///   - rows: of `features`, the samples of the batch.
    ///   - labels: of all samples of `features`, in 0..<classes.
    /// - Returns: the sum of the samples' losses, and how many the classifier had right before it moved.
    func step(_ features: FeatureMatrix, _ rows: ArraySlice<Int>, labels: [Int32], _ probe: StochasticProbe, rate: Double) -> (loss: Double, correct: Int) {
        let (N, D, C) = (rows.count, classifier.dimension, classifier.classes)
        precondition(features.dimension == D && features.samples == labels.count)
        if N > y.count { (x, z, y) = (FloatBuffer(N * D), FloatBuffer(N * C), [Int32](repeating: 0, count: N)) }
        for (n, row) in rows.enumerated() {
            (x.pointer + n * D).update(from: features.row(row), count: D)
            y[n] = labels[row]
        }
        let outcome = differentiate(N)
        move(N, rate: Float(rate), momentum: Float(probe.momentum), decay: Float(probe.weightDecay))
        return outcome
    }

    /// Sets z to dz.
    private func differentiate(_ N: Int) -> (loss: Double, correct: Int) {
        let (D, C, block) = (classifier.dimension, classifier.classes, Self.rowBlock), pieces = (N + block - 1) / block
        let (x, z, classifier) = (x, z, classifier)
        var partial = [(loss: Double, correct: Int)](repeating: (0, 0), count: pieces)
        partial.withUnsafeMutableBufferPointer { partial in
            y.withUnsafeBufferPointer { y in
                nonisolated(unsafe) let (partial, y) = (partial, y)
                Parallel.forEach(pieces) { piece, _ in
                    let start = piece * block, rows = min(block, N - start), z = z.pointer + start * C
                    for n in 0..<rows { (z + n * C).update(from: classifier.biasStart, count: C) }
                    Matrix.multiply(
                        x.pointer + start * D, lda: D, classifier.weightStart, .transposed, ldb: D,
                        into: z, ldc: C, m: rows, n: C, k: D, beta: 1)
                    guard let labels = y.baseAddress.map({ $0 + start }) else { return }
                    for n in 0..<rows {
                        let own = z[n * C + Int(labels[n])]
                        if !(0..<C).contains(where: { z[n * C + $0] > own || z[n * C + $0] == own && $0 < Int(labels[n]) }) { partial[piece].correct += 1 }
                    }
                    partial[piece].loss = SoftmaxLoss.differentiate(z, rows: rows, classes: C, labels: labels, scale: 1 / Float(N))
                }
            }
        }
        return partial.reduce((0, 0)) { ($0.0 + $1.loss, $0.1 + $1.correct) }
    }

    private func move(_ N: Int, rate: Float, momentum: Float, decay: Float) {
        let (D, C, block) = (classifier.dimension, classifier.classes, Self.classBlock)
        let (x, z, dW, velocity, classifier) = (x, z, dW, velocity, classifier)
        Parallel.forEach((C + block - 1) / block) { piece, _ in
            let start = piece * block, count = min(block, C - start), gradient = dW.pointer + start * D
            Matrix.multiply(z.pointer + start, .transposed, lda: C, x.pointer, ldb: D, into: gradient, ldc: D, m: count, n: D, k: N)
            let W = classifier.weightStart + start * D, v = velocity.pointer + start * D
            for i in 0..<count * D {
                v[i] = momentum * v[i] + (gradient[i] + decay * W[i])
                W[i] -= rate * v[i]
            }
            for c in start..<start + count {
                var db: Float = 0
                for n in 0..<N { db += z.pointer[n * C + c] }
                let v = velocity.pointer + C * D + c
                v.pointee = momentum * v.pointee + (db + decay * classifier.biasStart[c])
                classifier.biasStart[c] -= rate * v.pointee
            }
        }
    }
}
