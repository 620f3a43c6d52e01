public import Networks
public import Optimizers

/// What a method needs of a record of images.
public struct Inputs: Sendable {
    /// Views of each image in each group of crops, that of `images` first; of further groups a stream may have more. One that may be left out
    /// begins with 0.
    public let groups: [ClosedRange<Int>]
    /// Whether every image must have a label.
    public let labels: Bool
    /// What of a teacher must come with the images; nil for nothing.
    public let teacher: TeacherOutput?
    /// Whether views are those of an image and of another of its bag, and a mix of the two: `augment --bags`.
    public let bags: Bool
    /// Whether its paper or program mixes the images of a batch: `augment --mix-up`.
    public let isMixed: Bool
    /// Whether several teachers' rows are wanted, which `make distill` has not.
    public let hasSeveralTeachers: Bool

    /// Views of each image in the first group.
    public var views: ClosedRange<Int> { groups[0] }
    /// The least of each group.
    public var leastViews: [Int] { groups.map(\.lowerBound) }

    /// - Parameter groups: views in further groups of crops.
    public init(views: ClosedRange<Int>, groups: [ClosedRange<Int>] = [], labels: Bool = false, teacher: TeacherOutput? = nil, bags: Bool = false, isMixed: Bool = false, hasSeveralTeachers: Bool = false) {
        self.groups = [views] + groups
        self.labels = labels
        self.teacher = teacher
        (self.bags, self.isMixed, self.hasSeveralTeachers) = (bags, isMixed, hasSeveralTeachers)
    }
}

/// What a stream may hold of a teacher, as `embed` adds it.
public enum TeacherOutput: Sendable, Equatable {
    /// The head's output at unit length.
    case embedding
    /// The same of every view of a group of crops.
    case groupEmbeddings(Int)
    /// The pooled features as they are.
    case features
    /// The head's output as it is: of a classifier, or of prototypes.
    case logits

    /// The same of every view of the first group of crops.
    public static let viewEmbeddings = TeacherOutput.groupEmbeddings(0)

    /// What the tensor is called, f32 (N, D), or (N, V, D) of V views.
    public var tensor: String { if case .groupEmbeddings(let group) = self { tensor(ofGroup: group) } else { stem } }

    private var stem: String {
        switch self {
        case .embedding, .groupEmbeddings: "teacher"
        case .features: "features"
        case .logits: "logits"
        }
    }

    /// What that of all views of a group of crops is called, f32 (N, V, D): "teacher.1".
    public func tensor(ofGroup group: Int) -> String { "\(stem).\(group)" }

    /// Whether it is the head's output at unit length, as wide as the student's.
    public var isEmbedding: Bool { stem == TeacherOutput.embedding.stem }

    /// The options of `embed` that add it.
    public var embedOptions: [String] {
        switch self {
        case .embedding: []
        case .groupEmbeddings(let group): ["--group", "\(group)"]
        case .features: ["--features"]
        case .logits: ["--logits"]
        }
    }
}

/// A network that a method trains or keeps. Its name is the beginning of its tensors' names in the checkpoint.
public struct Model: Sendable {
    public enum Kind: Sendable {
        /// Trained by the gradient; what the training is for.
        case student
        /// θ ← m·θ + (1 − m)·θ_of once a step; begins as a copy, or with random numbers of its own.
        case average(of: String, momentum: AverageMomentum, when: AverageTime, isCopy: Bool)
        /// A head of its own on what the student gives, trained by the gradient: BYOL's predictor. Made for the width of that.
        case head(on: Pass.Output, @Sendable (Int) -> Head)
    }

    /// When an average moves in a step.
    public enum AverageTime: Sendable {
        /// Before the passes: MoCo's.
        case beforePasses
        /// Once the weights have moved: BYOL's and CompRess's.
        case afterStep
    }

    public let name: String
    public let kind: Kind

    /// - Precondition: the name is not that of other tensors of a training (TrainingState).
    init(name: String, kind: Kind) {
        precondition(name != "loss" && !OptimizerSlot.allCases.contains { $0.rawValue == name })
        (self.name, self.kind) = (name, kind)
    }

    /// The network that it is, beside a student.
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

/// One pass forward of a model in a step. Its activations stay until its backward pass, where it has one.
public struct Pass: Sendable {
    public indirect enum Input: Sendable {
        /// View v of every image, counted over all groups of crops: N rows.
        case view(Int)
        /// All V views of the first group of every image as one batch: row V·n + v is view v of image n.
        case allViews
        /// The same of group g. Where the stream does not have it, and need not, the pass is left out.
        case group(Int)
        /// The outputs of earlier passes of the step, one behind the other, of those that have run. The gradient of this pass's input is propagated on to each that has a
        /// gradient. A model with a trunk then runs its head alone: on features.
        case outputs(of: [Pass])

        /// The output of one.
        public static func output(of pass: Pass) -> Input { .outputs(of: [pass]) }
    }

    /// What of a network a pass gives.
    public enum Output: Sendable {
        /// What its head makes.
        case embedding
        /// The pooled features: the head has no part in the pass, and no gradient.
        case features

        /// Numbers in what a network gives.
        public func width(_ network: Network) -> Int { self == .features ? network.featureWidth : network.embeddingWidth }
    }

    public let name: String
    public let model: String
    public let input: Input
    public let output: Output
    public let hasGradient: Bool
    /// Whether rows go through in a random order, so that no group of batch norm holds the same images as another pass's does. Outputs come
    /// in the images' order.
    public let isShuffled: Bool
    /// Whether the network runs as in inference, by its running statistics: of a model that does not learn in the whole training.
    public let isInference: Bool

    public init(
        _ name: String, model: String = Model.student.name, _ input: Input, output: Output = .embedding, hasGradient: Bool = true, isShuffled: Bool = false,
        isInference: Bool = false
    ) {
        precondition(!isInference || !hasGradient && !isShuffled, "pass \(name) has no gradient in inference")
        (self.name, self.model, self.input, self.output) = (name, model, input, output)
        (self.hasGradient, self.isShuffled, self.isInference) = (hasGradient, isShuffled, isInference)
    }

    /// Rows for N images of so many views in each group.
    public func rows(N: Int, views: [Int]) -> Int {
        switch input {
        case .view: N
        case .allViews: N * (views.first ?? 0)
        case .group(let group): N * (group < views.count ? views[group] : 0)
        case .outputs(let passes): passes.reduce(0) { $0 + $1.rows(N: N, views: views) }
        }
    }

    /// Whether it reads images, not the outputs of other passes.
    public var readsImages: Bool { if case .outputs = input { false } else { true } }
}
