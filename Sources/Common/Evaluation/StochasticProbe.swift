import Platform
import Randomness

/// A linear classifier trained by stochastic gradient descent, as in the papers.
///
/// The defaults are MoCo's linear evaluation (He et al. 2020): rate 30·B/256, batches of 256, momentum 0.9, no weight
/// decay, 100 epochs, the rate divided by ten at epochs 60 and 80, weights from N(0, 0.01²) and biases 0.
/// ``LinearProtocol`` has the settings of other papers. Features are either stored, or computed from fresh views in
/// each epoch, as in the papers; the protocol's name says which.
public struct StochasticProbe: Sendable {
    public enum Schedule: String, Sendable, CaseIterable {
        /// Multiplied by the factor at the milestones.
        case step
        /// end + (rate − end)·½(1 + cos(π·epoch/epochs)).
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
    /// The factor of the rate at each milestone.
    public var factor = 0.1
    /// The final rate of the cosine schedule, for a batch of 256.
    public var endRate = 0.0
    /// The number of epochs in which the rate rises in equal steps to its value.
    public var warmUp = 0
    public var seed: UInt64 = 0

    public init() {}

    /// The learning rate of an epoch.
    public func rate(epoch: Int) -> Double {
        var rate = learningRate * Double(batch) / 256
        switch schedule {
        case .step: for milestone in milestones where epoch >= milestone { rate *= factor }
        case .cosine:
            let end = endRate * Double(batch) / 256
            rate = end + (rate - end) * 0.5 * (1 + cos(Double.pi * Double(epoch) / Double(max(1, epochs))))
        }
        return epoch < warmUp ? rate * Double(epoch + 1) / Double(warmUp + 1) : rate
    }

    /// Initial weights, derived from the seed.
    public func initial(classes: Int, dimension: Int) -> LinearClassifier {
        let classifier = LinearClassifier(classes: classes, dimension: dimension)
        for c in 0..<classes {
            var random = CounterRandom(seed: seed, .probe, item: c)
            for d in 0..<dimension { classifier.weightStart[c * dimension + d] = Float(0.01 * random.normal()) }
        }
        return classifier
    }

    /// The order of the samples in an epoch.
    public func order(epoch: Int, samples: Int) -> [Int] {
        var random = CounterRandom(seed: seed, .probe, epoch: epoch + 1)
        return random.permutation(samples)
    }

    /// Trains `classifier` on stored features and updates its weights at the end.
    ///
    /// - Parameters:
    ///   - order: the samples of an epoch; derived from the seed by default.
    ///   - report: called after each epoch with its number, from 0, and its mean loss; returns false to stop the
    ///     training.
    /// - Returns: the mean loss of every epoch.
    @discardableResult
    public func train(
        _ classifier: LinearClassifier, on features: FeatureMatrix, labels: [Int32],
        order: ((Int) -> [Int])? = nil, report: (Int, Double) -> Bool = { _, _ in true }
    ) -> [Double] {
        let trainer = ProbeTrainer(classifier)
        var losses: [Double] = []
        train(trainer, on: features, labels: labels, order: order) { epoch, loss, _ in
            losses.append(loss)
            return report(epoch, loss)
        }
        classifier.update(from: trainer.classifier)
        return losses
    }

    /// Continues training from epoch `first`.
    ///
    /// - Parameter report: called after each epoch with its number, its mean loss and the fraction of samples that were
    ///   correct before their step; returns false to stop the training.
    func train(
        _ trainer: ProbeTrainer, on features: FeatureMatrix, labels: [Int32], from first: Int = 0, order: ((Int) -> [Int])? = nil,
        report: (Int, Double, Double) throws -> Bool
    ) rethrows {
        precondition(labels.count == features.samples)
        for epoch in first..<max(first, epochs) {
            let order = order?(epoch) ?? self.order(epoch: epoch, samples: features.samples), rate = rate(epoch: epoch)
            var (loss, correct) = (0.0, 0)
            for start in stride(from: 0, to: order.count, by: batch) {
                let rows = order[start..<min(order.count, start + batch)], step = trainer.step(features, rows, labels: labels, self, rate: rate)
                loss += step.loss
                correct += step.correct
            }
            let count = Double(max(1, order.count))
            guard try report(epoch, loss / count, Double(correct) / count) else { return }
        }
    }
}
