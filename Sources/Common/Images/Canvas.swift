import Platform
import ToolSupport

/// An image in memory that is used again for the next one: 4 bytes a pixel, R G B and one that means nothing.
///
/// Four bytes make a pixel one 32-bit lane of a vector. The memory grows to the largest image met and stays,
/// so that a worker allocates nothing once it is under way.
public final class Canvas {
    public private(set) var width = 0
    public private(set) var height = 0
    /// width · height · 4 bytes, and at least ``padding`` more that may be read and written.
    private(set) var bytes: UnsafeMutablePointer<UInt8>
    private var capacity: Int

    /// Loops may run over the end by less than this, so that they need no remainder.
    static let padding = 64

    public init() {
        capacity = 0
        bytes = .allocate(capacity: Canvas.padding)
        bytes.initialize(repeating: 0, count: Canvas.padding)
    }

    /// A canvas that holds `image`.
    public convenience init(_ image: Image) throws {
        self.init()
        try load(image)
    }

    deinit { bytes.deallocate() }

    /// Makes room for an image of this size. What was there is lost.
    ///
    /// - Throws: a ``Failure`` of kind `io` when memory is short. Swift's own allocation would end the process.
    func reshape(width: Int, height: Int) throws {
        let wanted = width * height * 4
        if wanted > capacity {
            // The smaller one goes first, so that both are never there.
            bytes.deallocate()
            var fresh: UnsafeMutableRawPointer?
            guard posix_memalign(&fresh, 64, wanted + Canvas.padding) == 0, let fresh else {
                bytes = .allocate(capacity: Canvas.padding)
                (capacity, self.width, self.height) = (0, 0, 0)
                throw Failure(.io, "there is no memory for \(width)×\(height) pixels")
            }
            bytes = fresh.assumingMemoryBound(to: UInt8.self)
            (bytes + wanted).initialize(repeating: 0, count: Canvas.padding)
            capacity = wanted
        }
        self.width = width
        self.height = height
    }

    /// Takes over the pixels of `image`.
    public func load(_ image: Image) throws {
        try reshape(width: image.width, height: image.height)
        image.pixels.withUnsafeBufferPointer { source in
            for pixel in 0..<width * height {
                for channel in 0..<3 { bytes[4 * pixel + channel] = source[3 * pixel + channel] }
                bytes[4 * pixel + 3] = 255
            }
        }
    }

    /// A copy of the pixels.
    public var image: Image {
        let pixels = [UInt8](unsafeUninitializedCapacity: width * height * 3) { target, count in
            for pixel in 0..<width * height {
                for channel in 0..<3 { target[3 * pixel + channel] = bytes[4 * pixel + channel] }
            }
            count = width * height * 3
        }
        return Image(width: width, height: height, pixels: pixels)
    }
}
