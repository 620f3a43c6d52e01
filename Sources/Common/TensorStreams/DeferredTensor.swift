/// A tensor whose values are computed when they are written, so that memory never holds a second copy of all weights.
public struct DeferredTensor: Sendable {
    public let outline: TensorOutline
    private let made: @Sendable () throws -> Tensor

    /// - Parameter make: returns the tensor; it may be called more than once, and must return the same values each
    ///   time.
    public init(_ name: String, _ dtype: DType, _ shape: [Int], make: @escaping @Sendable () throws -> Tensor) {
        outline = TensorOutline(name: name, dtype: dtype, shape: shape, byteCount: shape.reduce(dtype.size, *))
        made = make
    }

    /// Wraps a tensor that is already in memory.
    public init(_ name: String, _ tensor: Tensor) { self.init(name, tensor.dtype, tensor.shape) { tensor } }

    public var name: String { outline.name }

    /// Computes the tensor.
    public func tensor() throws -> Tensor {
        let tensor = try made()
        precondition(tensor.dtype == outline.dtype && tensor.shape == outline.shape, "'\(name)' is \(tensor.summary) where \(outline.summary) was promised")
        return tensor
    }

    /// The same values under another name.
    public func renamed(_ name: String) -> DeferredTensor { DeferredTensor(name, outline.dtype, outline.shape, make: made) }
}
