/// An image: 8-bit RGB, rows from top to bottom, three bytes per pixel (HWC).
public struct Image: Sendable, Equatable {
    public let width: Int
    public let height: Int
    /// height · width · 3 bytes.
    public let pixels: [UInt8]

    public init(width: Int, height: Int, pixels: [UInt8]) {
        precondition(width > 0 && height > 0 && pixels.count == width * height * 3)
        self.width = width
        self.height = height
        self.pixels = pixels
    }
}
