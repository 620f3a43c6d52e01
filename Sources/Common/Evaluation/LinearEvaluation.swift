public import TensorStreams
import ToolSupport

/// The accuracy of a linear classifier on features.
public struct LinearEvaluation: Sendable {
    public enum Solver: Sendable {
        case convex(ConvexProbe)
        case stochastic(StochasticProbe)
    }

    public var solver: Solver
    public var scaling: FeatureScaling
    public var tensor = "features"
    /// Stochastic solver: whether each epoch of the training stream has its own views, and is used once.
    public var hasFreshViews = false
    /// The paper whose protocol it is, and any differences from it, for the protocol's name.
    public var paper: String?
    /// Stochastic solver: the checkpoint file, written after each epoch; if it exists, training resumes from it.
    public var state: String?

    /// - Parameter scaling: by default, standardised features for the convex solver and raw ones for the papers'
    ///   protocols.
    public init(_ solver: Solver, scaling: FeatureScaling? = nil) {
        self.solver = solver
        switch solver {
        case .convex: self.scaling = scaling ?? .standard
        case .stochastic: self.scaling = scaling ?? .none
        }
    }

    /// Trains on all samples of `train`, with all epochs and views that it holds, and measures the accuracy on `test`.
    ///
    /// Both are kept in memory, except a `train` of fresh views.
    ///
    /// - Parameter progress: called with a line of text for each step.
    public func run(train: FeatureStream, test: FeatureStream, progress: @escaping (String) -> Void = { _ in }) throws -> LinearReport {
        if hasFreshViews, case .stochastic(let probe) = solver { return try run(probe, freshViews: train, test: test, progress: progress) }
        let held = try test.readAll()
        let known = try train.readAll()
        guard train.dimension == test.dimension else { throw test.dimensionFailure(train) }
        let matching = try ClassMatching(
            train: .init(name: train.name, classes: train.classes, labels: known.labels),
            test: .init(name: test.name, classes: test.classes, labels: held.labels))
        let spread = FeatureSpread(held.features), trainSpread = FeatureSpread(known.features)
        var twins = spread.isCollapsed(classes: test.classes?.count ?? .max) ? nil : TwinSearch(held.features)
        for start in stride(from: 0, to: known.features.samples, by: 4096) { twins?.add(known.features.rows(Array(start..<min(known.features.samples, start + 4096))).values) }
        // Before the features are scaled, because scaling changes the cosines.
        let near = twins == nil ? nil : NearDuplicates(test: held, train: known)
        scaling.apply(train: known.features, test: held.features)

        let classifier: LinearClassifier
        var subject = EvaluationSubject(
            tensor, matching, train: (train, known.images, trainSpread), test: (test, held.images, spread), twins)
        if let remark = near?.remark(twins: subject.testInTrain, tensor) { subject.remarks.append(remark) }
        var details = JSON.Object()
        var words: String
        switch solver {
        case .convex(let probe):
            let outcome = probe.train(known.features, labels: matching.train, images: known.images, classes: matching.count) {
                progress("λ \($0.penalty): held-out top-1 \(Progress.fixed($0.accuracy.top1Percent, 1)) %, \($0.iterations) steps")
            }
            classifier = outcome.fit.classifier
            if !outcome.fit.converged { subject.remarks.append("the solver stopped after \(outcome.fit.iterations) steps, before its tolerance was reached") }
            if outcome.trials.isEmpty, probe.penalties.count > 1 {
                subject.remarks.append("no class has five images, so none was held out, and the middle penalty is used")
            }
            words = "convex, logistic regression by L-BFGS, L2 \(outcome.penalty)"
                + (outcome.trials.isEmpty ? "" : " of \(outcome.trials.count) by hold-out of each fifth image")
            details = probe.described(outcome)
        case .stochastic(let probe):
            var state = try state(probe, matching, test, [held.features.fingerprint(held.labels), known.features.fingerprint(known.labels)])
            let rows = known.features, judged = matching.test
            state.begin()
            try probe.train(state.trainer, on: rows, labels: matching.train, from: state.curve.count) { epoch, loss, share in
                try add(epoch, loss, share, probe, to: &state, judgedOn: (held.features, judged), train, progress)
                return true
            }
            classifier = state.trainer.classifier
            words = probe.protocolName(freshViews: false)
            details = probe.described(state.curve, freshViews: false)
        }
        words += ", \(scaling.words) \(tensor) \(train.dimension)-d"
        return LinearReport(
            accuracy: classifier.accuracy(held.features, labels: matching.test),
            trainAccuracy: classifier.accuracy(known.features, labels: matching.train),
            solver: words, details: details, scaling: scaling, subject: subject, paper: paper, classes: classes(classifier, matching, train, held.features),
            nearDuplicates: near)
    }

