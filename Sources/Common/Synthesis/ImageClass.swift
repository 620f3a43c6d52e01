/// The common attributes of the images of one class: the silhouette of the objects and the ground.
public struct ImageClass: Sendable, Hashable {
    public let shape: Shape
    public let ground: Ground

    public init(_ shape: Shape, _ ground: Ground) {
        self.shape = shape
        self.ground = ground
    }

    /// The readable name: "ring-stripes".
    public var name: String { "\(shape)-\(ground)" }

    /// The maximum number of classes.
    public static let limit = Shape.allCases.count * Ground.allCases.count

    /// `count` classes in alphabetical order, so that a class's index is its label.
    ///
    /// Shapes and grounds alternate, so that among 24 classes each shape has three and each ground four: neither
    /// determines the class alone.
    public static func list(_ count: Int) -> [ImageClass] {
        precondition((1...limit).contains(count))
        let (shapes, grounds) = (Shape.allCases, Ground.allCases)
        // 8 shapes and 6 grounds repeat after 24 classes; then the grounds shift by one.
        return (0..<count).map { index in
            ImageClass(shapes[index % shapes.count], grounds[(index + index / 24) % grounds.count])
        }.sorted { $0.name < $1.name }
    }
}
