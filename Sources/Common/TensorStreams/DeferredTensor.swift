/// A tensor whose numbers are made when they are written, so that no second copy of all weights is in memory.
public struct DeferredTensor: Sendable {
    public let outline: TensorOutline
    private let made: @Sendable () throws -> Tensor

    /// - Parameter make: gives the tensor; may be asked more than once, and gives the same each time.
    public init(_ name: String, _ dtype: DType, _ shape: [Int], make: @escaping @Sendable () throws -> Tensor) {
        outline = TensorOutline(name: name, dtype: dtype, shape: shape, byteCount: shape.reduce(dtype.size, *))
        made = make
    }

    /// One that is in memory already.
    public init(_ name: String, _ tensor: Tensor) { self.init(name, tensor.dtype, tensor.shape) { tensor } }

    public var name: String { outline.name }

    /// The tensor.
    public func tensor() throws -> Tensor {
        let tensor = try made()
        precondition(tensor.dtype == outline.dtype && tensor.shape == outline.shape, "'\(name)' is \(tensor.summary) where \(outline.summary) was promised")
        return tensor
    }

    /// The same numbers under another name.
    public func renamed(_ name: String) -> DeferredTensor { DeferredTensor(name, outline.dtype, outline.shape, make: made) }
}
