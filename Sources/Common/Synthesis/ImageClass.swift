/// What the images of one class have in common: the silhouette of its objects and the ground they lie on.
public struct ImageClass: Sendable, Hashable {
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
    /// Shapes and grounds take turns, so that of 24 classes each shape has three and each ground four: neither alone tells the class.
    public static func list(_ count: Int) -> [ImageClass] {
        precondition((1...limit).contains(count))
        let (shapes, grounds) = (Shape.allCases, Ground.allCases)
        // Taking turns, 8 shapes and 6 grounds meet again after 24 classes; then the grounds move on by one.
        return (0..<count).map { index in
            ImageClass(shapes[index % shapes.count], grounds[(index + index / 24) % grounds.count])
        }.sorted { $0.name < $1.name }
    }
}
