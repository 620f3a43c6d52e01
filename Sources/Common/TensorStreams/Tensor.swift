import CProcess
import Platform
import ToolSupport

/// An n-dimensional array of one element type; the last dimension varies fastest.
///
/// It is immutable, and its bytes are shared: a tensor of a document is a view into the document's single buffer, and
/// copying a tensor copies no values. The first byte is aligned to the element size; tensors allocated here are aligned
/// to 64 bytes.
public struct Tensor: Sendable {
    public let dtype: DType
    /// The sizes of its dimensions; `[]` is a scalar.
    public let shape: [Int]
    private let storage: TensorStorage
    private let offset: Int

    /// The number of elements.
    public var count: Int { byteCount / dtype.size }
    public let byteCount: Int

    /// A view into `storage`, whose size and alignment the caller has checked.
    init(dtype: DType, shape: [Int], storage: TensorStorage, offset: Int, byteCount: Int) {
        self.dtype = dtype
        self.shape = shape
        self.storage = storage
        self.offset = offset
        self.byteCount = byteCount
    }

    /// A tensor whose memory `filling` writes. It must write all of it, because the memory is uninitialised.
    public init(
        dtype: DType, shape: [Int], filling: (UnsafeMutableRawBufferPointer) throws -> Void
    ) rethrows {
        let byteCount = shape.reduce(dtype.size) { total, size in
            precondition(size >= 0, "a dimension of \(size)")
            return total * size
        }
        // Terminates when memory runs out, like Swift's own allocations.
        guard let storage = try? TensorStorage(byteCount: byteCount) else { seed_no_memory(byteCount) }
        try unsafe filling(storage.mutableBytes)
        self.init(dtype: dtype, shape: shape, storage: storage, offset: 0, byteCount: byteCount)
    }

    public init(f32 values: [Float], shape: [Int]) { self.init(values, .f32, shape) }
    public init(f64 values: [Double], shape: [Int]) { self.init(values, .f64, shape) }
    public init(i64 values: [Int64], shape: [Int]) { self.init(values, .i64, shape) }
    public init(i32 values: [Int32], shape: [Int]) { self.init(values, .i32, shape) }
    public init(u8 values: [UInt8], shape: [Int]) { self.init(values, .u8, shape) }

    /// A tensor of `values`, whose number must match `shape`.
    public init<Element: BitwiseCopyable>(_ values: [Element], _ dtype: DType, _ shape: [Int]) {
        precondition(MemoryLayout<Element>.size == dtype.size, "elements of another size than \(dtype)")
        precondition(shape.reduce(1, *) == values.count, "\(values.count) values for shape \(shape)")
        unsafe self.init(dtype: dtype, shape: shape) { bytes in
            unsafe values.withUnsafeBytes { unsafe bytes.copyMemory(from: $0) }
        }
    }

    public func withBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        try withExtendedLifetime(storage) {
            try unsafe body(UnsafeRawBufferPointer(rebasing: storage.bytes[offset..<offset + byteCount]))
        }
    }

    /// The elements in memory order. `T` must have the size of the element type.
    public func withElements<T: BitwiseCopyable, R>(
        as type: T.Type, _ body: (UnsafeBufferPointer<T>) throws -> R
    ) rethrows -> R {
        precondition(MemoryLayout<T>.size == dtype.size, "\(T.self) has another size than \(dtype)")
        return try unsafe withBytes { bytes in
            guard let start = bytes.baseAddress else { return try unsafe body(UnsafeBufferPointer(start: nil, count: 0)) }
            return try unsafe start.withMemoryRebound(to: T.self, capacity: count) {
                try unsafe body(UnsafeBufferPointer(start: $0, count: count))
            }
        }
    }

    /// The elements of an `.f32` tensor.
    public func withFloats<R>(_ body: (UnsafeBufferPointer<Float>) throws -> R) rethrows -> R {
        precondition(dtype == .f32, "floats of a tensor of \(dtype)")
        return try unsafe withElements(as: Float.self, body)
    }

    /// The same bytes with another shape of the same number of elements.
    public func reshaped(_ shape: [Int]) -> Tensor {
        precondition(shape.reduce(1, *) == count, "\(count) elements seen as \(shape)")
        return Tensor(dtype: dtype, shape: shape, storage: storage, offset: offset, byteCount: byteCount)
    }

    /// A view of some of the bytes as values of a type; nil where they end too early or the first is not aligned to the
    /// element size.
    ///
    /// - Parameter start: the offset of the first byte.
    public func view(_ dtype: DType, _ shape: [Int], from start: Int) -> Tensor? {
        let byteCount = shape.reduce(dtype.size, *)
        guard start >= 0, byteCount >= 0, start <= self.byteCount - byteCount, (offset + start) % dtype.size == 0 else { return nil }
        return Tensor(dtype: dtype, shape: shape, storage: storage, offset: offset + start, byteCount: byteCount)
    }

    /// "F32 [256, 128]", the form used in messages.
    public var summary: String { "\(dtype.rawValue) \(shape)" }
}

extension Tensor: Equatable {
    /// Equal types, shapes and bytes; so a NaN equals itself.
    public static func == (a: Tensor, b: Tensor) -> Bool {
        guard a.dtype == b.dtype, a.shape == b.shape else { return false }
        return unsafe a.withBytes { a in
            unsafe b.withBytes { b in unsafe a.isEmpty || memcmp(a.baseAddress!, b.baseAddress!, a.count) == 0 }
        }
    }
}
