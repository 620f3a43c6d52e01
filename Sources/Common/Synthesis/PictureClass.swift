/// What the pictures of one class have in common: the silhouette of its objects and the ground they lie on.
public struct PictureClass: Sendable, Hashable {
    public let shape: Shape
    public let ground: Ground

    public init(_ shape: Shape, _ ground: Ground) {
        self.shape = shape
        self.ground = ground
    }

    /// The word a person reads: "ring-stripes".
    public var name: String { "\(shape)-\(ground)" }

    /// How many classes there can be.
    public static let limit = Shape.allCases.count * Ground.allCases.count

    /// `count` classes in the order of their names, so that a class's place is its label.
    ///
    /// Every shape comes once before any comes again, each time on another ground; so neither shape nor ground
    /// alone tells the class.
    public static func list(_ count: Int) -> [PictureClass] {
        precondition((1...limit).contains(count))
        let shapes = Shape.allCases
        let grounds = Ground.allCases
        return (0..<count).map { index in
            let turn = index / shapes.count
            return PictureClass(shapes[index % shapes.count], grounds[(index % shapes.count + turn) % grounds.count])
        }.sorted { $0.name < $1.name }
    }
}
