/// All parameters that turn an image into one view: every random number is drawn already.
public struct View: Sendable, Equatable {
    /// The part of the image that is used.
    public var crop: CropBox
    /// How that part is resized.
    public var filter: ResamplingFilter
    /// The size that part is resized to.
    public var width: Int
    public var height: Int
    /// The part of the resized image that is kept.
    public var window: CropBox
    /// The operations on the kept part, in order.
    public var operations: [ImageOperation]

    public init(
        crop: CropBox, filter: ResamplingFilter = .bilinear, width: Int, height: Int, window: CropBox? = nil, operations: [ImageOperation] = []
    ) {
        self.crop = crop
        self.filter = filter
        self.width = width
        self.height = height
        self.window = window ?? CropBox(left: 0, top: 0, width: width, height: height)
        self.operations = operations
    }
}
