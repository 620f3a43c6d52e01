import Datasets
import Pages
import ToolSupport

/// The images of one part of a run's data, by number. If the data is gone, only names are available.
final class Album {
    private static let size = 88

    private let data: Dataset?
    private let part: String
    private let thumbnails: Thumbnails

    init(_ part: String, _ data: Dataset?) throws {
        (self.part, self.data) = (part, data)
        thumbnails = try Thumbnails()
    }

    /// The thumbnail's number in `book`; nil if the image does not exist or is broken.
    func picture(_ index: Int, in book: inout PictureBook) throws -> Int? {
        guard let data, data.samples.indices.contains(index) else { return nil }
        return try book.add("\(part) \(index)") {
            do { return try thumbnails.make(data, index, size: Self.size) } catch let failure as Failure where [.data, .io, .noInput].contains(failure.kind) { return nil }
        }
    }

    /// The image's path, or its number.
    func name(_ index: Int) -> String {
        guard let data, data.samples.indices.contains(index) else { return "image \(index)" }
        return data.samples[index].name
    }
}
