import Images
import Parallel
import Randomness
import ToolSupport

/// A labelled set of images, each a pure function of the seed, its split and its number.
public struct ImageSet: Sendable {
    /// The splits; no image is in both.
    public enum Split: Int, Sendable, CaseIterable { case train, test }

    public let classes: [ImageClass]
    public let size: Int
    public let quality: Int
    public let seed: UInt64

    public init(classes: Int, size: Int, quality: Int = 92, seed: UInt64) {
        self.classes = ImageClass.list(classes)
        self.size = size
        self.quality = quality
        self.seed = seed
    }

    /// The class of image `number`: classes alternate, so that any range of images is balanced.
    public func kind(of number: Int) -> ImageClass { classes[number % classes.count] }

    /// The image's bytes, [size, size, 3].
    public func pixels(_ split: Split, _ number: Int) -> [UInt8] {
        var random = CounterRandom(seed: seed, .synthesis, epoch: split.rawValue, item: number)
        return Scene.draw(kind(of: number), size: size, &random)
    }

    /// The JPEG files of `numbers`, encoded on all threads.
    func files(_ split: Split, _ numbers: Range<Int>) throws -> [[UInt8]] {
        var results = [Result<[UInt8], any Error>](repeating: .success([]), count: numbers.count)
        results.withUnsafeMutableBufferPointer { results in
            // Each piece writes to its own element.
            nonisolated(unsafe) let results = results
            Parallel.forEach(numbers.count) { piece, _ in
                results[piece] = Result {
                    try pixels(split, numbers.lowerBound + piece).withUnsafeBufferPointer {
                        try JPEG.encode($0, width: size, height: size, quality: quality)
                    }
                }
            }
        }
        return try results.map { try $0.get() }
    }

    /// Writes a contact sheet: a row of `columns` training images for each class.
    public func writeSheet(_ path: String, columns: Int) throws {
        var file = try OutputFile(path)
        let (width, height) = (columns * size, classes.count * size)
        var sheet = [UInt8](repeating: 0, count: width * height * 3)
        for number in 0..<columns * classes.count {
            let image = pixels(.train, number)
            let (row, column) = (number % classes.count, number / classes.count)
            for line in 0..<size {
                let start = ((row * size + line) * width + column * size) * 3
                sheet.replaceSubrange(start..<start + size * 3, with: image[line * size * 3..<(line + 1) * size * 3])
            }
        }
        let jpeg = try sheet.withUnsafeBufferPointer { try JPEG.encode($0, width: width, height: height, quality: quality) }
        try file.write(jpeg.span.bytes)
        try file.commit()
    }
}
