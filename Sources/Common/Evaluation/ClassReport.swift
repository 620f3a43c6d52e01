public import TensorStreams

/// The predicted class of each test sample, with correct and wrong counts by class.
public struct ClassReport: Sendable, Equatable {
    /// Which of an evaluation's classifiers this is: "k=10, cosine, majority".
    public let classifier: String
    /// The names of the classes, or their numbers where they have none.
    public let classes: [String]
    /// The label of each test sample, in 0..<classes.
    public let labels: [Int32]
    /// The predicted class of each test sample.
    public let predictions: [Int32]

    public init(_ classifier: String, classes: [String], labels: [Int32], predictions: [Int32]) {
        precondition(labels.count == predictions.count && (labels + predictions).allSatisfy { classes.indices.contains(Int($0)) })
        (self.classifier, self.classes, self.labels, self.predictions) = (classifier, classes, labels, predictions)
    }

    /// The number of samples of each class, and how many of them are correct.
    public var byClass: [(samples: Int, correct: Int)] {
        var counts = [(samples: Int, correct: Int)](repeating: (0, 0), count: classes.count)
        for (label, prediction) in zip(labels, predictions) {
            counts[Int(label)].samples += 1
            if label == prediction { counts[Int(label)].correct += 1 }
        }
        return counts
    }

    /// Counts of samples of class `label` that are predicted as class `prediction`, the most frequent first, then by
    /// number.
    public var confusions: [(label: Int, prediction: Int, samples: Int)] {
        var counts: [Int: Int] = [:]
        for (label, prediction) in zip(labels, predictions) where label != prediction { counts[Int(label) * classes.count + Int(prediction), default: 0] += 1 }
        return counts.map { ($0.key / classes.count, $0.key % classes.count, $0.value) }.sorted { ($1.2, $0.0, $0.1) < ($0.2, $1.0, $1.1) }
    }

    /// Whether each sample is correct, four to a hexadecimal digit; the first of them is the highest bit.
    ///
    /// It allows a comparison of two evaluations of the same test samples, sample by sample.
    public var correctBits: String {
        let right = zip(labels, predictions).map { $0 == $1 }
        return stride(from: 0, to: right.count, by: 4).map { start in
            let digit = (0..<4).reduce(0) { $0 * 2 + (start + $1 < right.count && right[start + $1] ? 1 : 0) }
            return String(digit, radix: 16)
        }.joined()
    }

    public var json: JSON {
        let counts = byClass
        return [
            "classifier": .string(classifier), "classes": .array(classes.map { .string($0) }), "samples": .array(counts.map { .integer(Int64($0.samples)) }),
            "correct": .array(counts.map { .integer(Int64($0.correct)) }),
            "confusions": .array(confusions.map { .array([.integer(Int64($0.label)), .integer(Int64($0.prediction)), .integer(Int64($0.samples))]) }),
            "correct_samples": .string(correctBits),
        ]
    }
}
