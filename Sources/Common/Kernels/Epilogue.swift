import CProcessor

/// The operations on a layer's sums before they are stored:
///
///     y = activation(sums (+ y) + bias + residual)
///
/// A GEMM starts its sums with the bias and the residual, so that they need no extra pass. Winograd's output transform
/// adds them to a tile in registers. ``Rows/apply(_:to:into:rows:width:)`` applies the epilogue to rows that are still
/// in the cache.
public struct Epilogue {
    /// Whether to add to the contents of y.
    public var accumulates: Bool
    /// One number per column.
    public var bias: UnsafePointer<Float>?
    /// Has y's shape and stride.
    public var residual: UnsafePointer<Float>?
    public var activation: Activation
    /// The store policy: non-temporal stores, for y larger than the caches. Every whole vector of y must then be
    /// aligned to 64 bytes.
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
    /// Adds the sums to the contents of y.
    public static var accumulate: Epilogue { Epilogue(accumulates: true) }

    /// Whether sums are stored unchanged.
    public var isPlain: Bool { !accumulates && bias == nil && residual == nil && activation == .none }
    /// Whether ``GEMM`` can apply all of it.
    public var fitsGEMM: Bool { activation == .none || activation == .relu }

    /// The epilogue from row `row` of y on, where rows are `stride` floats apart.
    public func advanced(rows row: Int, stride: Int) -> Epilogue {
        var moved = self
        moved.residual = residual.map { $0 + row * stride }
        return moved
    }

    /// The epilogue from column `column` on.
    @inlinable
    public func advanced(columns column: Int) -> Epilogue {
        var moved = self
        moved.bias = bias.map { $0 + column }
        moved.residual = residual.map { $0 + column }
        return moved
    }
}
