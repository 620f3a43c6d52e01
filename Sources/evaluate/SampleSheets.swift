import Datasets
import Evaluation
import Images
import Pages
import TensorStreams
import ToolSupport

/// Makes contact sheets of images with their nearest images: `evaluate neighbours --sheet`.
struct SampleSheets {
    private static let size = 112
    /// The data sets of the images, and of their neighbours.
    private let own: Dataset, other: Dataset

    /// - Parameters:
    ///   - features: the features of `data`.
    ///   - others: the features of `otherData`; nil where both are the same.
    /// - Throws: a ``Failure`` of kind `data` where features belong to other images.
    init(_ data: String, split: String?, of features: FeatureStream, _ otherData: String?, split otherSplit: String?, of others: FeatureStream?) throws {
        own = try Self.open(data, split: split, of: features)
        other = if let others, let otherData { try Self.open(otherData, split: otherSplit, of: others) } else { own }
    }

    private static func open(_ path: String, split: String?, of features: FeatureStream) throws -> Dataset {
        let dataset = try Dataset(path, split: split), source = features.header.dataSource
        guard source == nil || source == dataset.contentHash else {
            throw Failure(.data, path: path, "is not the data that the features in \(features.name) were made from\(dataset.splits.count > 1 ? ", or is another split (--split)" : "")", remedy: "give the same data as to augment")
        }
        return dataset
    }

    /// - Throws: a ``Failure`` of kind `usage` where so many images do not fit on a sheet.
    static func check(k: Int, rows: Int) throws { try Sheet(columns: [Int](repeating: size, count: k + 1)).check(rows: rows) }

    /// A sheet with a row for each image.
    func sheet(_ rows: some Sequence<(Int, [NearestImages.Near])>, k: Int) throws -> Sheet {
        var sheet = Sheet(columns: [Int](repeating: Self.size, count: k + 1))
        let thumbnails = try Thumbnails()
        func cell(_ index: Int, _ data: Dataset, _ words: [String]) throws -> Sheet.Cell {
            guard data.samples.indices.contains(index) else { throw Failure(.data, path: data.path, "has no image \(index)", remedy: "give the same data as to augment") }
            let label = data.samples[index].label, name = data.classes.indices.contains(label) ? [data.classes[label].lowercased()] : []
            do { return try Sheet.Cell(thumbnails.make(data, index, size: Self.size).pixels, size: Self.size, words: ["#\(index)"] + words + name) } catch let failure as Failure where failure.kind == .data {
                return Sheet.Cell([], size: Self.size, words: ["#\(index)"] + words + ["broken"])
            }
        }
        for (image, near) in rows { try sheet.add([cell(image, own, [])] + near.map { try cell($0.image, other, [Progress.fixed(Double($0.similarity), 3)]) }) }
        return sheet
    }
}
