public import Networks
public import TensorStreams
public import ToolSupport

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
    /// How the optimizer treats a parameter of a model.
    static func group(_ parameter: Parameter, of model: Model, in network: Network, _ options: MethodOptions) -> ParameterGroup
    /// What its student begins with.
    static var head: StudentHead { get }
    /// Whether its student's residual blocks begin as their shortcuts, as its authors' code has them.
    static var zeroInitResidual: Bool { get }
    /// Rows in its queue where no number is asked for, of a data set of so many images; 0 where it has none.
    static func usualQueue(images: Int) -> Int
    /// Its options whose defaults are less where images are few.
    static var sizedOptions: [SizedOption] { get }
    /// Numbers in what it keeps besides its networks.
    ///
    /// - Parameters:
    ///   - K: rows in its queue.
    ///   - teacherWidth: numbers in a row of the teacher.
    static func keptCount(K: Int, teacherWidth: Int, student: Network) -> Int
    /// The settings of its paper, which hold where an option of a training is not given; nil for those of ``TrainingDefaults/usual``.
    static var defaults: TrainingDefaults? { get }
    /// Why options that were given do not go together, in words; nil where they do.
    static func conflict(_ options: MethodOptions) -> String?
    /// The options with what a stream says of those that were not given, such as how wide the teacher's rows are.
    ///
    /// - Throws: ``Failure`` where it does not say it.
    static func completed(_ options: MethodOptions, _ header: StreamHeader) throws -> MethodOptions

    /// The names of the classes that its student's head tells apart, in their order; nil where the stream does not name them, and of methods that train no classifier.
    ///
    /// - Throws: ``Failure`` where the stream's and its teacher's are not the same.
    static func classes(_ options: MethodOptions, _ header: StreamHeader) throws -> [String]?

    init(_ options: MethodOptions, _ facts: TrainingFacts) throws

    /// Takes back what ``finish()`` gave at the end of the epoch before. Called once, before the first step; empty for a new training.
    mutating func restore(_ state: [String: Tensor]) throws
    /// The tensors of the stream whose first rows are wanted before the first step. Asked after ``restore(_:)``.
    var sampledTensors: [String] { get }
    mutating func setSample(_ sample: Tensor, of tensor: String)
    /// The loss of a batch, and its gradient with respect to the outputs of the passes that have one.
    ///
    /// - Throws: ``Failure`` where the batch is not what it needs.
    mutating func loss(_ outputs: Outputs, _ batch: Batch) throws -> Loss
    /// Called before the passes of each step: a place for what must hold of the weights.
    mutating func willStep(_ weights: [String: Weights]) throws
    /// Called once the weights have moved.
    mutating func stepped(_ weights: [String: Weights])
    /// Whether the optimizer leaves a model as it is in a step, counted from 0 over the whole training.
    func isFrozen(_ model: String, step: Int) -> Bool
    /// What it keeps for the next epoch, by name. Called once, after the last step.
    mutating func finish() throws -> [String: Tensor]
    /// The same in the middle of an epoch, after any step; nil where a program keeps it that tells it at the end alone.
    mutating func interim() throws -> [String: Tensor]?
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
    public static func group(_ parameter: Parameter, of model: Model, in network: Network, _ options: MethodOptions) -> ParameterGroup { ParameterGroup() }
    /// Whether it takes `--queue-size`.
    public static var hasQueue: Bool { options.contains { $0.name == QueueState.size.name } }
    public static var head: StudentHead { .mlp }
    public static var zeroInitResidual: Bool { false }
    public static func usualQueue(images: Int) -> Int { hasQueue ? min(65536, images / 2) : 0 }
    public static var sizedOptions: [SizedOption] { [] }
    public static func keptCount(K: Int, teacherWidth: Int, student: Network) -> Int { K * student.embeddingWidth }
    public static var defaults: TrainingDefaults? { nil }
    public static func conflict(_ options: MethodOptions) -> String? { nil }
    public static func completed(_ options: MethodOptions, _ header: StreamHeader) throws -> MethodOptions { options }
    public static func classes(_ options: MethodOptions, _ header: StreamHeader) throws -> [String]? { nil }
    /// Whether its student's head is a classifier.
    public static var trainsClassifier: Bool { head == .classifier }
    public mutating func restore(_ state: [String: Tensor]) throws {}
    public var sampledTensors: [String] { [] }
    public mutating func setSample(_ sample: Tensor, of tensor: String) {}
    public mutating func willStep(_ weights: [String: Weights]) throws {}
    public mutating func stepped(_ weights: [String: Weights]) {}
    public func isFrozen(_ model: String, step: Int) -> Bool { false }
    public mutating func finish() throws -> [String: Tensor] { [:] }
    public mutating func interim() throws -> [String: Tensor]? { try finish() }
    public mutating func takeNotes() -> [String] { [] }
    public func remedies(_ report: StepReport) -> [String] { [] }
    public var lossCommand: String? { nil }
}

/// How the optimizer treats a parameter.
public struct ParameterGroup: Sendable, Equatable {
    /// Whether weight decay moves it.
    public var decays: Bool
    /// Its learning rate as a share of the training's; 0 for one that stays as it is.
    public var rate: Double
    /// Whether its rate follows the schedule, or stays the one that was asked for.
    public var isScheduled: Bool

    public init(decays: Bool = true, rate: Double = 1, isScheduled: Bool = true) {
        (self.decays, self.rate, self.isScheduled) = (decays, rate, isScheduled)
    }

    /// A parameter that does not learn.
    public static let frozen = ParameterGroup(decays: false, rate: 0)
}

/// What is known of a training before its first step.
public struct TrainingFacts: Sendable {
    /// Of the stream that it learns from.
    public var header: StreamHeader
    public var seed: UInt64
    /// A program that gives the loss in place of the objective.
    public var lossProgram: String?
    public var lossSupervision: ProgramSupervision

    public init(header: StreamHeader, seed: UInt64 = 0, lossProgram: String? = nil, lossSupervision: ProgramSupervision = ProgramSupervision()) {
        (self.header, self.seed, self.lossProgram, self.lossSupervision) = (header, seed, lossProgram, lossSupervision)
    }

    /// Images in the data set, where that is known.
    public var samples: Int? { header.metadata.count("samples") }
}
