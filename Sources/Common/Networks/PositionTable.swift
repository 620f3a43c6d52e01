public import Layers

/// The position embeddings that a transformer has.
public struct PositionTable: Sendable, Equatable {
    /// Places on a side of the grid.
    public let side: Int
    /// Whether the class token has one too, before them.
    public let hasClass: Bool
    /// How they are brought to other sizes.
    public let interpolation: PositionGrid.Interpolation

    public init(side: Int, hasClass: Bool = true, interpolation: PositionGrid.Interpolation = .plain) {
        (self.side, self.hasClass, self.interpolation) = (side, hasClass, interpolation)
    }

    /// Of `count` embeddings, which are a square or one more; nil where they are neither, or more than an image has patches.
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
