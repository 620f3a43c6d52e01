import TensorStreams

/// Numbers in the file, of which tensors are views.
struct StorageReference: Hashable {
    let key: String
    /// The type of its elements; nil for a byte storage, where each view has its own type.
    let dtype: DType?
    /// The number of elements, or of bytes where there is no type.
    let count: Int
    /// The index of its first element in the file's storage.
    let start: Int

    init(key: String, dtype: DType?, count: Int, start: Int = 0) { (self.key, self.dtype, self.count, self.start) = (key, dtype, count, start) }
}

/// A tensor as saved by PyTorch: a strided view of a storage.
struct TensorReference {
    let storage: StorageReference
    let dtype: DType
    /// The offset in elements.
    let offset: Int
    let shape: [Int]
    let strides: [Int]

    /// The number of elements; nil where a size is negative or the product too large for any file.
    static func count(_ shape: [Int]) -> Int? {
        var count = 1
        for size in shape {
            let (product, overflows) = count.multipliedReportingOverflow(by: size)
            guard size >= 0, !overflows, product < 1 << 48 else { return nil }
            count = product
        }
        return count
    }

    var count: Int { shape.reduce(1, *) }

    /// Why it is not a valid view of its storage; nil where it is.
    var fault: String? {
        guard shape.count == strides.count else { return "has \(shape.count) sizes and \(strides.count) strides" }
        guard shape.count <= Limits.checkpoint.rank else { return "has \(shape.count) dimensions, above the limit of \(Limits.checkpoint.rank)" }
        guard let count = Self.count(shape) else { return "has the shape \(shape.prefix(8))" }
        guard offset >= 0, strides.allSatisfy({ $0 >= 0 }) else { return "has a negative offset or stride" }
        if count == 0 { return nil }
        let dimensions = zip(shape, strides).filter { $0.0 > 1 }.sorted { $0.1 < $1.1 }
        // The last element over the dimensions so far. The stride of the next dimension must be larger, or elements
        // share memory.
        var last = 0
        for (size, stride) in dimensions {
            guard stride > last else { return "overlaps itself" }
            let (step, overflows) = (size - 1).multipliedReportingOverflow(by: stride)
            guard !overflows, step < 1 << 48 else { return "lies outside its storage" }
            last += step
        }
        let elements = storage.dtype == nil ? storage.count / dtype.size : storage.count
        guard offset < elements, last < elements - offset else { return "lies outside its storage of \(elements) elements" }
        return nil
    }
}
