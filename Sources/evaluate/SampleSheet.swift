import Datasets
import Evaluation
import Images
import Pages
import TensorStreams
import ToolSupport

/// A sheet of images with those that are nearest to them: `evaluate neighbours --sheet`.
struct SampleSheet {
    /// The images that features were made of.
    struct Data {
        let dataset: Dataset

        /// - Parameter header: of the features' stream.
        /// - Throws: ``Failure`` `data` where they were made of other images.
        init(_ path: String, split: String?, features header: StreamHeader, of name: String) throws {
            dataset = try Dataset(path, split: split)
            guard header.dataFingerprint ?? dataset.fingerprint == dataset.fingerprint else {
                throw Failure(.data, path: path, "is not what the features in \(name) were made of\(dataset.splits.count > 1 ? ", or of another split (--split)" : "")", remedy: "name the data that augment was given")
            }
        }
    }

    private static let size = 112
    private var sheet: Sheet

    init(_ own: Data, _ other: Data, rows: some Sequence<(Int, [NearestImages.Near])>, k: Int) throws {
        sheet = Sheet(columns: [Int](repeating: Self.size, count: k + 1))
        let thumbnails = try Thumbnails()
        func cell(_ index: Int, _ data: Data, _ words: [String]) throws -> Sheet.Cell {
            guard data.dataset.samples.indices.contains(index) else { throw Failure(.data, path: data.dataset.path, "has no image \(index)", remedy: "name the data that augment was given") }
            let label = data.dataset.samples[index].label, name = data.dataset.classes.indices.contains(label) ? [data.dataset.classes[label].lowercased()] : []
            do { return try Sheet.Cell(thumbnails.make(data.dataset, index, size: Self.size).pixels, size: Self.size, words: ["#\(index)"] + words + name) } catch let failure as Failure where failure.kind == .data {
                return Sheet.Cell([], size: Self.size, words: ["#\(index)"] + words + ["broken"])
            }
        }
        for (image, near) in rows {
            try sheet.add([cell(image, own, [])] + near.map { try cell($0.image, other, [Progress.fixed(Double($0.similarity), 3)]) })
        }
    }

    func write(to path: String) throws { try sheet.write(to: path) }
}