    func classes(_ classifier: LinearClassifier, _ matching: ClassMatching, _ train: FeatureStream, _ test: FeatureMatrix) -> ClassReport {
        ClassReport("linear", classes: matching.names(train.classes), labels: matching.test, predictions: classifier.predictions(test))
    }

    /// The state to start from.
    ///
    /// - Parameter data: identifies the features, as distinct from those of other networks and images; evaluated only
    ///   where there is a file.
    func state(_ probe: StochasticProbe, _ matching: ClassMatching, _ test: FeatureStream, _ data: @autoclosure () -> [String]) throws -> ProbeState {
        let words = "\(probe.protocolName(freshViews: hasFreshViews)), \(scaling.words) \(tensor)"
        let identity = ([words, "\(matching.count) classes", (test.classes ?? []).joined(separator: ", "), test.header.provenance.text] + (state == nil ? [] : data())).joined(separator: "\n")
        return try ProbeState(probe, classes: matching.count, dimension: test.dimension, identity: identity, testSamples: matching.test.count, path: state)
    }

    /// Evaluates the classifier after an epoch.
    func add(
        _ epoch: Int, _ loss: Double, _ share: Double, _ probe: StochasticProbe, to state: inout ProbeState, judgedOn test: (features: FeatureMatrix, labels: [Int32]),
        _ train: FeatureStream, _ progress: (String) -> Void
    ) throws {
        let classifier = state.trainer.classifier
        guard loss.isFinite, classifier.isFinite else {
            throw Failure(
                .data, path: train.name, "the linear classifier diverged in epoch \(epoch + 1)",
                remedy: "lower --learning-rate, or try --normalize unit" + (hasFreshViews ? "" : " or standard"))
        }
        let accuracy = classifier.accuracy(test.features, labels: test.labels)
        try state.add(ProbeEpoch(epoch: epoch, rate: probe.rate(epoch: epoch), loss: loss, trainTop1: share, accuracy: accuracy))
        if hasFreshViews || (epoch + 1) % 10 == 0 {
            let left = state.left(of: probe.epochs).map { ", \($0)" } ?? ""
            progress("epoch \(epoch + 1) of \(probe.epochs), loss \(Progress.short(loss)), top-1 \(Progress.fixed(accuracy.top1Percent, 1)) %\(left)")
        }
    }
}

extension FeatureScaling {
    var words: String {
        switch self {
        case .none: "raw"
        case .unit: "unit-length"
        case .standard: "standardised"
        case .unitStandard: "unit-length, standardised"
        }
    }
}

extension ConvexProbe {
    func described(_ outcome: Outcome) -> JSON.Object {
        var object = JSON.Object()
        object["solver"] = "convex"
        object["penalty"] = .number(outcome.penalty)
        object["tolerance"] = .number(tolerance)
        object["objective"] = .number(outcome.fit.objective)
        object["iterations"] = .integer(Int64(outcome.fit.iterations))
        object["converged"] = .bool(outcome.fit.converged)
        object["hold_out"] = .array(outcome.trials.map {
            ["penalty": .number($0.penalty), "top1": .number($0.accuracy.top1Percent), "samples": .integer(Int64($0.accuracy.samples)), "iterations": .integer(Int64($0.iterations))]
        })
        return object
    }
}

