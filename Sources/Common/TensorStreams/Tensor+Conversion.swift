import ToolSupport

extension Tensor {
    /// The elements as `Float`, from any type except bool; f64 and wide integers are rounded to the nearest.
    public func floats() throws -> [Float] {
        switch dtype {
        case .f32: unsafe withElements(as: Float.self) { unsafe Array($0) }
        case .f64: unsafe withElements(as: Double.self) { unsafe $0.map { Float($0) } }
        case .f16: unsafe withElements(as: UInt16.self) { unsafe $0.map { Half.float(fromF16: $0) } }
        case .bf16: unsafe withElements(as: UInt16.self) { unsafe $0.map { Half.float(fromBF16: $0) } }
        case .i64: unsafe withElements(as: Int64.self) { unsafe $0.map { Float($0) } }
        case .i32: unsafe withElements(as: Int32.self) { unsafe $0.map { Float($0) } }
        case .i16: unsafe withElements(as: Int16.self) { unsafe $0.map { Float($0) } }
        case .i8: unsafe withElements(as: Int8.self) { unsafe $0.map { Float($0) } }
        case .u64: unsafe withElements(as: UInt64.self) { unsafe $0.map { Float($0) } }
        case .u32: unsafe withElements(as: UInt32.self) { unsafe $0.map { Float($0) } }
        case .u16: unsafe withElements(as: UInt16.self) { unsafe $0.map { Float($0) } }
        case .u8: unsafe withElements(as: UInt8.self) { unsafe $0.map { Float($0) } }
        case .bool: throw Failure(.data, "a tensor of BOOL where numbers are expected")
        }
    }

    /// The elements of an integer type; a u64 beyond `Int.max` is an error.
    public func integers() throws -> [Int] {
        switch dtype {
        case .i64: return unsafe withElements(as: Int64.self) { unsafe $0.map { Int($0) } }
        case .i32: return unsafe withElements(as: Int32.self) { unsafe $0.map { Int($0) } }
        case .i16: return unsafe withElements(as: Int16.self) { unsafe $0.map { Int($0) } }
        case .i8: return unsafe withElements(as: Int8.self) { unsafe $0.map { Int($0) } }
        case .u32: return unsafe withElements(as: UInt32.self) { unsafe $0.map { Int($0) } }
        case .u16: return unsafe withElements(as: UInt16.self) { unsafe $0.map { Int($0) } }
        case .u8: return unsafe withElements(as: UInt8.self) { unsafe $0.map { Int($0) } }
        case .u64:
            return try unsafe withElements(as: UInt64.self) { values in
                try unsafe values.map { value in
                    guard let value = Int(exactly: value) else {
                        throw Failure(.data, "the value \(value) in a tensor of U64, where at most \(Int.max) is expected")
                    }
                    return value
                }
            }
        case .f64, .f32, .f16, .bf16, .bool:
            throw Failure(.data, "a tensor of \(dtype.rawValue) where integers are expected")
        }
    }

    /// The same values as another floating type, rounded to nearest, ties to even.
    public func converted(to target: DType) throws -> Tensor {
        if target == dtype { return self }
        let values = try floats()
        switch target {
        case .f32: return Tensor(values, .f32, shape)
        case .f64 where dtype.isFloating: return Tensor(values.map { Double($0) }, .f64, shape)
        case .f16: return Tensor(values.map { Half.f16(from: $0) }, .f16, shape)
        case .bf16: return Tensor(values.map { Half.bf16(from: $0) }, .bf16, shape)
        default: throw Failure(.data, "a tensor of \(dtype.rawValue) cannot be turned into \(target.rawValue)")
        }
    }
}

/// Conversions of the two 16-bit floating types by their bits.
///
/// They use plain integers, because without hardware instructions `Float16` calls a function for each element.
enum Half {
    static func float(fromBF16 bits: UInt16) -> Float { Float(bitPattern: UInt32(bits) << 16) }

    static func bf16(from value: Float) -> UInt16 {
        let bits = value.bitPattern
        if value.isNaN { return UInt16(truncatingIfNeeded: bits >> 16) | 0x40 }
        return UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ (bits >> 16 & 1)) >> 16)
    }

    static func float(fromF16 bits: UInt16) -> Float {
        let sign = UInt32(bits & 0x8000) << 16
        let rest = UInt32(bits & 0x7FFF)
        if rest >= 0x7C00 { return Float(bitPattern: sign | 0x7F80_0000 | (rest & 0x3FF) << 13) }
        // With exponent and fraction shifted into place, the value is too small by 2^112; the product is exact, also
        // for subnormals.
        let magnitude = Float(bitPattern: rest << 13) * 0x1p112
        return Float(bitPattern: sign | magnitude.bitPattern)
    }

    static func f16(from value: Float) -> UInt16 {
        let sign = UInt16(truncatingIfNeeded: value.bitPattern >> 16) & 0x8000
        let rest = value.bitPattern & 0x7FFF_FFFF
        if rest > 0x7F80_0000 { return sign | 0x7E00 | UInt16(truncatingIfNeeded: rest >> 13) & 0x1FF }
        if rest >= 0x477F_F000 { return sign | 0x7C00 }  // 65520 and above round to infinity
        if rest < 0x3880_0000 {
            // Below 2^-14 the step is 2^-24. Adding 0.5, whose last bit is worth 2^-24, rounds to it.
            let sum = Float(bitPattern: rest) + 0.5
            return sign | UInt16(truncatingIfNeeded: sum.bitPattern &- 0x3F00_0000)
        }
        let rounded = rest &+ 0xFFF &+ (rest >> 13 & 1)
        return sign | UInt16(truncatingIfNeeded: (rounded &- 0x3800_0000) >> 13)
    }
}
