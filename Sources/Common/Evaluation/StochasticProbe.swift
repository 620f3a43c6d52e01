import Kernels
import Parallel
import Platform
import Randomness

/// A linear classifier trained by stochastic gradient descent, as the papers do it.
///
/// The defaults are MoCo's and SEED's linear evaluation (He et al. 2020; Fang et al. 2021): rate 30·B/256, batches of 256, momentum 0.9, no weight
/// decay, 100 epochs, a tenth of the rate from epochs 60 and 80 on, weights from N(0, 0.01²) and biases 0. One difference stays, and is
/// part of the protocol's name: the features are stored ones, where the papers augment every image anew in each epoch.
public struct StochasticProbe: Sendable {
    public enum Schedule: String, Sendable, CaseIterable {
        /// ×0.1 at the milestones.
        case step
        /// ½(1 + cos(π·epoch/epochs)).
        case cosine
    }

    /// The rate for a batch of 256.
    public var learningRate = 30.0
    public var batch = 256
    public var epochs = 100
    public var momentum = 0.9
    public var weightDecay = 0.0
    public var schedule = Schedule.step
    public var milestones = [60, 80]
    /// Epochs in which the rate rises in equal steps to its value.
    public var warmUp = 0
    public var seed: UInt64 = 0

    public init() {}

    /// The learning rate of an epoch.
    public func rate(epoch: Int) -> Double {
        var rate = learningRate * Double(batch) / 256
        switch schedule {
        case .step: for milestone in milestones where epoch >= milestone { rate *= 0.1 }
        case .cosine: rate *= 0.5 * (1 + cos(Double.pi * Double(epoch) / Double(max(1, epochs))))
        }
        return epoch < warmUp ? rate * Double(epoch + 1) / Double(warmUp + 1) : rate
    }

    /// Weights as the seed gives them.
    public func initial(classes: Int, dimension: Int) -> LinearClassifier {
        let classifier = LinearClassifier(classes: classes, dimension: dimension)
        for c in 0..<classes {
            var random = CounterRandom(seed: seed, .probe, item: c)
            for d in 0..<dimension { classifier.weightStart[c * dimension + d] = Float(0.01 * random.normal()) }
        }
        return classifier
    }

    /// The order in which an epoch takes the samples.
    public func order(epoch: Int, samples: Int) -> [Int] {
        var random = CounterRandom(seed: seed, .probe, epoch: epoch + 1)
        return random.permutation(samples)
    }

    /// Trains `classifier` in place.
    ///
    /// Each batch of N samples:
    ///
    ///     z = x·Wᵀ + b      dz = (softmax(z) − onehot(y))/N      dW = dzᵀ·x + wd·W      db = Σ dz + wd·b
    ///     v = momentum·v + dW      W −= rate·v
    ///
    /// The last batch of an epoch may be smaller. The work is cut by rows for z and by classes for dW: nothing depends on the threads.
    ///
    /// - Parameters:
    ///   - order: the samples of an epoch; from the seed where it is not given.
    ///   - report: told after each epoch its number, from 0, and its mean loss; false stops the training.
    /// - Returns: the mean loss of every epoch.
    @discardableResult
    public func train(
        _ classifier: LinearClassifier, on features: FeatureMatrix, labels: [Int32],
        order: ((Int) -> [Int])? = nil, report: (Int, Double) -> Bool = { _, _ in true }
    ) -> [Double] {
        let (samples, D, C) = (features.samples, features.dimension, classifier.classes)
        precondition(labels.count == samples && classifier.dimension == D)
        let x = FloatBuffer(batch * D)
        let z = FloatBuffer(batch * C)
        let velocity = FloatBuffer(C * (D + 1))
        let dW = FloatBuffer(C * D)
        var y = [Int32](repeating: 0, count: batch)
        var losses: [Double] = []
        let rowBlock = 64
        let classBlock = 32
        var rowLoss = [Double](repeating: 0, count: (batch + rowBlock - 1) / rowBlock)
        for epoch in 0..<epochs {
            let order = order?(epoch) ?? self.order(epoch: epoch, samples: samples)
            let rate = Float(rate(epoch: epoch))
            let (momentum, decay) = (Float(momentum), Float(weightDecay))
            var total = 0.0
            for first in stride(from: 0, to: order.count, by: batch) {
                let N = min(batch, order.count - first)
                for n in 0..<N {
                    (x.pointer + n * D).update(from: features.row(order[first + n]), count: D)
                    y[n] = labels[order[first + n]]
                }
                rowLoss.withUnsafeMutableBufferPointer { rowLoss in
                    y.withUnsafeBufferPointer { y in
                        nonisolated(unsafe) let (rowLoss, y) = (rowLoss, y)
                        Parallel.forEach((N + rowBlock - 1) / rowBlock) { piece, _ in
                            let start = piece * rowBlock
                            let rows = min(rowBlock, N - start)
                            let z = z.pointer + start * C
                            for n in 0..<rows { (z + n * C).update(from: classifier.biasStart, count: C) }
                            Matrix.multiply(
                                x.pointer + start * D, lda: D, classifier.weightStart, .transposed, ldb: D,
                                into: z, ldc: C, m: rows, n: C, k: D, beta: 1)
                            rowLoss[piece] = SoftmaxLoss.differentiate(z, rows: rows, classes: C, labels: y.baseAddress! + start, scale: 1 / Float(N))
                        }
                    }
                }
                total += rowLoss.prefix((N + rowBlock - 1) / rowBlock).reduce(0, +)
                Parallel.forEach((C + classBlock - 1) / classBlock) { piece, _ in
                    let start = piece * classBlock
                    let count = min(classBlock, C - start)
                    let gradient = dW.pointer + start * D
                    Matrix.multiply(z.pointer + start, .transposed, lda: C, x.pointer, ldb: D, into: gradient, ldc: D, m: count, n: D, k: N)
                    let W = classifier.weightStart + start * D
                    let v = velocity.pointer + start * D
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
            let loss = total / Double(max(1, order.count))
            losses.append(loss)
            guard report(epoch, loss) else { break }
        }
        return losses
    }
}
