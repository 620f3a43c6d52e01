import CProcessor

/// What is done to a layer's sums before they are stored:
///
///     y = activation(sums (+ y) + bias + residual)
///
/// A GEMM starts its sums with the bias and the residual, so that they cost no pass of their own; Winograd's output transform adds them to a tile
/// in registers; ``Rows/apply(_:to:into:rows:width:)`` does it to rows that are still in the cache.
public struct Epilogue {
    /// Adds to what is in y.
    public var accumulates: Bool
    /// A number for each column.
    public var bias: UnsafePointer<Float>?
    /// Of y's shape and stride.
    public var residual: UnsafePointer<Float>?
    public var activation: Activation
    /// The store policy: non-temporal stores, where y exceeds the caches. Every whole vector of y must be aligned to 64 bytes then.
    public var isNonTemporal: Bool

    public init(
        accumulates: Bool = false, bias: UnsafePointer<Float>? = nil, residual: UnsafePointer<Float>? = nil, activation: Activation = .none,
        isNonTemporal: Bool = false
    ) {
        (self.accumulates, self.bias, self.residual) = (accumulates, bias, residual)
        (self.activation, self.isNonTemporal) = (activation, isNonTemporal)
    }

    /// Stores the sums.
    public static var store: Epilogue { Epilogue() }
    /// Adds the sums to what is there.
    public static var accumulate: Epilogue { Epilogue(accumulates: true) }

    /// Whether sums are stored as they are.
    public var isPlain: Bool { !accumulates && bias == nil && residual == nil && activation == .none }
    /// Whether ``GEMM`` does all of it.
    public var fitsGEMM: Bool { activation == .none || activation == .relu }

    /// From row `row` of y on, whose rows lie `stride` floats apart.
    public func advanced(rows row: Int, stride: Int) -> Epilogue {
        var moved = self
        moved.residual = residual.map { $0 + row * stride }
        return moved
    }

    /// From column `column` on.
    @inlinable
    public func advanced(columns column: Int) -> Epilogue {
        var moved = self
        moved.bias = bias.map { $0 + column }
        moved.residual = residual.map { $0 + column }
        return moved
    }
}
