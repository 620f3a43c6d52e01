/// NumPy's file format for one array (numpy.org/doc/stable/reference/generated/numpy.lib.format.html, version 1.0).
public enum NumpyFile {
    /// The bytes before the values in a file with such a tensor, or nil where NumPy has no such type (BF16).
    public static func header(dtype: DType, shape: [Int]) -> [UInt8]? {
        let type: String
        switch dtype {
        case .f64: type = "<f8"
        case .f32: type = "<f4"
        case .f16: type = "<f2"
        case .i64: type = "<i8"
        case .i32: type = "<i4"
        case .i16: type = "<i2"
        case .i8: type = "|i1"
        case .u64: type = "<u8"
        case .u32: type = "<u4"
        case .u16: type = "<u2"
        case .u8: type = "|u1"
        case .bool: type = "|b1"
        case .bf16: return nil
        }
        let sizes = shape.map(String.init).joined(separator: ", ") + (shape.count == 1 ? "," : "")
        var text = "{'descr': '\(type)', 'fortran_order': False, 'shape': (\(sizes)), }"
        // The values start at a multiple of 64; the line break is the last byte before them.
        text += String(repeating: " ", count: 63 - (10 + text.utf8.count) % 64) + "\n"
        return [0x93] + "NUMPY".utf8 + [1, 0] + UInt16(text.utf8.count).littleEndianBytes + text.utf8
    }
}
