public import Networks
public import Optimizers

/// What a method requires of a record of images.
public struct Inputs: Sendable {
    /// The number of views of each image in each group of crops.
    ///
    /// The group of `images` comes first. A stream may have additional groups. The range of an optional group starts
    /// at 0.
    public let groups: [ClosedRange<Int>]
    /// Whether every image must have a label.
    public let labels: Bool
    /// The teacher output that must come with the images; nil for none.
    public let teacher: TeacherOutput?
    /// Whether the views are those of an image, of another image of its bag, and a mix of the two: `augment --bags`.
    public let bags: Bool
    /// Whether the method's paper or program mixes the images of a batch: `augment --mix-up`.
    public let isMixed: Bool
    /// Whether rows of several teachers are required, which `make distill` does not provide.
    public let hasSeveralTeachers: Bool

    /// The number of views of each image in the first group.
    public var views: ClosedRange<Int> { groups[0] }
    /// The minimum number of views in each group.
    public var leastViews: [Int] { groups.map(\.lowerBound) }

    /// - Parameter groups: views in additional groups of crops.
    public init(views: ClosedRange<Int>, groups: [ClosedRange<Int>] = [], labels: Bool = false, teacher: TeacherOutput? = nil, bags: Bool = false, isMixed: Bool = false, hasSeveralTeachers: Bool = false) {
        self.groups = [views] + groups
        self.labels = labels
        self.teacher = teacher
        (self.bags, self.isMixed, self.hasSeveralTeachers) = (bags, isMixed, hasSeveralTeachers)
    }
}

/// The kinds of teacher output in a stream, as `embed` adds them.
public enum TeacherOutput: Sendable, Equatable {
    /// The head's output at unit length.
    case embedding
    /// The head's output at unit length, for every view of a group of crops.
    case groupEmbeddings(Int)
    /// The unnormalised pooled features.
    case features
    /// The unnormalised output of the head: of a classifier, or of prototypes.
    case logits

    /// The head's output at unit length, for every view of the first group of crops.
    public static let viewEmbeddings = TeacherOutput.groupEmbeddings(0)

    /// The name of the tensor, f32 (N, D), or (N, V, D) for V views.
    public var tensor: String { if case .groupEmbeddings(let group) = self { tensor(ofGroup: group) } else { stem } }

    private var stem: String {
        switch self {
        case .embedding, .groupEmbeddings: "teacher"
        case .features: "features"
        case .logits: "logits"
        }
    }

    /// The name of the tensor for all views of a group of crops, f32 (N, V, D): "teacher.1".
    public func tensor(ofGroup group: Int) -> String { "\(stem).\(group)" }

    /// Whether it is the head's output at unit length, as wide as the student's.
    public var isEmbedding: Bool { stem == TeacherOutput.embedding.stem }

    /// The `embed` options that add it.
    public var embedOptions: [String] {
        switch self {
        case .embedding: []
        case .groupEmbeddings(let group): ["--group", "\(group)"]
        case .features: ["--features"]
        case .logits: ["--logits"]
        }
    }
}

/// A network that a method trains or keeps. Its name is the prefix of its tensor names in the checkpoint.
public struct Model: Sendable {
    public enum Kind: Sendable {
        /// Trained by the gradient; the result of the training.
        case student
        /// A moving average: θ ← m·θ + (1 − m)·θ_of once per step.
        ///
        /// It starts as a copy or with its own random numbers.
        case average(of: String, momentum: AverageMomentum, when: AverageTime, isCopy: Bool)
        /// A separate head on an output of the student, trained by the gradient, such as BYOL's predictor.
        ///
        /// The closure takes the width of that output.
        case head(on: Pass.Output, @Sendable (Int) -> Head)
    }

    /// When a moving average is updated in a step.
    public enum AverageTime: Sendable {
        /// Before the passes, as in MoCo.
        case beforePasses
        /// After the weights are updated, as in BYOL and CompRess.
        case afterStep
    }

