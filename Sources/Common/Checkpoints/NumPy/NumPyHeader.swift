import TensorStreams
import ToolSupport

/// The header of a `.npy` file: a Python dictionary as text (NumPy's `numpy/lib/format.py`, versions 1 to 3).
struct NumPyHeader {
    let dtype: DType
    let shape: [Int]
    /// Column-major order.
    let isFortran: Bool
    /// The size in bytes of everything before the first number.
    let byteCount: Int

    private static let types: [String: DType] = [
        "f8": .f64, "f4": .f32, "f2": .f16, "i8": .i64, "i4": .i32, "i2": .i16, "i1": .i8, "u8": .u64, "u4": .u32, "u2": .u16, "u1": .u8, "b1": .bool,
    ]
    /// The maximum length; no array's header is longer.
    static let most = 1 << 16

    /// - Parameter start: the file's first bytes, up to ``most``.
    /// - Returns: nil where they are not a header, or one of Python objects or of numbers in another byte order than
    ///   this machine's.
    init?(_ start: [UInt8]) {
        guard start.starts(with: [0x93] + "NUMPY".utf8), start.count > 12, (1...3).contains(start[6]) else { return nil }
        let lengthBytes = start[6] == 1 ? 2 : 4, length = (0..<lengthBytes).reduce(0) { $0 | Int(start[8 + $1]) << (8 * $1) }
        byteCount = 8 + lengthBytes + length
        guard length <= Self.most, byteCount <= start.count else { return nil }
        let text = String(decoding: start[(8 + lengthBytes)..<byteCount], as: UTF8.self)
        guard let type = Self.value("descr", in: text)?.split(separator: "'").first, let order = type.unicodeScalars.first, "<|".unicodeScalars.contains(order),
            let dtype = Self.types[String(type.unicodeScalars.dropFirst())], let fortran = Self.value("fortran_order", in: text), let sizes = Self.value("shape", in: text),
            sizes.hasPrefix("("), let end = sizes.firstIndex(of: ")")
        else { return nil }
        let parts = sizes[sizes.index(after: sizes.startIndex)..<end].split(separator: ",").map { $0.filter { $0 != " " } }
        let shape = parts.filter { !$0.isEmpty }.map { Int($0) }
        guard !shape.contains(nil), shape.count <= Limits.checkpoint.rank, TensorReference.count(shape.compactMap { $0 }) != nil else { return nil }
        (self.dtype, self.shape, isFortran) = (dtype, shape.compactMap { $0 }, fortran.hasPrefix("True"))
    }

    /// The text after `'key':`, up to the end of the header.
    private static func value(_ key: String, in text: String) -> Substring? {
        guard let range = text.firstRange(of: "'\(key)':") else { return nil }
        return text[range.upperBound...].drop { $0 == " " }
    }
}
