public import Layers

/// The position embeddings of a transformer.
public struct PositionTable: Sendable, Equatable {
    /// The number of positions on a side of the grid.
    public let side: Int
    /// Whether the class token also has one, before the others.
    public let hasClass: Bool
    /// How they are resized to other grids.
    public let interpolation: PositionGrid.Interpolation

    public init(side: Int, hasClass: Bool = true, interpolation: PositionGrid.Interpolation = .plain) {
        (self.side, self.hasClass, self.interpolation) = (side, hasClass, interpolation)
    }

    /// The table of `count` embeddings, a square or one more. nil if it is neither, or if it is more than an image can
    /// have patches.
    public init?(count: Int, interpolation: PositionGrid.Interpolation = .plain) {
        guard (1...(1 << 20)).contains(count) else { return nil }
        let side = Int(Double(count).squareRoot())
        if side * side == count {
            self.init(side: side, hasClass: false, interpolation: interpolation)
        } else if side * side == count - 1 {
            self.init(side: side, interpolation: interpolation)
        } else {
            return nil
        }
    }

    public var count: Int { side * side + (hasClass ? 1 : 0) }
}
