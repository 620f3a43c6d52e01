import Platform
import ToolSupport

/// A reusable image buffer with 4 bytes per pixel: R, G, B and an unused one.
///
/// With four bytes a pixel is one 32-bit lane of a vector. The memory grows to the largest image so far and is kept, so
/// that a worker soon needs no more allocations.
public final class Canvas {
    public private(set) var width = 0
    public private(set) var height = 0
    /// width · height · 4 bytes, followed by at least ``padding`` bytes that may be read and written.
    private(set) var bytes: UnsafeMutablePointer<UInt8>
    private var capacity: Int

    /// Loops may run past the end by less than this, so that they need no remainder loop.
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

    /// Resizes the canvas for an image of this size. Its contents are lost.
    ///
    /// - Throws: a ``Failure`` of kind `io` when memory is short. Swift's own allocation would terminate the process.
    func reshape(width: Int, height: Int) throws {
        let wanted = width * height * 4
        if wanted > capacity {
            // The smaller buffer is freed first, so that both never exist at the same time.
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

    /// Copies the pixels of `image`.
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
