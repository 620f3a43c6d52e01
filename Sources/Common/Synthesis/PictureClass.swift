/// What the pictures of one class have in common: a silhouette and its fill. Nothing else is.
public struct PictureClass: Sendable, Hashable {
    public let shape: Shape
    public let fill: Fill

    public init(_ shape: Shape, _ fill: Fill) {
        self.shape = shape
        self.fill = fill
    }

    /// The word a person reads: "ring-striped".
    public var name: String { "\(shape)-\(fill)" }

    /// How many classes there can be.
    public static let limit = Shape.allCases.count * Fill.allCases.count

    /// `count` classes in the order of their names, so that a class's place is its label.
    ///
    /// Every shape comes once before any comes again, each time with another fill; so neither shape nor fill
    /// alone tells the class.
    public static func list(_ count: Int) -> [PictureClass] {
        precondition((1...limit).contains(count))
        let shapes = Shape.allCases
        let fills = Fill.allCases
        return (0..<count).map { index in
            let turn = index / shapes.count
            return PictureClass(shapes[index % shapes.count], fills[(index % shapes.count + turn) % fills.count])
        }.sorted { $0.name < $1.name }
    }
}
