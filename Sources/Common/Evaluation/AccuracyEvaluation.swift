public import TensorStreams
import ToolSupport

/// The accuracy of a classifier, from the rank of each sample's class among its logits.
public struct AccuracyEvaluation: Sendable {
    public var tensor = "logits"

    public init() {}

    /// Counts all labelled samples.
    ///
    /// A sample's class is matched with the classifier's by name where both are named (`classes`, `logit_classes`),
    /// else by number. Of equal logits, the class with the lower number ranks first.
    ///
    /// - Parameter progress: called with the number of samples of every record.
    /// - Throws: a ``Failure`` of kind `data` where samples belong to a class that the classifier does not know.
    public func run(_ stream: FeatureStream, progress: (Int) -> Void = { _ in }) throws -> AccuracyReport {
        var accuracy = Accuracy(), images: [Int] = [], columns: [Int] = []
        let names = stream.header.metadata.names("logit_classes"), byName = names != nil && stream.classes != nil
        while let batch = try stream.next() {
            let C = stream.dimension
            if columns.isEmpty { columns = try self.columns(stream, names, classes: C) }
            for (row, label) in batch.labels.enumerated() {
                guard Int(label) < columns.count else {
                    throw Failure(.data, path: stream.name, "has label \(label), but the classifier has \(C) classes", remedy: "evaluate it on images of its classes")
                }
                accuracy.count(rank: Self.rank(of: columns[Int(label)], in: batch.features[row * C..<(row + 1) * C]))
            }
            images += batch.images
            progress(batch.labels.count)
        }
        var remarks = [stream.remark].compactMap { $0 }
        if !byName, stream.classes?.count != stream.dimension {
            remarks.append("the \(names == nil ? "classifier's" : "images'") classes have no names, so labels are matched by number")
        }
        if stream.dimension <= 5 { remarks.append("there are \(stream.dimension) classes, so top-5 is meaningless and is left out") }
        return AccuracyReport(
            accuracy: accuracy, tensor: tensor, classes: stream.dimension, byName: byName, test: EvaluationInput(stream, images: images), remarks: remarks)
    }

    /// The classifier's class number for each class of the stream.
    private func columns(_ stream: FeatureStream, _ names: [String]?, classes C: Int) throws -> [Int] {
        guard let names, let own = stream.classes else { return Array(0..<C) }
        guard names.count == C else {
            throw Failure(.data, path: stream.name, location: "header", "'logit_classes' has \(names.count) names, but '\(tensor)' has \(C) numbers", remedy: "run embed --logits on the images again")
        }
        let numbers = Dictionary(uniqueKeysWithValues: names.enumerated().map { ($1, $0) })
        let lacking = own.filter { numbers[$0] == nil }
        guard lacking.isEmpty else {
            throw Failure(
                .data, path: stream.name, "has images of classes that the classifier does not know: \(listed(lacking))", remedy: "evaluate it on images of its \(C) classes, such as '\(names[0].printableLine(limit: 80))'")
        }
        return own.compactMap { numbers[$0] }
    }

    /// The number of classes that rank before class `c`.
    static func rank(of c: Int, in logits: ArraySlice<Float>) -> Int {
        let own = logits[logits.startIndex + c]
        return logits.enumerated().count { $1 > own || $1 == own && $0 < c }
    }
}

/// The accuracy of a classifier on images that it was not trained on.
public struct AccuracyReport: Sendable {
    public var accuracy: Accuracy
    public var tensor: String
    public var classes: Int
    public var byName: Bool
    public var test: EvaluationInput
    public var remarks: [String]

    public var hasTop5: Bool { classes > 5 }
    public var protocolName: String { "the network's own \(tensor) of \(classes) classes, \(test.samples) test" }
    public var text: String { "classifier \(accuracy.text(top5: hasTop5))  (\(protocolName))\n" }

    public var json: JSON {
        var result = JSON.Object()
        accuracy.describe(in: &result, top5: hasTop5)
        result["protocol"] = .string(protocolName)
        return [
            "evaluation": "classifier", "version": .string(productVersion),
            "protocol": ["tensor": .string(tensor), "classes": .integer(Int64(classes)), "classes_matched_by": .string(byName ? "name" : "number")],
            "results": [.object(result)], "test": test.json, "remarks": .array(remarks.map { .string($0) }),
        ]
    }
}
