/// Column sums of a product, taken from the registers it is computed in: for every column Σ (y − s) and Σ (y − s)²,
/// where s is the first row.
///
/// s is usually close enough to the mean that little cancels.
public struct ColumnSums {
    /// The first row, the sums and the sums of squares, each padded to whole panels.
    private let memory: UnsafeMutablePointer<Float>
    private let width: Int

    /// - Parameter memory: ``floats(n:)`` floats, uninitialized.
    public init(_ memory: UnsafeMutablePointer<Float>, n: Int) { self.init(memory: memory, width: Self.width(n)) }

    private init(memory: UnsafeMutablePointer<Float>, width: Int) {
        self.memory = memory
        self.width = width
    }

    /// The number of floats for a product of `n` columns.
    public static func floats(n: Int) -> Int { 3 * width(n) }
    private static func width(_ n: Int) -> Int { (n + Panels.width - 1) / Panels.width * Panels.width }

    public var origin: UnsafePointer<Float> { UnsafePointer(memory) }
    public var sums: UnsafePointer<Float> { UnsafePointer(memory + width) }
    public var squares: UnsafePointer<Float> { UnsafePointer(memory + 2 * width) }

    func moved(_ columns: Int) -> ColumnSums { ColumnSums(memory: memory + columns, width: width) }

    /// Adds the rows of a tile.
    @inline(__always)
    func add<T: Tile>(_ tile: T, isFirst: Bool) {
        var (origin, sum, squares) = (tile.first, T.Row(), T.Row())
        if isFirst {
            origin.store(memory, stride: 0)
        } else {
            origin = T.Row(memory, stride: 0)
            sum = T.Row(memory + width, stride: 0)
            squares = T.Row(memory + 2 * width, stride: 0)
        }
        tile.addDistances(from: origin, to: &sum, &squares)
        sum.store(memory + width, stride: 0)
        squares.store(memory + 2 * width, stride: 0)
    }
}
