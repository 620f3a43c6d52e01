/// What is done to one image to make one view of it: all numbers drawn, nothing left to chance.
public struct View: Sendable, Equatable {
    /// The part of the image that is taken.
    public var crop: CropBox
    /// How that part is resized.
    public var filter: ResamplingFilter
    /// The size that part is resized to.
    public var width: Int
    public var height: Int
    /// What is kept of the resized part.
    public var window: CropBox
    /// What is done to that, in this order.
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
