import ToolSupport

/// Maps the labels of a training set and a test set to one numbering without gaps.
///
/// Where both streams name their classes, classes are matched by name, because the two sets may be numbered
/// differently. Else label 3 is label 3.
public struct ClassMatching: Sendable {
    /// The number of classes of the training set.
    public let count: Int
    public let byName: Bool
    /// The training labels, in 0..<count.
    public let train: [Int32]
    /// The test labels, in 0..<count.
    public let test: [Int32]
    /// The number of classes that have training samples.
    public let known: Int
    /// Warnings for the user: classes without a training sample, and numbers that are high whatever the features.
    public let remarks: [String]

    /// Whether top-5 is meaningful: of five classes or fewer, all are among the first five.
    public var hasTop5: Bool { known > 5 }

    /// The names of the classes by the training set, or their numbers.
    func names(_ train: [String]?) -> [String] { byName ? train ?? [] : numbers.map { "\($0)" } }

    /// The original labels of the classes where they are matched by number.
    private let numbers: [Int32]

    /// The labels and class names of one set.
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

    /// - Throws: a ``Failure`` of kind `data` when a test sample's class is not in the training set.
    public init(train: Side, test: Side) throws {
        var remarks: [String] = []
        /// - Parameters:
        ///   - classes: the names of the test classes that the training set lacks.
        ///   - all: the number of classes of the test set.
        func missing(_ classes: [String], of all: Int, samples: Int) -> Failure {
            let list = classes.prefix(3).joined(separator: ", ") + (classes.count > 3 ? " and \(classes.count - 3) more" : "")
            return Failure(
                .data, path: test.name, "holds class\(classes.count == 1 ? "" : "es") \(list), which \(train.name) lacks (\(samples) of \(test.labels.count) samples)",
                remedy: classes.count == all ? "they have no class in common: are both laid out as class/name.jpg?" : "train and test must come from the same classes")
        }
        if let names = train.classes, let others = test.classes {
            let numbers = Dictionary(names.enumerated().map { ($1, Int32($0)) }, uniquingKeysWith: { first, _ in first })
            let matched = others.map { numbers[$0] }
            let lacking = test.labels.filter { matched[Int($0)] == nil }
            guard lacking.isEmpty else {
                throw missing(Set(lacking).sorted().map { "'\(others[Int($0)])'" }, of: Set(test.labels).count, samples: lacking.count)
            }
            self.test = test.labels.compactMap { matched[Int($0)] }
            self.train = train.labels
            count = names.count
            byName = true
            self.numbers = []
            let seen = Set(train.labels)
            let unseen = Set(self.test).subtracting(seen).sorted()
            if !unseen.isEmpty {
                let list = unseen.prefix(5).map { "'\(names[Int($0)])'" }.joined(separator: ", ") + (unseen.count > 5 ? ", …" : "")
                let samples = self.test.count { !seen.contains($0) }
                remarks.append("\(samples) test samples belong to classes without training samples (\(list)); they count as errors")
            }
        } else {
            let values = Set(train.labels).sorted()
            let numbers = Dictionary(values.enumerated().map { ($1, Int32($0)) }, uniquingKeysWith: { first, _ in first })
            self.train = train.labels.map { numbers[$0] ?? 0 }
            let lacking = test.labels.filter { numbers[$0] == nil }
            guard lacking.isEmpty else {
                throw missing(Set(lacking).sorted().map { "\($0)" }, of: Set(test.labels).count, samples: lacking.count)
            }
            self.test = test.labels.compactMap { numbers[$0] }
            count = values.count
            byName = false
            self.numbers = values
            if (train.classes == nil) != (test.classes == nil) {
                let silent = train.classes == nil ? train.name : test.name
                remarks.append("the header of \(silent) names no classes, so labels are matched by number")
            }
        }
        known = Set(self.train).count
        if known == 1 {
            remarks.append("all training samples belong to one class, so no accuracy depends on the features; give both sets class folders")
        } else if known <= 5 {
            remarks.append("there are \(known) classes, so top-5 is meaningless and is left out")
        }
        self.remarks = remarks
    }
}
