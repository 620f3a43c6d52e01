import Datasets

/// The opened DATA and TEST: the images to train on and those to evaluate on.
struct OpenedData {
    /// DATA's training split; nil if images are synthetic.
    let learnt: Dataset?
    /// TEST, or without TEST the test or validation split of DATA.
    let judged: Dataset?

    /// - Parameters:
    ///   - data: the path of DATA; empty if images are synthetic.
    ///   - test: the path of TEST; empty if it is not given.
    init(data: String, test: String) throws {
        learnt = data.isEmpty ? nil : try Dataset(data)
        if !test.isEmpty {
            judged = try OpenedData.open(test: test, for: learnt)
        } else if let learnt, let own = OpenedData.judging(learnt.splits), own != learnt.split {
            // A split without labels is not used for evaluation.
            let part = try Dataset(data, split: own, classes: OpenedData.lent(learnt))
            judged = part.classes.isEmpty ? nil : part
        } else {
            judged = nil
        }
    }

    /// Opens TEST. If it has splits, this is the test or validation split, or the training split if there is no other.
    private static func open(test path: String, for learnt: Dataset?) throws -> Dataset {
        let classes = lent(learnt)
        let data = try Dataset(path, classes: classes)
        guard let other = judging(data.splits), other != data.split else { return data }
        return try Dataset(path, split: other, classes: classes)
    }

    /// The class list for the test images: that of DATA if it has several classes. A single class is useless for
    /// evaluation, and augment, which reads the images later, does not get it either.
    private static func lent(_ learnt: Dataset?) -> [String] {
        guard let classes = learnt?.classes, classes.count > 1 else { return [] }
        return classes
    }

    /// The split for evaluation.
    private static func judging(_ splits: [String]) -> String? {
        ["val", "test"].lazy.compactMap { kind in splits.first { $0.lowercased().hasPrefix(kind) } }.first
    }
}
