import Images
import TensorStreams
import ToolSupport

/// A sheet of images of a stream in rows and columns, with the views of one image side by side.
struct ContactSheet {
    /// The white margin around an image, in pixels.
    private static let margin = 2

    private let tensor: String
    private let capacity: Int
    private var height = 0
    /// The width of all views of one image together.
    private var width = 0
    private var views = 1
    /// Height × width × 3 bytes each.
    private var images: [[UInt8]] = []
    /// The number of images still to be taken from the current document.
    private var wanted = 0
    /// The bytes of the current image, view by view.
    private var bytes: [UInt8] = []

    /// - Parameters:
    ///   - tensor: the name of a tensor U8 [N,H,W,3], or [N,V,H,W,3] with V views.
    ///   - capacity: the maximum number of images.
    init(tensor: String, capacity: Int) {
        self.tensor = tensor
        self.capacity = capacity
    }

    /// Begins a document. Its images are taken until the sheet is full.
    mutating func begin(_ document: DocumentOutline) throws {
        wanted = 0
        guard images.count < capacity else { return }
        let flat = document.tensors.first { $0.name == tensor }?.shape.count == 4
        let outline = try document.tensor(tensor, .u8, shape: flat ? [nil, nil, nil, 3] : [nil, nil, nil, nil, 3])
        let sizes = outline.shape.suffix(3).map { $0 }
        let (H, W) = (sizes[0], sizes[1])
        guard outline.count > 0 else { return }
        views = flat ? 1 : outline.shape[1]
        guard images.isEmpty || (H, W * views) == (height, width) else {
            throw document.failure("has images of \(W * views)×\(H), but those before have \(width)×\(height)")
        }
        (height, width) = (H, W * views)
        wanted = min(outline.shape[0], capacity - images.count)
        _ = try layout(of: images.count + wanted)
    }

    /// Takes a piece of a tensor.
    mutating func take(_ piece: Tensor, of tensor: TensorOutline) {
        guard tensor.name == self.tensor, wanted > 0 else { return }
        let size = height * width * 3
        unsafe piece.withBytes { source in
            var rest = unsafe source[...]
            while wanted > 0, unsafe !rest.isEmpty {
                let count = unsafe min(size - bytes.count, rest.count)
                unsafe bytes += rest.prefix(count)
                unsafe rest = unsafe rest.dropFirst(count)
                if bytes.count == size {
                    images.append(sideBySide())
                    bytes.removeAll(keepingCapacity: true)
                    wanted -= 1
                }
            }
        }
    }

    /// The rows of the current image, with its views side by side.
    private func sideBySide() -> [UInt8] {
        guard views > 1 else { return bytes }
        var rows: [UInt8] = []
        rows.reserveCapacity(bytes.count)
        let row = width / views * 3
        for y in 0..<height {
            for view in 0..<views {
                let start = (view * height + y) * row
                rows += bytes[start..<start + row]
            }
        }
        return rows
    }

    /// The size of a sheet of `count` images, and the number of columns.
    ///
    /// - Throws: ``Failure`` if the sheet is too large to be written.
    private func layout(of count: Int) throws -> (size: (width: Int, height: Int), columns: Int) {
        let margin = ContactSheet.margin
        let cell = (width: width + margin, height: height + margin)
        let ideal = (Double(count * cell.height) / Double(cell.width)).squareRoot()
        let columns = max(1, min(count, Int(ideal.rounded())))
        let rows = (count + columns - 1) / columns
        let size = (width: columns * cell.width + margin, height: rows * cell.height + margin)
        guard size.width <= 65500, size.height <= 65500, size.width * size.height <= JPEG.maximumPixels else {
            throw Failure(.usage, "a sheet of \(size.width)×\(size.height) pixels is too large", remedy: "show fewer --images")
        }
        return (size, columns)
    }

    /// Writes the sheet, which is about square, to `path`.
    func write(to path: String) throws {
        guard !images.isEmpty else { throw Failure(.data, "there are no images to write to \(path)") }
        let margin = ContactSheet.margin
        let (size, columns) = try layout(of: images.count)
        let cell = (width: width + margin, height: height + margin)
        var sheet = [UInt8](repeating: 255, count: size.width * size.height * 3)
        for (number, image) in images.enumerated() {
            let left = margin + number % columns * cell.width
            let top = margin + number / columns * cell.height
            for y in 0..<height {
                let start = ((top + y) * size.width + left) * 3
                sheet.replaceSubrange(start..<start + width * 3, with: image[y * width * 3..<(y + 1) * width * 3])
            }
        }
        let encoded = try JPEG.encode(Image(width: size.width, height: size.height, pixels: sheet), quality: 90)
        try unsafe OutputFile.write(encoded.span.bytes, to: path)
    }
}
