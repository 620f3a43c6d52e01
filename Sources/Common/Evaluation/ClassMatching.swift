import ToolSupport

/// Brings the labels of a training and a test set to one numbering without gaps.
///
/// Where both streams name their classes, classes are matched by name: the two sets may have been numbered apart. Else label 3 is label 3.
public struct ClassMatching: Sendable {
    /// How many classes the training set has.
    public let count: Int
    public let byName: Bool
    /// In 0..<count.
    public let train: [Int32]
    /// In 0..<count.
    public let test: [Int32]
    /// What the user should know: a class that has no training sample.
    public let remarks: [String]

    /// One set's part.
    public struct Side {
        var name: String
        var classes: [String]?
        var labels: [Int32]

        public init(name: String, classes: [String]?, labels: [Int32]) {
            self.name = name
            self.classes = classes
            self.labels = labels
        }
    }

    /// - Throws: a ``Failure`` of kind `data` when a test sample's class is none of the training set's.
    public init(train: Side, test: Side) throws {
        var remarks: [String] = []
        func missing(_ label: String) -> Failure {
            Failure(.data, path: test.name, "holds class \(label), which \(train.name) lacks", remedy: "train and test must come from the same classes")
        }
        if let names = train.classes, let others = test.classes {
            let numbers = Dictionary(names.enumerated().map { ($1, Int32($0)) }, uniquingKeysWith: { first, _ in first })
            let matched = others.map { numbers[$0] }
            self.test = try test.labels.map { label in
                guard let number = matched[Int(label)] else { throw missing("'\(others[Int(label)])'") }
                return number
            }
            self.train = train.labels
            count = names.count
            byName = true
            let seen = Set(train.labels)
            let unseen = Set(self.test).subtracting(seen).sorted()
            if !unseen.isEmpty {
                let list = unseen.prefix(5).map { "'\(names[Int($0)])'" }.joined(separator: ", ") + (unseen.count > 5 ? ", …" : "")
                let samples = self.test.count { !seen.contains($0) }
                remarks.append("\(samples) test samples are of classes without a training sample (\(list)); they count as errors")
            }
        } else {
            let values = Set(train.labels).sorted()
            let numbers = Dictionary(values.enumerated().map { ($1, Int32($0)) }, uniquingKeysWith: { first, _ in first })
            self.train = train.labels.map { numbers[$0] ?? 0 }
            self.test = try test.labels.map { label in
                guard let number = numbers[label] else { throw missing("\(label)") }
                return number
            }
            count = values.count
            byName = false
            if (train.classes == nil) != (test.classes == nil) {
                let silent = train.classes == nil ? train.name : test.name
                remarks.append("the header of \(silent) names no classes, so labels are matched by number")
            }
        }
        self.remarks = remarks
    }
}
