import Images
import Pages
import TensorStreams
import ToolSupport

/// The views of the first few images of a stream.
struct ViewStream {
    private static let mostImages = 8, mostViews = 12, size = 80

    private var rows: [(image: Int, views: [Image])] = []
    private let name: String

    /// - Throws: ``Failure`` if it is not a stream of images.
    init(_ path: String) throws {
        let reader = try StreamReader(path)
        name = reader.name
        var order: [Int] = [], views: [Int: [Image]] = [:]
        while let record = try reader.next() {
            guard let index = record.tensors["index"] else { throw record.failure("has no tensor 'index'") }
            let numbers = try index.integers()
            for key in record.names.filter({ $0 == "images" || $0.hasPrefix("images.") }).sorted() {
                guard let tensor = record.tensors[key] else { continue }
                guard tensor.dtype == .u8, tensor.shape.count == 5, tensor.shape[0] == numbers.count, tensor.shape[4] == 3, !tensor.shape.contains(0) else {
                    throw record.failure("'\(key)' is \(tensor.summary), expected images u8 [N, V, H, W, 3]")
                }
                let (V, H, W) = (tensor.shape[1], tensor.shape[2], tensor.shape[3]), bytes = unsafe tensor.withBytes { unsafe Array($0) }
                for (n, image) in numbers.enumerated() {
                    if views[image] == nil {
                        guard order.count < Self.mostImages else { continue }
                        order.append(image)
                    }
                    for v in 0..<V where views[image, default: []].count < Self.mostViews {
                        let start = (n * V + v) * H * W * 3
                        views[image, default: []].append(Image(width: W, height: H, pixels: Array(bytes[start..<start + H * W * 3])))
                    }
                }
            }
        }
        rows = order.map { ($0, views[$0] ?? []) }
    }

    func html(_ pictures: inout PictureBook) throws -> HTML {
        guard !rows.isEmpty else { return "" }
        let thumbnails = try Thumbnails()
        var parts: [HTML] = []
        for row in rows {
            var numbers: [Int?] = []
            for (place, view) in row.views.enumerated() { numbers.append(try pictures.add("view \(row.image) \(place)") { try thumbnails.make(view, size: Self.size) }) }
            parts.append(PictureRow.views("image \(row.image)", numbers))
        }
        return "<p>Each row shows the augmented views of an image over a few epochs.</p>\n\(parts)"
    }
}
