public import Networks
public import TensorStreams

/// A training method: what it needs, what it computes, what it keeps.
///
/// A method is one file in this folder and a line in ``Methods``. ``Trainer`` knows none of them: it runs ``passes`` over ``models``, hands the
/// outputs to ``loss(_:_:)``, takes the gradients back through the passes and moves the weights.
///
/// Outputs are a network's as they are: to normalise rows is the objective's own business.
public protocol Objective: SendableMetatype {
    /// As `--objective` takes it: "moco-v2".
    static var name: String { get }
    /// What it trains for, in a few words, with its source.
    static var summary: String { get }
    /// What it takes besides what every training has.
    static var options: [any AnyMethodOption] { get }
    /// What it needs of a record.
    static var inputs: Inputs { get }
    /// Whether a program may give the loss in its place (``PairObjective``).
    static var takesLossProgram: Bool { get }
    /// Whether the targets stay the same from epoch to epoch, so that a divergence that does not fall means that nothing was learnt.
    static var hasFixedTargets: Bool { get }
    /// All networks that it trains or keeps; the first is the student, which is the checkpoint's own.
    static func models(_ options: MethodOptions) -> [Model]
    /// What goes forward in each step, in this order.
    static func passes(_ options: MethodOptions) -> [Pass]
    /// Groups of a batch of N that batch norm treats apart, where no number is asked for.
    static func normalizationGroups(_ N: Int) -> Int
    /// Whether weight decay moves a parameter.
    static func decays(_ parameter: Parameter) -> Bool

    init(_ options: MethodOptions, _ facts: TrainingFacts) throws

    /// Takes back what ``finish()`` gave at the end of the epoch before. Called once, before the first step; empty for a new training.
    mutating func restore(_ state: [String: Tensor]) throws
    /// The tensor of the stream whose first rows are wanted before the first step; nil for none. Asked after ``restore(_:)``.
    var sampledTensor: String? { get }
    mutating func setSample(_ sample: Tensor)
    /// The loss of a batch, and its gradient with respect to the outputs of the passes that have one.
    ///
    /// - Throws: ``Failure`` where the batch is not what it needs.
    mutating func loss(_ outputs: Outputs, _ batch: Batch) throws -> Loss
    /// Called once the weights have moved: a place for what must hold of them.
    mutating func stepped(_ weights: [String: Weights])
    /// What it keeps for the next epoch, by name. Called once, after the last step.
    mutating func finish() throws -> [String: Tensor]
    /// What a person should know of it; asked after each step, each said once.
    mutating func takeNotes() -> [String]
    /// What to change where a student learns nothing, besides its learning rate: "take the teacher's mean off (--centre auto)".
    func remedies(_ report: StepReport) -> [String]
    /// The loss as one gives it to `--loss`, where it is one that a program may give; asked after the last step.
    var lossCommand: String? { get }
}

extension Objective {
    public static var takesLossProgram: Bool { false }
    public static var hasFixedTargets: Bool { false }
    public static func models(_ options: MethodOptions) -> [Model] { [.student] }
    public static func normalizationGroups(_ N: Int) -> Int { 1 }
    public static func decays(_ parameter: Parameter) -> Bool { true }
    public mutating func restore(_ state: [String: Tensor]) throws {}
    public var sampledTensor: String? { nil }
    public mutating func setSample(_ sample: Tensor) {}
    public mutating func stepped(_ weights: [String: Weights]) {}
    public mutating func finish() throws -> [String: Tensor] { [:] }
    public mutating func takeNotes() -> [String] { [] }
    public func remedies(_ report: StepReport) -> [String] { [] }
    public var lossCommand: String? { nil }
}

/// What a method needs of a record of images.
public struct Inputs: Sendable {
    /// Views of each image.
    public let views: ClosedRange<Int>
    /// Whether every image must have a label.
    public let labels: Bool
    /// Whether the embeddings of a teacher must come with the images.
    public let teacher: Bool

    init(views: ClosedRange<Int>, labels: Bool = false, teacher: Bool = false) {
        self.views = views
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
    }

    public let name: String
    public let kind: Kind

    public static let student = Model(name: "student", kind: .student)
    static func average(_ name: String, of other: Model = .student, momentum: Double) -> Model {
        Model(name: name, kind: .average(of: other.name, momentum: momentum))
    }
}

/// One pass forward of a model in a step. Its activations stay until its backward pass, where it has one.
public struct Pass: Sendable {
    public enum Input: Sendable {
        /// View v of every image: N rows.
        case view(Int)
        /// All V views of every image as one batch: row V·n + v is view v of image n.
        case allViews
    }

