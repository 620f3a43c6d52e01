import Datasets

/// DATA and TEST, looked through: which images are learnt from, and which are judged by.
struct OpenedData {
    /// DATA's training part; nil where images are drawn.
    let learnt: Dataset?
    /// TEST, or where there is none DATA's own test or validation part.
    let judged: Dataset?

    /// - Parameters:
    ///   - data: the path of DATA, empty where images are drawn.
    ///   - test: the path of TEST, empty where none is given.
    init(data: String, test: String) throws {
        learnt = data.isEmpty ? nil : try Dataset(data)
        if !test.isEmpty {
            judged = try OpenedData.open(test: test, for: learnt)
        } else if let learnt, let own = OpenedData.judging(learnt.splits), own != learnt.split {
            // Without labels it is not judged by.
            let part = try Dataset(data, split: own, classes: OpenedData.lent(learnt))
            judged = part.classes.isEmpty ? nil : part
        } else {
            judged = nil
        }
    }

    /// TEST. Where it has splits, its test or validation part, and the training part only where there is no other.
    private static func open(test path: String, for learnt: Dataset?) throws -> Dataset {
        let classes = lent(learnt)
        let data = try Dataset(path, classes: classes)
        guard let other = judging(data.splits), other != data.split else { return data }
        return try Dataset(path, split: other, classes: classes)
    }

    /// The classes that the images to judge by are given: those of DATA where they tell its images apart. A single one judges nothing, and
    /// augment, which reads the images later, is not given it either.
    private static func lent(_ learnt: Dataset?) -> [String] {
        guard let classes = learnt?.classes, classes.count > 1 else { return [] }
        return classes
    }

    /// The split to judge by.
    private static func judging(_ splits: [String]) -> String? {
        ["val", "test"].lazy.compactMap { kind in splits.first { $0.lowercased().hasPrefix(kind) } }.first
    }
}
