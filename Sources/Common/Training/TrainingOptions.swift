public import Objectives
public import Optimizers
import Platform
public import Ranks
import TensorStreams
public import ToolSupport

/// What `train-step` was asked to do.
public struct TrainingOptions: Sendable {
    public var method: any Objective.Type = SEED.self
    public var methodOptions = MethodOptions()
    public var schedule = Schedule.cosine(rate: 0.03, epochs: 200)
    /// Of the whole training, which the momenta of averages span.
    public var epochs = 200
    public var optimizer: any Optimizer = SGD()
    /// The length that a longer gradient is cut to; nil for none.
    public var longestGradient: Double?
    /// A program that gives the loss instead of the method.
    public var lossCommand: String?
    public var lossSupervision = ProgramSupervision()
    /// Groups of the batch that are normalised apart; nil for the method's own choice.
    public var normalizationGroups: Int?
    /// Groups of neighbouring images that go through the networks one after the other, each with its own batch norm.
    public var batchGroups = 1
    /// Whether activations are made again for the backward pass and not kept.
    public var recomputes = false
    /// The ranks that train together, each with some of the groups; nil for one process alone.
    public var ranks: Ranks?
    public var seed: UInt64 = 0
    /// Whether dropout and stochastic depth leave out what they may, in networks that have them.
    public var drops = true

    public init() {}

    func facts(_ header: StreamHeader) -> TrainingFacts {
        TrainingFacts(header: header, seed: seed, lossProgram: lossCommand, lossSupervision: lossSupervision)
    }

    /// Groups that batch norm treats apart in N rows of a pass: as asked for or as the method wants them, if N divides so.
    ///
    /// - Parameter rows: of the whole batch, of which those are one of ``batchGroups``.
    func groups(_ N: Int, of rows: Int) -> Int {
        let wanted = (normalizationGroups ?? method.normalizationGroups(rows)) / batchGroups
        return (1...max(1, min(wanted, N / 2))).last { N % $0 == 0 } ?? 1
    }

    /// What to change where a student learns nothing, in words.
    ///
    /// - Parameter own: what the method knows to be changed.
    func remedy(_ report: StepReport, _ own: [String]) -> String {
        var changes = own
        let (rate, warmUp) = schedule.begin
        if rate < Self.small {
            changes.append("raise the learning rate (--learning-rate 0.03)")
        } else {
            // Rates of LARS are of another size than those of SGD, where 0.03 is good for most.
            changes.append("lower the learning rate (--learning-rate \(rate > 0.03 && !(optimizer is LARS) ? 0.03 : Self.third(of: rate)))")
        }
        if warmUp == 0 { changes.append("warm up (--schedule smooth --warm-up 1)") }
        return "begin again, and " + changes.joined(separator: ", or ")
    }

    /// Below, a rate is more likely too small than too large.
    private static let small = 1e-3

    /// A third of a rate, in one digit.
    private static func third(of rate: Double) -> Double {
        let scale = pow(10, log10(rate / 3).rounded(.down))
        return (rate / 3 / scale).rounded() * scale
    }
}