    public let name: String
    public let model: String
    public let input: Input
    public let hasGradient: Bool
    /// Whether rows go through in a random order, so that no group of batch norm holds the same images as another pass's does. Outputs come
    /// in the images' order.
    public let isShuffled: Bool

    init(_ name: String, model: String = Model.student.name, _ input: Input, hasGradient: Bool = true, isShuffled: Bool = false) {
        (self.name, self.model, self.input) = (name, model, input)
        (self.hasGradient, self.isShuffled) = (hasGradient, isShuffled)
    }

    /// Rows for N images of V views.
    public func rows(N: Int, views V: Int) -> Int {
        switch input {
        case .view: N
        case .allViews: N * V
        }
    }
}

/// What a pass has made: (N, D).
public struct PassOutput: Sendable {
    public let values: [Float]
    public let N: Int
    public let D: Int

    public init(_ values: [Float], N: Int, D: Int) {
        (self.values, self.N, self.D) = (values, N, D)
    }
}

/// What the passes of a step have made, by their names.
public struct Outputs: Sendable {
    private var outputs: [String: PassOutput] = [:]

    public init() {}

    public subscript(pass: Pass) -> PassOutput {
        get {
            guard let output = outputs[pass.name] else { preconditionFailure("pass \(pass.name) has not run") }
            return output
        }
        set { outputs[pass.name] = newValue }
    }
}

/// A record of the stream, and where it stands in the training.
public struct Batch: Sendable {
    public let record: TensorDocument
    /// Images.
    public let N: Int
    public let views: Int
    public let epoch: Int
    public let step: Int

    public init(_ record: TensorDocument, N: Int, views: Int, epoch: Int, step: Int) {
        (self.record, self.N, self.views, self.epoch, self.step) = (record, N, views, epoch, step)
    }

    /// The classes of the images (N).
    ///
    /// - Throws: ``Failure`` where one has none.
    public func labels() throws -> [Int32] {
        let labels = try record.tensor("label", .i32, shape: [N]).integers().map(Int32.init(truncatingIfNeeded:))
        guard labels.allSatisfy({ $0 >= 0 }) else {
            throw record.failure("has images without a label", remedy: "put images in folders named for their classes, or use --objective moco-v2")
        }
        return labels
    }
}

/// What an objective says of a batch.
public struct Loss: Sendable {
    /// The mean over the batch; not finite where the outputs are not.
    public let value: Double
    /// For each pass that has a gradient, that of ``value`` with respect to its output (N, D).
    public let gradients: [String: [Float]]
    public let metrics: [Metric]

    init(_ value: Double, gradients: [String: [Float]], metrics: [Metric] = []) {
        (self.value, self.gradients, self.metrics) = (value, gradients, metrics)
    }

    /// That of outputs that hold numbers that are not finite.
    static let notFinite = Loss(.nan, gradients: [:])
}

/// A number besides the loss that an objective tells of a batch. It stands in the log under its name.
public struct Metric: Sendable {
    public enum Combination: Sendable {
        /// Over an interval: the mean over images.
        case mean
        /// Over an interval: that of its last batch.
        case last
    }

    public enum Style: Sendable {
        /// In the line for people, so many digits behind the point.
        case number(Int)
        /// As a share of a hundred.
        case percent(Int)
        /// In the log alone.
        case hidden
    }

    /// As the log has it: `student_cosine`.
    public let name: String
    public let value: Double
    public let combination: Combination
    /// In the line for people: "mean cosine".
    public let label: String
    public let style: Style

    init(_ name: String, _ value: Double, _ combination: Combination = .mean, label: String? = nil, _ style: Style = .number(4)) {
        (self.name, self.value, self.combination, self.style) = (name, value, combination, style)
        self.label = label ?? name
    }
}

/// What is known of a training before its first step.
public struct TrainingFacts: Sendable {
    /// Of the stream that it learns from.
    public var header: StreamHeader
    public var seed: UInt64
    /// A program that gives the loss in place of the objective.
    public var lossProgram: String?
    /// Seconds after which such a program is stopped where it does not answer; nil for never.
    public var lossTimeout: Double?
    /// Is told what a person should know while training goes on.
    public var warn: @Sendable (String) -> Void

    public init(
        header: StreamHeader, seed: UInt64 = 0, lossProgram: String? = nil, lossTimeout: Double? = nil,
        warn: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        (self.header, self.seed, self.lossProgram, self.lossTimeout, self.warn) = (header, seed, lossProgram, lossTimeout, warn)
    }

    /// Images in the data set, where that is known.
    public var samples: Int? { header.metadata.count("samples") }
}
