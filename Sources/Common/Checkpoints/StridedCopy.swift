import TensorStreams

/// A tensor of strided numbers in a byte buffer, such as a PyTorch view or a Fortran-ordered array.
struct StridedCopy {
    let dtype: DType
    let shape: [Int]
    /// The strides in elements.
    let strides: [Int]
    /// The position of the first element in bytes.
    let start: Int

    /// Whether the elements are contiguous in row-major order.
    var isContiguous: Bool {
        var expected = 1
        for (size, stride) in zip(shape, strides).reversed() where size != 1 {
            guard stride == expected else { return shape.contains(0) }
            expected *= size
        }
        return true
    }

    /// The elements in row-major order.
    ///
    /// They share the memory of `storage` where they are contiguous and are most of it, so that nothing is held
    /// twice; otherwise they are copied.
    ///
    /// - Precondition: every element lies in `storage`, which consists of bytes.
    func tensor(of storage: Tensor) -> Tensor {
        let size = dtype.size
        if isContiguous, shape.reduce(size, *) > storage.byteCount / 2, let view = storage.view(dtype, shape, from: start) { return view }
        return unsafe Tensor(dtype: dtype, shape: shape) { target in
            unsafe storage.withBytes { bytes in
                if isContiguous {
                    unsafe target.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[start..<start + target.count]))
                    return
                }
                var index = [Int](repeating: 0, count: shape.count), from = 0
                for element in 0..<target.count / size {
                    unsafe UnsafeMutableRawBufferPointer(rebasing: target[element * size..<(element + 1) * size])
                        .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[start + from * size..<start + (from + 1) * size]))
                    var dimension = index.count - 1
                    while dimension >= 0 {
                        index[dimension] += 1
                        from += strides[dimension]
                        if index[dimension] < shape[dimension] { break }
                        from -= strides[dimension] * shape[dimension]
                        index[dimension] = 0
                        dimension -= 1
                    }
                }
            }
        }
    }
}
