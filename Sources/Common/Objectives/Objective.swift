public import Networks
public import TensorStreams
public import ToolSupport

/// A training method: its inputs, its loss and its state.
///
/// A method is one file in this folder and an entry in ``Methods``. ``Trainer`` knows no particular method. It runs
/// ``passes`` over ``models``, passes the outputs to ``loss(_:_:)``, propagates the gradients back through the passes
/// and updates the weights.
///
/// Outputs are the unnormalised outputs of the networks; an objective that needs normalised rows normalises them.
public protocol Objective: SendableMetatype {
    /// The name for `--objective`: "moco-v2".
    static var name: String { get }
    /// The training goal in a few words, with its source.
    static var summary: String { get }
    /// The options in addition to those of every training.
    static var options: [any AnyMethodOption] { get }
    /// What a record must contain.
    static var inputs: Inputs { get }
    /// Whether an external program may compute the loss instead (``PairObjective``).
    static var takesLossProgram: Bool { get }
    /// Whether the targets stay the same in all epochs.
    ///
    /// If so, a divergence that does not fall means that nothing was learnt.
    static var hasFixedTargets: Bool { get }
    /// All networks that the method trains or keeps. The first is the student, which is the checkpoint's own network.
    static func models(_ options: MethodOptions) -> [Model]
    /// The forward passes of each step, in order.
    static func passes(_ options: MethodOptions) -> [Pass]
    /// The default number of batch norm groups for a batch of N.
    static func normalizationGroups(_ N: Int) -> Int
    /// How the optimizer treats a parameter of a model.
    static func group(_ parameter: Parameter, of model: Model, in network: Network, _ options: MethodOptions) -> ParameterGroup
    /// The initial head of the student.
    static var head: StudentHead { get }
    /// Whether the student's residual blocks start as their shortcuts, as in the authors' code.
    static var zeroInitResidual: Bool { get }
    /// The default number of queue rows for a data set of `images` images; 0 where the method has no queue.
    static func usualQueue(images: Int) -> Int
    /// The options whose defaults are smaller for small data sets.
    static var sizedOptions: [SizedOption] { get }
    /// The count of numbers that the method keeps besides its networks.
    ///
    /// - Parameters:
    ///   - K: rows in its queue.
    ///   - teacherWidth: numbers in a row of the teacher.
    static func keptCount(K: Int, teacherWidth: Int, student: Network) -> Int
    /// The settings of the paper, used where an option of the training is not given; nil for
    /// ``TrainingDefaults/usual``.
    static var defaults: TrainingDefaults? { get }
    /// Why the given options contradict each other, in words; nil where they do not.
    static func conflict(_ options: MethodOptions) -> String?
    /// The options, completed with values from the stream for those that were not given, such as the width of the
    /// teacher's rows.
    ///
    /// - Throws: ``Failure`` where the stream lacks a value.
    static func completed(_ options: MethodOptions, _ header: StreamHeader) throws -> MethodOptions

    /// The names of the classes of the student's head, in order; nil where the stream does not name them, and for
    /// methods that train no classifier.
    ///
    /// - Throws: ``Failure`` where the classes of the stream and of its teacher differ.
    static func classes(_ options: MethodOptions, _ header: StreamHeader) throws -> [String]?

    init(_ options: MethodOptions, _ facts: TrainingFacts) throws

    /// Restores the state that ``finish()`` returned at the end of the previous epoch.
    ///
    /// Called once, before the first step; empty for a new training.
    mutating func restore(_ state: [String: Tensor]) throws
    /// The tensors of the stream whose first rows are needed before the first step. Asked for after ``restore(_:)``.
    var sampledTensors: [String] { get }
    mutating func setSample(_ sample: Tensor, of tensor: String)
    /// The loss of a batch, and its gradient with respect to the outputs of the passes that have one.
    ///
    /// - Throws: ``Failure`` where the batch lacks a required input.
    mutating func loss(_ outputs: Outputs, _ batch: Batch) throws -> Loss
    /// Called before the passes of each step. Enforces constraints on the weights.
    mutating func willStep(_ weights: [String: Weights]) throws
    /// Called after the weights have been updated.
    mutating func stepped(_ weights: [String: Weights])
    /// Whether the optimizer leaves a model unchanged in a step. Steps count from 0 over the whole training.
    func isFrozen(_ model: String, step: Int) -> Bool
    /// The state to keep for the next epoch, by name. Called once, after the last step.
    mutating func finish() throws -> [String: Tensor]
    /// The same state in the middle of an epoch, after any step; nil where an external program keeps it and gives it
    /// only at the end.
    mutating func interim() throws -> [String: Tensor]?
    /// Notes for the user; asked for after each step, each returned once.
    mutating func takeNotes() -> [String]
    /// What to change where a student learns nothing, besides the learning rate: "subtract the teacher's mean
    /// (--centre auto)".
    func remedies(_ report: StepReport) -> [String]
    /// The loss as an argument of `--loss`, where an external program may compute it; asked for after the last step.
    var lossCommand: String? { get }
}

extension Objective {
    public static var takesLossProgram: Bool { false }
    public static var hasFixedTargets: Bool { false }
    public static func models(_ options: MethodOptions) -> [Model] { [.student] }
    public static func normalizationGroups(_ N: Int) -> Int { 1 }
    public static func group(_ parameter: Parameter, of model: Model, in network: Network, _ options: MethodOptions) -> ParameterGroup { ParameterGroup() }
    /// Whether the method takes `--queue-size`.
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
    /// Whether the student's head is a classifier.
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
    /// Whether weight decay applies.
    public var decays: Bool
    /// The learning rate as a share of the training's; 0 for a frozen parameter.
    public var rate: Double
    /// Whether the rate follows the schedule. If not, it stays at the requested rate.
    public var isScheduled: Bool

    public init(decays: Bool = true, rate: Double = 1, isScheduled: Bool = true) {
        (self.decays, self.rate, self.isScheduled) = (decays, rate, isScheduled)
    }

    /// A frozen parameter.
    public static let frozen = ParameterGroup(decays: false, rate: 0)
}

/// Facts about a training that are known before its first step.
public struct TrainingFacts: Sendable {
    /// The header of the input stream.
    public var header: StreamHeader
    public var seed: UInt64
    /// A program that computes the loss instead of the objective.
    public var lossProgram: String?
    public var lossSupervision: ProgramSupervision

    public init(header: StreamHeader, seed: UInt64 = 0, lossProgram: String? = nil, lossSupervision: ProgramSupervision = ProgramSupervision()) {
        (self.header, self.seed, self.lossProgram, self.lossSupervision) = (header, seed, lossProgram, lossSupervision)
    }

    /// The number of images in the data set, if known.
    public var samples: Int? { header.metadata.count("samples") }
}
