import Datasets
import TensorStreams
import ToolSupport

/// A report of what was read and what was not, as JSON for other programs.
///
/// For a stream that resumes an epoch, `first_batch` says how many batches it leaves out. For a part of each batch,
/// `slice` says which one; the first rank writes the report for all.
///
///     {"images": 6000, "unlabelled": 0, "classes": 40, "split": "train", "splits": ["train", "val"],
///      "broken": {"count": 1, "images": [{"image": "data.tar: member cats/7.jpg", "reason": "cannot be decoded: …"}]},
///      "passed_over": [{"kind": "hidden", "count": 2, "first": ".git"}]}
struct Report {
    private let dataset: Dataset
    private var isRead: [Bool]

    init(_ dataset: Dataset) {
        self.dataset = dataset
        isRead = Array(repeating: false, count: dataset.samples.count)
    }

    /// Records images that were read, intact or broken.
    mutating func add(_ indices: ArraySlice<Int>) {
        for index in indices { isRead[index] = true }
    }

    /// - Parameters:
    ///   - first: the first batch of the stream.
    ///   - slice: the part of each batch that was read.
    func write(_ path: String, _ broken: BrokenImages, from first: Int, _ slice: BatchSlice?) throws {
        // All ranks get the same path.
        guard slice?.rank ?? 0 == 0 else { return }
        try OutputFile.write(json(broken, from: first, slice).text + "\n", to: path)
    }

    private func json(_ broken: BrokenImages, from first: Int, _ slice: BatchSlice?) -> JSON {
        Report.object((slice.map { [("slice", .string("\($0.rank + 1)/\($0.ranks)"))] } ?? []) + (first > 0 ? [("first_batch", .integer(Int64(first)))] : []) + [
            ("images", .integer(Int64(isRead.count { $0 }))),
            ("unlabelled", .integer(Int64(dataset.unlabelled))),
            ("classes", .integer(Int64(dataset.classes.count))),
            ("split", dataset.split.map { .string($0) } ?? .null),
            ("splits", .array(dataset.splits.map { .string($0) })),
            ("broken", Report.object([
                ("count", .integer(Int64(broken.count))),
                ("images", .array(broken.reasons.map { Report.object([("image", .string($0.image)), ("reason", .string($0.reason))]) })),
            ])),
            ("passed_over", .array(dataset.passedOver.map {
                Report.object([("kind", .string($0.kind.rawValue)), ("count", .integer(Int64($0.count))), ("first", .string($0.first))])
            })),
        ])
    }

    private static func object(_ members: [(String, JSON)]) -> JSON {
        var object = JSON.Object()
        for (key, value) in members { object[key] = value }
        return .object(object)
    }
}
