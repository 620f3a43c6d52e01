public import TensorStreams
import ToolSupport

/// The accuracy of a linear classifier on stored features.
public struct LinearEvaluation: Sendable {
    public enum Solver: Sendable {
        case convex(ConvexProbe)
        case stochastic(StochasticProbe)
    }

    public var solver: Solver
    public var scaling: FeatureScaling
    public var tensor = "features"

    /// - Parameter scaling: standardised features for the convex solver and raw ones for the papers' protocol, where nothing is said.
    public init(_ solver: Solver, scaling: FeatureScaling? = nil) {
        self.solver = solver
        switch solver {
        case .convex: self.scaling = scaling ?? .standard
        case .stochastic: self.scaling = scaling ?? .none
        }
    }

    /// Trains on all samples of `train`, all epochs and views it holds, and counts on `test`. Both are kept in memory.
    ///
    /// - Parameter progress: told what is done, line by line.
    public func run(train: FeatureStream, test: FeatureStream, progress: @escaping (String) -> Void = { _ in }) throws -> LinearReport {
        let held = try test.readAll()
        let known = try train.readAll()
        guard train.dimension == test.dimension else { throw test.dimensionFailure(train) }
        let matching = try ClassMatching(
            train: .init(name: train.name, classes: train.classes, labels: known.labels),
            test: .init(name: test.name, classes: test.classes, labels: held.labels))
        let spread = FeatureSpread(held.features), trainSpread = FeatureSpread(known.features)
        var twins = spread.isCollapsed(classes: test.classes?.count ?? .max) ? nil : TwinSearch(held.features)
        for start in stride(from: 0, to: known.features.samples, by: 4096) {
            twins?.add(known.features.rows(Array(start..<min(known.features.samples, start + 4096))).values)
        }
        scaling.apply(train: known.features, test: held.features)

        let classifier: LinearClassifier
        var subject = EvaluationSubject(
            tensor, matching, train: (train, known.images, trainSpread), test: (test, held.images, spread), twins)
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
                subject.remarks.append("no class has five images, so none was held out, and the penalty is the middle one")
            }
            words = "convex, logistic regression by L-BFGS, L2 \(outcome.penalty)"
                + (outcome.trials.isEmpty ? "" : " of \(outcome.trials.count) by hold-out of each fifth image")
            details = probe.described(outcome)
        case .stochastic(let probe):
            classifier = probe.initial(classes: matching.count, dimension: train.dimension)
            let losses = probe.train(classifier, on: known.features, labels: matching.train, report: { epoch, loss in
                if (epoch + 1) % 10 == 0 { progress("epoch \(epoch + 1) of \(probe.epochs), loss \(Progress.short(loss))") }
                return loss.isFinite
            })
            guard classifier.isFinite, losses.allSatisfy(\.isFinite) else {
                throw Failure(.data, path: train.name, "the linear classifier diverged in epoch \(losses.count)", remedy: "lower --learning-rate, or try --normalize unit or standard")
            }
            words = probe.protocolName
            details = probe.described(losses)
        }
        words += ", \(scaling.words) \(tensor) \(train.dimension)-d"
        return LinearReport(
            accuracy: classifier.evaluate(held.features, labels: matching.test).accuracy,
            trainAccuracy: classifier.evaluate(known.features, labels: matching.train).accuracy,
            solver: words, details: details, scaling: scaling, subject: subject)
    }
}

extension FeatureScaling {
    var words: String {
        switch self {
        case .none: "raw"
        case .unit: "unit-length"
        case .standard: "standardised"
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
    public var protocolName: String {
        let steps = milestones.map { "\($0)" }.joined(separator: ", ")
        let course = schedule == .cosine ? "cosine" : milestones.isEmpty ? "constant" : "×0.1 at \(steps)"
        return "SGD, lr \(Self.short(learningRate))·\(batch)/256, momentum \(Self.short(momentum)), wd \(Self.short(weightDecay)), \(epochs) epochs of stored features, \(course)"
            + (warmUp > 0 ? ", \(warmUp) warm-up" : "") + ", fc N(0, 0.01), seed \(seed)"
    }

    /// "30" rather than "30.0".
    private static func short(_ number: Double) -> String {
        let text = "\(number)"
        return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
    }

    func described(_ losses: [Double]) -> JSON.Object {
        var object = JSON.Object()
        object["solver"] = "sgd"
        object["learning_rate"] = .number(learningRate * Double(batch) / 256)
        object["batch"] = .integer(Int64(batch))
        object["epochs"] = .integer(Int64(epochs))
        object["momentum"] = .number(momentum)
        object["weight_decay"] = .number(weightDecay)
        object["schedule"] = .string(schedule.rawValue)
        object["milestones"] = schedule == .step ? .array(milestones.map { .integer(Int64($0)) }) : .array([])
        object["warm_up"] = .integer(Int64(warmUp))
        object["seed"] = .string("\(seed)")  // as text: a seed may be larger than a JSON number
        object["losses"] = .array(losses.map { .number($0) })
        return object
    }
}

/// The accuracy of a linear classifier, with how it was got.
public struct LinearReport: Sendable {
    public var accuracy: Accuracy
    /// On what it was trained with: far above ``accuracy`` where it has learned by heart.
    public var trainAccuracy: Accuracy
    /// The solver and its options, and the features, in words.
    public var solver: String
    public var details: JSON.Object
    public var scaling: FeatureScaling
    public var subject: EvaluationSubject

    public var protocolName: String { "\(solver), \(subject.train.samples) train, \(subject.test.samples) test" }

    public var text: String { "linear \(accuracy.text(top5: subject.hasTop5))  (\(protocolName))\n" }

    public var json: JSON {
        let scaled: JSON.Object = ["normalize": .string(scaling.rawValue)]
        let described = details.merging(scaled).merging(subject.protocolMembers)
        var result = JSON.Object()
        accuracy.describe(in: &result, top5: subject.hasTop5)
        result["protocol"] = .string(protocolName)
        var fitted = JSON.Object()
        trainAccuracy.describe(in: &fitted, top5: subject.hasTop5)
        let own: JSON.Object = [
            "evaluation": "linear", "version": .string(productVersion), "protocol": .object(described),
            "results": [.object(result)], "training_set": .object(fitted),
        ]
        return .object(own.merging(subject.members))
    }
}
