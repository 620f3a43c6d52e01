import TensorStreams
import ToolSupport

/// A Python pickle of a dictionary with NumPy arrays, as in detectron2's model zoo: `{"model": {name: array}, …}`.
///
/// Arrays are created by `numpy.core.multiarray._reconstruct`, which exists under that name in NumPy 1 and 2 (NumPy's
/// `array_reduce`).
enum PickledArrays {
    /// - Parameters:
    ///   - key: the key of the dictionary that contains the arrays, with the entries `beside` at the same level; nil
    ///     where the arrays themselves are the top level.
    static func write(_ tensors: [DeferredTensor], inside key: String?, beside: [(key: String, value: PickleWriter.Scalar)], to path: String) throws {
        var output = try OutputFile(path), pickle = PickleWriter(version: 4)
        if let key { pickle.beginDictionary(inside: key, beside: beside) }
        pickle.dictionary()
        pickle.beginItems()
        for tensor in tensors {
            pickle.string(tensor.name)
            // An empty byte array, whose state is replaced below.
            pickle.global("numpy.core.multiarray", "_reconstruct")
            pickle.tuple { pickle in
                pickle.global("numpy", "ndarray")
                pickle.ints([0])
                pickle.byteString(count: 1)
                pickle.append([UInt8(ascii: "b")])
            }
            pickle.call()
            // Its state: the version, the shape, the type, whether the order is column-major, and the numbers.
            pickle.append([UInt8(ascii: "(")])
            pickle.int(1)
            pickle.ints(tensor.outline.shape)
            try type(tensor.outline.dtype, &pickle)
            pickle.bool(false)
            pickle.byteString(count: tensor.outline.byteCount)
            try unsafe output.write(pickle.take().span.bytes)
            try unsafe tensor.tensor().withBytes { try unsafe output.write($0.bytes) }
            pickle.append([UInt8(ascii: "t")])
            pickle.build()
        }
        pickle.endItems()
        if key != nil { pickle.endItems() }
        pickle.stop()
        try unsafe output.write(pickle.take().span.bytes)
        try output.commit()
    }

    /// `numpy.dtype("f4")` with the state of a little-endian type.
    private static func type(_ dtype: DType, _ pickle: inout PickleWriter) throws {
        let names: [DType: String] = [.f64: "f8", .f32: "f4", .f16: "f2", .i64: "i8", .i32: "i4", .i16: "i2", .u64: "u8", .u32: "u4", .u16: "u2"]
        guard let name = names[dtype] else { throw Failure(.software, "\(dtype.rawValue) is not written as an array") }
        pickle.global("numpy", "dtype")
        pickle.tuple { pickle in
            pickle.string(name)
            pickle.bool(false)
            pickle.bool(true)
        }
        pickle.call()
        pickle.tuple { pickle in
            pickle.int(3)
            pickle.string("<")
            pickle.none()
            pickle.none()
            pickle.none()
            pickle.int(-1)
            pickle.int(-1)
            pickle.int(0)
        }
        pickle.build()
    }
}