    public let name: String
    public let kind: Kind

    /// - Precondition: `name` does not clash with other tensors of a training (`TrainingState`).
    init(name: String, kind: Kind) {
        precondition(name != "loss" && !OptimizerSlot.allCases.contains { $0.rawValue == name })
        (self.name, self.kind) = (name, kind)
    }

    /// The network of this model, given the student's network.
    public func network(beside student: Network) -> Network {
        guard case .head(let output, let head) = kind else { return student }
        let width = output.width(student)
        return Network(head(width), inputs: width)
    }

    /// Whether the gradient trains it.
    public var isTrained: Bool { if case .average = kind { false } else { true } }

    public static let student = Model(name: "student", kind: .student)
    public static func head(_ name: String, on output: Pass.Output = .embedding, _ head: @escaping @Sendable (_ width: Int) -> Head) -> Model {
        Model(name: name, kind: .head(on: output, head))
    }
    public static func average(_ name: String, of other: Model = .student, momentum: Double) -> Model {
        average(name, of: other, momentum: .constant(momentum), when: .beforePasses)
    }
    public static func average(_ name: String, of other: Model = .student, momentum: AverageMomentum, when time: AverageTime, isCopy: Bool = true) -> Model {
        Model(name: name, kind: .average(of: other.name, momentum: momentum, when: time, isCopy: isCopy))
    }
}

/// One forward pass of a model in a step. Its activations are kept until its backward pass, if it has one.
public struct Pass: Sendable {
    public indirect enum Input: Sendable {
        /// View v of every image, counted over all groups of crops: N rows.
        case view(Int)
        /// All V views of the first group of every image as one batch: row V·n + v is view v of image n.
        case allViews
        /// All V views of group g of every image as one batch.
        ///
        /// If the group is optional and absent from the stream, the pass is skipped.
        case group(Int)
        /// The concatenated outputs of earlier passes of the step, of those that have run.
        ///
        /// The gradient of this pass's input is propagated to each of them that has a gradient. A model with a trunk
        /// then runs only its head, on features.
        case outputs(of: [Pass])

        /// The output of a single pass.
        public static func output(of pass: Pass) -> Input { .outputs(of: [pass]) }
    }

    /// Which output of a network a pass returns.
    public enum Output: Sendable {
        /// The output of the head.
        case embedding
        /// The pooled features. The head takes no part in the pass and receives no gradient.
        case features

        /// The width of this output.
        public func width(_ network: Network) -> Int { self == .features ? network.featureWidth : network.embeddingWidth }
    }

    public let name: String
    public let model: String
    public let input: Input
    public let output: Output
    public let hasGradient: Bool
    /// Whether rows pass through in random order, so that no batch norm group holds the same images as that of
    /// another pass.
    ///
    /// Outputs are in the order of the images.
    public let isShuffled: Bool
    /// Whether the network runs in inference mode, with its running statistics: for a model that does not learn
    /// during the whole training.
    public let isInference: Bool

    public init(
        _ name: String, model: String = Model.student.name, _ input: Input, output: Output = .embedding, hasGradient: Bool = true, isShuffled: Bool = false,
        isInference: Bool = false
    ) {
        precondition(!isInference || !hasGradient && !isShuffled, "pass \(name) has no gradient in inference")
        (self.name, self.model, self.input, self.output) = (name, model, input, output)
        (self.hasGradient, self.isShuffled, self.isInference) = (hasGradient, isShuffled, isInference)
    }

    /// The number of rows for N images with `views` views in each group.
    public func rows(N: Int, views: [Int]) -> Int {
        switch input {
        case .view: N
        case .allViews: N * (views.first ?? 0)
        case .group(let group): N * (group < views.count ? views[group] : 0)
        case .outputs(let passes): passes.reduce(0) { $0 + $1.rows(N: N, views: views) }
        }
    }

    /// Whether the pass reads images rather than the outputs of other passes.
    public var readsImages: Bool { if case .outputs = input { false } else { true } }
}
