public import Objectives
public import Optimizers
import Platform
public import Ranks
import TensorStreams
public import ToolSupport

/// The options of `train-step`.
public struct TrainingOptions: Sendable {
    public var method: any Objective.Type = SEED.self
    public var methodOptions = MethodOptions()
    public var schedule = Schedule.cosine(rate: 0.03, epochs: 200)
    /// The epochs of the whole training, over which the momenta of averages change.
    public var epochs = 200
    public var optimizer: any Optimizer = SGD()
    /// The norm to which larger gradients are clipped; nil for no clipping.
    public var longestGradient: Double?
    /// A program that computes the loss instead of the method.
    public var lossCommand: String?
    public var lossSupervision = ProgramSupervision()
    /// The number of batch norm groups of the batch; nil for the method's default.
    public var normalizationGroups: Int?
    /// The number of groups of adjacent images that run through the networks one after the other, each with its own
    /// batch norm.
    public var batchGroups = 1
    /// Whether activations are recomputed for the backward pass rather than kept.
    public var recomputes = false
    /// The ranks that train together, each with some of the groups; nil for a single process.
    public var ranks: Ranks?
    public var seed: UInt64 = 0
    /// Whether dropout and stochastic depth are active, in networks that have them.
    public var drops = true

    public init() {}

    func facts(_ header: StreamHeader) -> TrainingFacts {
        TrainingFacts(header: header, seed: seed, lossProgram: lossCommand, lossSupervision: lossSupervision)
    }

    /// The number of batch norm groups for N rows of a pass: the requested number or the method's default, reduced to
    /// a divisor of N if necessary.
    ///
    /// - Parameter rows: the rows of the whole batch, of which the N rows are one of ``batchGroups``.
    func groups(_ N: Int, of rows: Int) -> Int {
        let wanted = (normalizationGroups ?? method.normalizationGroups(rows)) / batchGroups
        return (1...max(1, min(wanted, N / 2))).last { N % $0 == 0 } ?? 1
    }

    /// What to change where a student learns nothing, in words.
    ///
    /// - Parameter own: the changes that the method suggests.
    func remedy(_ report: StepReport, _ own: [String]) -> String {
        var changes = own
        let (rate, warmUp) = schedule.begin
        if rate < Self.small {
            changes.append("raise the learning rate (--learning-rate 0.03)")
        } else {
            // Rates of LARS are on another scale than those of SGD, where 0.03 suits most cases.
            changes.append("lower the learning rate (--learning-rate \(rate > 0.03 && !(optimizer is LARS) ? 0.03 : Self.third(of: rate)))")
        }
        if warmUp == 0 { changes.append("warm up (--schedule smooth --warm-up 1)") }
        return "start again, and " + changes.joined(separator: ", or ")
    }

    /// A rate below this is more likely too small than too large.
    private static let small = 1e-3

    /// A third of a rate, rounded to one digit.
    private static func third(of rate: Double) -> Double {
        let scale = pow(10, log10(rate / 3).rounded(.down))
        return (rate / 3 / scale).rounded() * scale
    }
}
