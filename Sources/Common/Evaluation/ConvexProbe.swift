/// A linear classifier found by convex optimisation; its penalty is chosen on a held-out part of the training set.
///
/// Each penalty, from the strongest to the weakest, is fitted to four fifths of the images (``HoldOut``), and each fit
/// starts from the one before. The penalty with the best held-out top-1 wins (of equals the strongest) and is fitted to
/// all samples. Nothing is random.
public struct ConvexProbe: Sendable {
    /// Covers the optimum of self-supervised features scaled to standard deviation 1, in steps of ten.
    public static let defaultPenalties = [1e-1, 1e-2, 1e-3, 1e-4, 1e-5]

    /// λ of ``LogisticRegression``; a single one is used without a search.
    public var penalties: [Double]
    public var tolerance: Double
    public var maximumIterations: Int

    public init(penalties: [Double] = ConvexProbe.defaultPenalties, tolerance: Double = 1e-3, maximumIterations: Int = 1000) {
        precondition(!penalties.isEmpty)
        self.penalties = penalties.sorted(by: >)
        self.tolerance = tolerance
        self.maximumIterations = maximumIterations
    }

    /// The result for one penalty on the held-out part.
    public struct Trial: Sendable {
        public var penalty: Double
        public var accuracy: Accuracy
        public var iterations: Int
    }

    public struct Outcome: Sendable {
        public var fit: LogisticRegression.Fit
        public var penalty: Double
        /// Empty where there is nothing to choose, or no class has five images so that one can be held out.
        public var trials: [Trial]
    }

    /// - Parameters:
    ///   - features: already scaled.
    ///   - images: the number of the image that each sample shows.
    ///   - report: called with every trial.
    public func train(
        _ features: FeatureMatrix, labels: [Int32], images: [Int], classes: Int, report: (Trial) -> Void = { _ in }
    ) -> Outcome {
        var penalty = penalties[penalties.count / 2]
        var trials: [Trial] = []
        var start: LinearClassifier?
        let parts = HoldOut(labels: labels, images: images)
        if penalties.count > 1, !parts.heldOut.isEmpty {
            let kept = features.rows(parts.kept)
            let held = features.rows(parts.heldOut)
            let keptLabels = parts.kept.map { labels[$0] }
            let heldLabels = parts.heldOut.map { labels[$0] }
            var best = -1
            var last: LinearClassifier?
            for candidate in penalties {
                let fit = regression(candidate).fit(kept, labels: keptLabels, classes: classes, from: last)
                last = fit.classifier
                let accuracy = fit.classifier.accuracy(held, labels: heldLabels)
                let trial = Trial(penalty: candidate, accuracy: accuracy, iterations: fit.iterations)
                trials.append(trial)
                report(trial)
                if accuracy.top1 > best {
                    best = accuracy.top1
                    penalty = candidate
                    start = fit.classifier
                }
            }
        }
        let fit = regression(penalty).fit(features, labels: labels, classes: classes, from: start)
        return Outcome(fit: fit, penalty: penalty, trials: trials)
    }

    private func regression(_ penalty: Double) -> LogisticRegression {
        LogisticRegression(penalty: penalty, tolerance: tolerance, maximumIterations: maximumIterations)
    }
}
