public import Networks

/// What a method needs of a record of images.
public struct Inputs: Sendable {
    /// Views of each image in each group of crops, that of `images` first; of further groups a stream may have more. One that may be left out
    /// begins with 0.
    public let groups: [ClosedRange<Int>]
    /// Whether every image must have a label.
    public let labels: Bool
    /// Whether the embeddings of a teacher must come with the images.
    public let teacher: Bool

    /// Views of each image in the first group.
    public var views: ClosedRange<Int> { groups[0] }
    /// The least of each group.
    public var leastViews: [Int] { groups.map(\.lowerBound) }

    /// - Parameter groups: views in further groups of crops.
    public init(views: ClosedRange<Int>, groups: [ClosedRange<Int>] = [], labels: Bool = false, teacher: Bool = false) {
        self.groups = [views] + groups
        self.labels = labels
        self.teacher = teacher
    }
}

/// A network that a method trains or keeps. Its name is the beginning of its tensors' names in the checkpoint.
public struct Model: Sendable {
    public enum Kind: Sendable {
        /// Trained by the gradient; what the training is for.
        case student
        /// θ ← m·θ + (1 − m)·θ_of before each step; begins as a copy.
        case average(of: String, momentum: Double)
        /// A head of its own on embeddings of the student, trained by the gradient: BYOL's predictor. Made for their width.
        case head(@Sendable (Int) -> Head)
    }

    public let name: String
    public let kind: Kind

    /// - Precondition: the name is not that of other tensors of a training (TrainingState).
    init(name: String, kind: Kind) {
        precondition(!["momentum", "loss"].contains(name))
        (self.name, self.kind) = (name, kind)
    }

    public static let student = Model(name: "student", kind: .student)
    public static func head(_ name: String, _ head: @escaping @Sendable (_ width: Int) -> Head) -> Model { Model(name: name, kind: .head(head)) }
    public static func average(_ name: String, of other: Model = .student, momentum: Double) -> Model {
        Model(name: name, kind: .average(of: other.name, momentum: momentum))
    }
}

/// One pass forward of a model in a step. Its activations stay until its backward pass, where it has one.
public struct Pass: Sendable {
    public indirect enum Input: Sendable {
        /// View v of every image, counted over all groups of crops: N rows.
        case view(Int)
        /// All V views of the first group of every image as one batch: row V·n + v is view v of image n.
        case allViews
        /// The same of group g. Where the stream does not have it, and need not, the pass is left out.
        case group(Int)
        /// The output of an earlier pass of the step. The gradient of this pass's input is propagated on to that one, if it has a gradient.
        case output(of: Pass)
    }

    public let name: String
    public let model: String
    public let input: Input
    public let hasGradient: Bool
    /// Whether rows go through in a random order, so that no group of batch norm holds the same images as another pass's does. Outputs come
    /// in the images' order.
    public let isShuffled: Bool

    public init(_ name: String, model: String = Model.student.name, _ input: Input, hasGradient: Bool = true, isShuffled: Bool = false) {
        (self.name, self.model, self.input) = (name, model, input)
        (self.hasGradient, self.isShuffled) = (hasGradient, isShuffled)
    }

    /// Rows for N images of so many views in each group.
    public func rows(N: Int, views: [Int]) -> Int {
        switch input {
        case .view: N
        case .allViews: N * (views.first ?? 0)
        case .group(let group): N * (group < views.count ? views[group] : 0)
        case .output(let pass): pass.rows(N: N, views: views)
        }
    }
}
