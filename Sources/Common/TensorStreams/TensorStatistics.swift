/// The range and mean of a tensor's values.
public struct TensorStatistics: Sendable, Equatable {
    /// The smallest and largest finite value; nil where there is none.
    public var range: ClosedRange<Double>? { finite > 0 ? low...high : nil }
    /// The mean of the finite values.
    public var mean: Double? { finite > 0 ? sum / Double(finite) : nil }
    public private(set) var nans = 0
    public private(set) var infinities = 0
    private var low = Double.infinity
    private var high = -Double.infinity
    private var sum = 0.0
    private var finite = 0

    /// Starts without values.
    public init() {}

    /// The statistics of `tensor`; false counts as 0 and true as 1.
    public init(_ tensor: Tensor) { add(tensor) }

    /// Adds the values of `tensor`.
    public mutating func add(_ tensor: Tensor) {
        switch tensor.dtype {
        case .f64: take(tensor, Double.self) { $0 }
        case .f32: take(tensor, Float.self) { Double($0) }
        case .f16: take(tensor, UInt16.self) { Double(Half.float(fromF16: $0)) }
        case .bf16: take(tensor, UInt16.self) { Double(Half.float(fromBF16: $0)) }
        case .i64: take(tensor, Int64.self) { Double($0) }
        case .i32: take(tensor, Int32.self) { Double($0) }
        case .i16: take(tensor, Int16.self) { Double($0) }
        case .i8: take(tensor, Int8.self) { Double($0) }
        case .u64: take(tensor, UInt64.self) { Double($0) }
        case .u32: take(tensor, UInt32.self) { Double($0) }
        case .u16: take(tensor, UInt16.self) { Double($0) }
        case .u8, .bool: take(tensor, UInt8.self) { Double($0) }
        }
    }

    @inline(__always)
    private mutating func take<T: BitwiseCopyable>(_ tensor: Tensor, _ type: T.Type, _ double: (T) -> Double) {
        var (low, high, sum, finite) = (self.low, self.high, self.sum, self.finite)
        unsafe tensor.withElements(as: T.self) { values in
            for index in values.indices {
                let value = unsafe double(values[index])
                if value.isFinite {
                    low = min(low, value)
                    high = max(high, value)
                    sum += value
                    finite += 1
                } else if value.isNaN {
                    nans += 1
                } else {
                    infinities += 1
                }
            }
        }
        (self.low, self.high, self.sum, self.finite) = (low, high, sum, finite)
    }
}
