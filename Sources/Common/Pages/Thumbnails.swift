public import Datasets
public import Images

/// Makes thumbnails: the scaled central square of an image.
public final class Thumbnails {
    private let renderer: ViewRenderer

    public init() throws { renderer = try ViewRenderer() }

    /// The thumbnail of image `index` of `data`.
    ///
    /// - Throws: ``Failure`` `data` for a broken image.
    public func make(_ data: Dataset, _ index: Int, size: Int) throws -> Image {
        try data.decode(index, on: renderer)
        return try square(size)
    }

    public func make(_ image: Image, size: Int) throws -> Image {
        try renderer.source.load(image)
        return try square(size)
    }

    private func square(_ size: Int) throws -> Image {
        let (width, height) = (renderer.source.width, renderer.source.height), side = min(width, height)
        let crop = CropBox(left: (width - side) / 2, top: (height - side) / 2, width: side, height: side)
        var pixels = [UInt8](repeating: 0, count: size * size * 3)
        try unsafe pixels.withUnsafeMutableBufferPointer { try unsafe renderer.render(View(crop: crop, width: size, height: size), into: $0) }
        return Image(width: size, height: size, pixels: pixels)
    }
}
