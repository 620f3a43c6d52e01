import Evaluation
import Randomness
import TestSupport
import Testing

struct LogisticRegressionTests {
    /// The golden sets, scaled.
    private func sets(_ golden: Golden) throws -> (train: FeatureMatrix, test: FeatureMatrix) {
        let (train, test) = (try golden.matrix("convex.train"), try golden.matrix("convex.test"))
        FeatureScaling.standard.apply(train: train, test: test)
        return (train, test)
    }

    @Test func `standard features are scikit-learn's, and a dimension that never changes becomes zero`() throws {
        let golden = try Golden.evaluation()
        let scaled = try sets(golden).test.values
        #expect(difference(scaled, try golden.floats("convex.scaled_test")) < 1e-5)
        #expect(stride(from: 4, to: scaled.count, by: 13).allSatisfy { scaled[$0] == 0 })
    }

    @Test(arguments: 0..<3)
    func `finds scikit-learn's optimum`(number: Int) throws {
        let golden = try Golden.evaluation()
        let (train, test) = try sets(golden)
        let penalty = try golden.doubles("convex.penalties")[number]
        let fit = LogisticRegression(penalty: penalty, tolerance: 1e-6).fit(train, labels: try golden.labels("convex.train_labels"), classes: 6)
        let objective = try golden.doubles("convex.\(number).objective")[0]
        #expect(abs(fit.objective - objective) < 1e-6 * objective, "\(fit.objective) against \(objective) after \(fit.iterations)")
        #expect(difference(fit.classifier.weights, try golden.floats("convex.\(number).weights")) < 2e-3)
        #expect(difference(fit.classifier.biases, try golden.floats("convex.\(number).biases")) < 2e-3)
        let result = fit.classifier.accuracy(test, labels: try golden.labels("convex.test_labels"))
        #expect(abs(result.top1 - (try golden.integers("convex.\(number).correct")[0])) <= 1)
        #expect(result.samples == 203)
    }

    @Test func `a start elsewhere ends at the same optimum`() throws {
        let golden = try Golden.evaluation()
        let (train, _) = try sets(golden)
        let labels = try golden.labels("convex.train_labels")
        let far = LogisticRegression(penalty: 1e-4, tolerance: 1e-5).fit(train, labels: labels, classes: 6)
        let near = LogisticRegression(penalty: 1e-2, tolerance: 1e-5).fit(train, labels: labels, classes: 6, from: far.classifier)
        #expect(near.converged)
        #expect(difference(near.classifier.weights, try golden.floats("convex.1.weights")) < 2e-3)
    }

    @Test func `takes few steps where features are strongly correlated`() {
        // Each dimension is the previous one plus a small part of its own; the label follows a small difference of two.
        // There are more dimensions than one panel of the factorisation holds.
        let (N, D) = (900, 70)
        var random = CounterRandom(seed: 5, .test)
        var values: [Float] = []
        var labels: [Int32] = []
        for _ in 0..<N {
            var row = [random.normal()]
            for _ in 1..<D { row.append(0.98 * row[row.count - 1] + 0.2 * random.normal()) }
            let score = 6 * (row[60] - row[57]) + random.normal()
            labels.append(score > 0.7 ? 2 : score > -0.7 ? 1 : 0)
            values += row.map { Float($0) }
        }
        let features = FeatureMatrix(values, samples: N, dimension: D)
        let fit = LogisticRegression(penalty: 1e-3, tolerance: 1e-4).fit(features, labels: labels, classes: 3)
        // With the identity as first guess it takes 219.
        #expect(fit.converged && fit.iterations <= 45, "\(fit.iterations) steps")
        let elsewhere = LogisticRegression(penalty: 1e-1).fit(features, labels: labels, classes: 3).classifier
        let again = LogisticRegression(penalty: 1e-3, tolerance: 1e-5).fit(features, labels: labels, classes: 3, from: elsewhere)
        #expect(abs(again.objective - fit.objective) < 1e-5 * fit.objective)
    }

    @Test func `a single class and a feature that says nothing end at once`() {
        let features = FeatureMatrix([0, 0, 0, 0, 0, 0], samples: 3, dimension: 2)
        let one = LogisticRegression(penalty: 1e-3).fit(features, labels: [0, 0, 0], classes: 1)
        #expect(one.converged && one.objective == 0)
        let two = LogisticRegression(penalty: 1e-3).fit(features, labels: [0, 1, 1], classes: 2)
        // Only the biases are left: the entropy of 1/3.
        #expect(two.converged && abs(two.objective - 0.636514168294813) < 1e-5)
    }

    @Test func `ranks the classes by their logits`() {
        // Logits of the three samples: their own values, six classes.
        let identity = (0..<36).map { Float($0 / 6 == $0 % 6 ? 1 : 0) }
        let classifier = LinearClassifier(weights: identity, biases: [0, 0, 0, 0, 0, 0.5], dimension: 6)
        let samples = FeatureMatrix([9, 8, 7, 6, 5, 4, 1, 2, 3, 4, 5, 6, 1, 1, 0, 0, 0, 0], samples: 3, dimension: 6)
        #expect(classifier.accuracy(samples, labels: [5, 5, 0]) == Accuracy(top1: 2, top5: 2, samples: 3))
        #expect(classifier.accuracy(samples, labels: [4, 0, 1]) == Accuracy(top1: 0, top5: 2, samples: 3))
    }
}

struct ConvexProbeTests {
    @Test func `each fifth image of a class is held out, with all its views`() {
        // Class 0 has images 10…15, of which 14 is the fifth; class 1 has three.
        let labels: [Int32] = [0, 0, 0, 0, 0, 0, 0, 1, 1, 1]
        let parts = HoldOut(labels: labels, images: [15, 14, 13, 12, 11, 10, 14, 1, 2, 3])
        #expect(parts.heldOut == [1, 6])
        #expect(parts.kept == [0, 2, 3, 4, 5, 7, 8, 9])
    }

    @Test func `takes the penalty that does best on what was held out, and fits it to everything`() throws {
        let golden = try Golden.evaluation()
        let (train, test) = (try golden.matrix("convex.train"), try golden.matrix("convex.test"))
        FeatureScaling.standard.apply(train: train, test: test)
        let labels = try golden.labels("convex.train_labels")
        let outcome = ConvexProbe(penalties: [1e-4, 1e4, 1e-2], tolerance: 1e-6).train(train, labels: labels, images: Array(0..<517), classes: 6)
        #expect(outcome.trials.map(\.penalty) == [1e4, 1e-2, 1e-4])
        let best = outcome.trials.map(\.accuracy.top1).max()
        #expect(outcome.penalty == outcome.trials.first { $0.accuracy.top1 == best }?.penalty)
        #expect(outcome.penalty != 1e4)
        let number = outcome.penalty == 1e-2 ? 1 : 2
        #expect(difference(outcome.fit.classifier.weights, try golden.floats("convex.\(number).weights")) < 2e-3)
        #expect(abs(outcome.trials[0].accuracy.samples - 517 / 5) <= 6)
    }

    @Test func `takes the middle penalty where no class has five images`() {
        let samples = FeatureMatrix([1, 2, -1, -2], samples: 4, dimension: 1)
        let outcome = ConvexProbe(penalties: [1, 0.1, 0.01]).train(samples, labels: [0, 0, 1, 1], images: [0, 1, 2, 3], classes: 2)
        #expect(outcome.trials.isEmpty && outcome.penalty == 0.1)
    }
}