extension StochasticProbe {
    /// "SGD, lr 30·256/256, momentum 0.9, wd 0, 100 epochs of stored features, ×0.1 at 60, 80, seed 0"
    ///
    /// - Parameters:
    ///   - freshViews: whether each epoch has its own views.
    ///   - done: the number of epochs that the stream had; nil for all.
    public func protocolName(freshViews: Bool, done: Int? = nil) -> String {
        let steps = milestones.map { "\($0)" }.joined(separator: ", ")
        let cosine = endRate > 0 ? "cosine to \(Self.short(endRate))" : "cosine"
        let course = schedule == .cosine ? cosine : milestones.isEmpty ? "constant" : "×\(Self.short(factor)) at \(steps)"
        return "SGD, lr \(Self.short(learningRate))·\(batch)/256, momentum \(Self.short(momentum)), wd \(Self.short(weightDecay)), "
            + (done.flatMap { $0 < epochs ? "\($0) of " : nil } ?? "") + "\(epochs) epochs of \(freshViews ? "fresh views" : "stored features"), \(course)" + (warmUp > 0 ? ", \(warmUp) warm-up" : "") + ", fc N(0, 0.01), seed \(seed)"
    }

    /// "30" rather than "30.0".
    private static func short(_ number: Double) -> String {
        let text = "\(number)"
        return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
    }

    func described(_ curve: [ProbeEpoch], freshViews: Bool) -> JSON.Object {
        var object = JSON.Object()
        object["solver"] = "sgd"
        object["learning_rate"] = .number(learningRate * Double(batch) / 256)
        object["batch"] = .integer(Int64(batch))
        object["epochs"] = .integer(Int64(epochs))
        object["fresh_views"] = .bool(freshViews)
        object["momentum"] = .number(momentum)
        object["weight_decay"] = .number(weightDecay)
        object["schedule"] = .string(schedule.rawValue)
        object["milestones"] = schedule == .step ? .array(milestones.map { .integer(Int64($0)) }) : .array([])
        object["factor"] = schedule == .step ? .number(factor) : .null
        object["end_rate"] = schedule == .cosine ? .number(endRate * Double(batch) / 256) : .null
        object["warm_up"] = .integer(Int64(warmUp))
        object["seed"] = .string("\(seed)")  // as text: a seed may be larger than a JSON number
        object["learning_rates"] = .array(curve.map { .number($0.rate) })
        object["losses"] = .array(curve.map { .number($0.loss) })
        object["train_top1"] = .array(curve.map { .number(100 * $0.trainTop1) })
        object["test_top1"] = .array(curve.map { .number($0.accuracy.top1Percent) })
        return object
    }
}

/// The accuracy of a linear classifier, with its protocol.
public struct LinearReport: Sendable {
    public var accuracy: Accuracy
    /// The accuracy on the training samples: far above ``accuracy`` where the classifier overfits. For fresh views it
    /// is in the curve.
    public var trainAccuracy: Accuracy?
    /// A description of the solver, its options and the features.
    public var solver: String
    public var details: JSON.Object
    public var scaling: FeatureScaling
    public var subject: EvaluationSubject
    /// The paper whose protocol it is, and any differences from it.
    public var paper: String?
    public var classes: ClassReport
    /// Test samples that are nearly equal to training samples; nil where that cannot be determined.
    var nearDuplicates: NearDuplicates?

    public var protocolName: String { "\(paper.map { "\($0): " } ?? "")\(solver), \(subject.train.samples) train, \(subject.test.samples) test" }

    public var text: String { "linear \(accuracy.text(top5: subject.hasTop5))  (\(protocolName))\n" }

    public var json: JSON {
        let scaled: JSON.Object = ["normalize": .string(scaling.rawValue), "paper": paper.map { .string($0) } ?? .null]
        let described = details.merging(scaled).merging(subject.protocolMembers)
        var result = JSON.Object()
        accuracy.describe(in: &result, top5: subject.hasTop5)
        result["protocol"] = .string(protocolName)
        var fitted = JSON.Object()
        trainAccuracy?.describe(in: &fitted, top5: subject.hasTop5)
        let own: JSON.Object = [
            "evaluation": "linear", "version": .string(productVersion), "protocol": .object(described),
            "results": [.object(result)], "training_set": trainAccuracy == nil ? .null : .object(fitted),
        ]
        return .object(own.merging(["by_class": classes.json]).merging(NearDuplicates.members(nearDuplicates)).merging(subject.members))
    }
}
