public import TensorStreams
import ToolSupport

/// The k-NN accuracy of stored features; one search serves every k and every vote.
public struct KNNEvaluation: Sendable {
    /// A larger k would make the lists of neighbours larger than the features.
    public static let largestK = 4096

    public static let usualK = [1, 10, 20, 200]
    /// The k whose majority vote is reported class by class, where it is among the requested ones; else the first
    /// result is.
    private static let toldK = 10
    /// nil for ``usualK``, limited to the number of training samples.
    public var k: [Int]?
    public var votes: [NeighbourVote] = [.majority, .weighted(temperature: 0.07)]
    /// The paper that the settings come from, for the name of the protocol.
    public var paper: String?
    public var tensor = "features"

    public init() {}

    /// Searches and votes.
    ///
    /// The test set is kept in memory; the training set is streamed once.
    ///
    /// - Parameter progress: called with the number of samples of every record.
    public func run(train: FeatureStream, test: FeatureStream, progress: (Int) -> Void = { _ in }) throws -> KNNReport {
        let queries = try test.readAll()
        let spread = FeatureSpread(queries.features)
        var twins = spread.isCollapsed(classes: test.classes?.count ?? .max) ? nil : TwinSearch(queries.features)
        var labels: [Int32] = []
        var images: [Int] = []
        var search: NeighbourSearch?
        var known: FeatureSpread.Sums?
        while let batch = try train.next() {
            guard train.dimension == test.dimension else { throw test.dimensionFailure(train) }
            if search == nil { search = NeighbourSearch(queries: queries.features, k: max(NearDuplicates.neighbours, (k ?? Self.usualK).max() ?? 1)) }
            search?.add(batch.features)
            if known == nil { known = FeatureSpread.Sums(dimension: train.dimension) }
            known?.add(batch.features)
            twins?.add(batch.features)
            labels += batch.labels
            images += batch.images
            progress(batch.labels.count)
        }
        guard let neighbours = search?.finish(), let trainSpread = known?.spread else { throw Failure(.data, path: train.name, "holds no samples") }
        let matching = try ClassMatching(
            train: .init(name: train.name, classes: train.classes, labels: labels),
            test: .init(name: test.name, classes: test.classes, labels: queries.labels))
        var subject = EvaluationSubject(
            tensor, matching, train: (train, images, trainSpread), test: (test, queries.images, spread), twins)
        let near = spread.isCollapsed(classes: matching.count) ? nil : NearDuplicates(neighbours, test: queries.images, train: images)
        if let remark = near?.remark(twins: subject.testInTrain, tensor) { subject.remarks.append(remark) }
        var counts: [Int] = []
        for k in k ?? Self.usualK {
            if self.k != nil, k > labels.count { subject.remarks.append("k = \(k) is more than the \(labels.count) training samples: all of them vote") }
            let k = min(k, labels.count)
            if !counts.contains(k) { counts.append(k) }
        }
        let results = neighbours.accuracies(k: counts, votes: votes, trainLabels: matching.train, labels: matching.test, classes: matching.count)
        let told = results.first { $0.k == Self.toldK && $0.vote == .majority } ?? results[0]
        let predictions = neighbours.predictions(k: told.k, vote: told.vote, trainLabels: matching.train, classes: matching.count)
        let classes = ClassReport(
            "k=\(told.k), cosine, \(told.vote.name)", classes: matching.names(train.classes), labels: matching.test, predictions: predictions)
        return KNNReport(results: results, subject: subject, paper: paper, classes: classes, nearDuplicates: near)
    }
}

extension FeatureStream {
    func dimensionFailure(_ train: FeatureStream) -> Failure {
        Failure(
            .data, path: name, "'\(tensor)' has \(dimension) dimensions, but \(train.name) has \(train.dimension)",
            remedy: "make both with the same network")
    }
}

/// Accuracies by nearest neighbours, each with its protocol.
public struct KNNReport: Sendable {
    public var results: [VoteResult]
    public var subject: EvaluationSubject
    /// The paper whose protocol it is, and any differences from it.
    public var paper: String?
    /// The class report of one of the results.
    public var classes: ClassReport
    /// Test samples that are nearly equal to training samples; nil where that cannot be determined.
    var nearDuplicates: NearDuplicates?

    /// "k=10, cosine, majority, 4000 train, 1000 test, features 512-d"
    public func protocolName(_ result: VoteResult) -> String {
        "\(paper.map { "\($0): " } ?? "")k=\(result.k), cosine, \(result.vote.name), \(subject.train.samples) train, \(subject.test.samples) test, \(subject.tensor) \(subject.dimension)-d"
    }

    /// One line for each top-1 and top-5 pair.
    public var text: String {
        results.map { "k-NN \($0.accuracy.text(top5: subject.hasTop5))  (\(protocolName($0)))\n" }.joined()
    }

    public var json: JSON {
        let metric: JSON.Object = ["metric": "cosine", "paper": paper.map { .string($0) } ?? .null]
        let ties: JSON.Object = ["ties": "the class whose nearest neighbour is nearer; equal similarities by training order"]
        let own: JSON.Object = [
            "evaluation": "knn", "version": .string(productVersion),
            "protocol": .object(metric.merging(subject.protocolMembers).merging(ties)),
            "results": .array(results.map { result in
                var object = JSON.Object()
                object["k"] = .integer(Int64(result.k))
                switch result.vote {
                case .majority: object["vote"] = "majority"
                case .weighted(let temperature):
                    object["vote"] = "weighted"
                    object["temperature"] = .number(temperature)
                }
                result.accuracy.describe(in: &object, top5: subject.hasTop5)
                object["protocol"] = .string(protocolName(result))
                return .object(object)
            }),
        ]
        return .object(own.merging(["by_class": classes.json]).merging(NearDuplicates.members(nearDuplicates)).merging(subject.members))
    }
}

extension Accuracy {
    /// "top-1 71.6 %  top-5 90.1 %"
    ///
    /// - Parameter top5: false where there are so few classes that top-5 is 100 % whatever the features.
    func text(top5: Bool) -> String { "top-1 \(Self.padded(top1Percent)) %" + (top5 ? "  top-5 \(Self.padded(top5Percent)) %" : "") }

    private static func padded(_ percent: Double) -> String {
        let text = Progress.fixed(percent, 1)
        return String(repeating: " ", count: max(0, 5 - text.count)) + text
    }

    /// Adds the percentages and the counts that they come from.
    func describe(in object: inout JSON.Object, top5 hasTop5: Bool) {
        object["top1"] = .number(top1Percent)
        object["top5"] = hasTop5 ? .number(top5Percent) : .null
        object["correct_top1"] = .integer(Int64(top1))
        object["correct_top5"] = hasTop5 ? .integer(Int64(top5)) : .null
        object["samples"] = .integer(Int64(samples))
    }
}
