/// The partition of an image into tiles.
extension Winograd {
    /// One side of the output: tiles of four pixels first, then as many of three as make the tiles end with the side.
    public struct Cut: Sendable, Equatable {
        public let fours, threes: Int

        init(_ side: Int) {
            let tiles = (side + 3) / 4
            threes = min(tiles, 4 * tiles - side)
            fours = tiles - threes
        }

        public var tiles: Int { fours + threes }
        /// The first output pixel of tile `index`.
        public func start(_ index: Int) -> Int { 4 * index - max(0, index - fours) }
        /// The number of output pixels of tile `index`.
        public func outputs(_ index: Int) -> Int { index < fours ? 4 : 3 }
        /// The number of elements in all tiles' transforms: six for a tile of four, five for one of three.
        var elements: Int { 6 * fours + 5 * threes }
    }

    /// The number of tiles in one image.
    public var tiles: Int { down.tiles * across.tiles }
    /// The number of multiplications for one image and one pair of channels.
    public var products: Int { down.elements * across.elements }

    /// A tile of image n, at row y and column x of the grid of tiles.
    public struct Tile: Equatable {
        public let n, y, x: Int
    }

    /// The order of the tiles in a batch: over all images first those of 4×3 outputs, then 4×4, 3×4 and 3×3. In this
    /// order the tiles that have a given element in their transforms are always contiguous.
    public struct Order {
        let down, across: Cut
        /// The end indices of the four kinds.
        private let narrow, whole, low, all: Int

        init(_ down: Cut, _ across: Cut, N: Int) {
            (self.down, self.across) = (down, across)
            narrow = N * down.fours * across.threes
            whole = narrow + N * down.fours * across.fours
            low = whole + N * down.threes * across.fours
            all = low + N * down.threes * across.threes
        }

        public subscript(number: Int) -> Tile {
            func tile(_ rest: Int, _ rows: Int, _ columns: Int, top: Int, left: Int) -> Tile {
                let (n, element) = rest.quotientAndRemainder(dividingBy: rows * columns)
                return Tile(n: n, y: top + element / columns, x: left + element % columns)
            }
            if number < narrow { return tile(number, down.fours, across.threes, top: 0, left: across.fours) }
            if number < whole { return tile(number - narrow, down.fours, across.fours, top: 0, left: 0) }
            if number < low { return tile(number - whole, down.threes, across.fours, top: down.fours, left: 0) }
            return tile(number - low, down.threes, across.threes, top: down.fours, left: across.fours)
        }

        /// The tiles of `range`, counted from its start, that have element `element` of 36. Those of three outputs lack
        /// one row or column.
        public func having(_ element: Int, in range: Range<Int>) -> Range<Int> {
            let lacksNarrow = !SideOfThree.has(element % 6), lacksLow = !SideOfThree.has(element / 6)
            let having = (lacksNarrow ? narrow : 0)..<(lacksLow ? whole : lacksNarrow ? low : all)
            let own = range.clamped(to: having)
            return own.isEmpty ? 0..<0 : (own.lowerBound - range.lowerBound)..<(own.upperBound - range.lowerBound)
        }
    }

    /// The first pixel of an image tile and its line stride in floats. A tile that extends past the edge is copied into
    /// `border` as a square of `side` pixels, zero outside the image.
    @inline(__always)
    static func corner(
        _ image: UnsafePointer<Float>, C: Int, H: Int, W: Int, top: Int, left: Int, rows: Int, columns: Int, side: Int,
        border: UnsafeMutablePointer<Float>
    ) -> (first: UnsafePointer<Float>, line: Int) {
        if top >= 0 && left >= 0 && top + rows <= H && left + columns <= W { return (image + (top * W + left) * C, W * C) }
        copyTile(image, C: C, H: H, W: W, top: top, left: left, side: side, into: border)
        return (UnsafePointer(border), side * C)
    }

    /// Copies a tile of side² pixels that extends past the edge, with zeros outside the image.
    private static func copyTile(
        _ image: UnsafePointer<Float>, C: Int, H: Int, W: Int, top: Int, left: Int, side: Int, into border: UnsafeMutablePointer<Float>
    ) {
        border.update(repeating: 0, count: side * side * C)
        let inside = max(0, left)..<max(0, left, min(W, left + side))
        for y in max(0, top)..<max(0, top, min(H, top + side)) {
            (border + ((y - top) * side + inside.lowerBound - left) * C)
                .update(from: image + (y * W + inside.lowerBound) * C, count: inside.count * C)
        }
    }

    /// The order of the tiles of N images.
    public func order(N: Int) -> Order { Order(down, across, N: N) }
}
