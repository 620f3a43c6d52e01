public import Optimizers
import ToolSupport

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// What a student is trained for.
public enum TrainingObjective: String, CaseIterable, Sendable {
    /// Have the teacher's similarities to a queue (Fang et al., ICLR 2021).
    case seed
    /// Tell one's own second view among a queue of others' (He et al., CVPR 2020; Chen et al. 2020).
    case mocoV2 = "moco-v2"
    /// Bring pictures of one class together (Khosla et al., NeurIPS 2020): needs labels.
    case supervisedContrastive = "supervised-contrastive"

    /// Views of each picture that the objective needs.
    public var views: Int { self == .seed ? 1 : 2 }
}

/// What `train-step` was asked to do.
public struct TrainingOptions: Sendable {
    public var objective = TrainingObjective.seed
    public var schedule = Schedule.cosine(rate: 0.03, epochs: 200)
    public var optimizer = SGD()
    public var loss = QueueLossStage.Settings()
    /// A program that gives the loss instead of this one.
    public var lossCommand: String?
    /// Seconds after which such a program is stopped where it does not answer; nil for never.
    public var lossTimeout: Double?
    /// Of supervised-contrastive.
    public var temperature = 0.1
    /// MoCo's momentum of the key encoder.
    public var keyMomentum = 0.999
    /// Groups of the batch that are normalised apart; nil for the objective's own choice.
    public var normalizationGroups: Int?
    public var seed: UInt64 = 0
    /// Whether dropout and stochastic depth leave out what they may, in networks that have them.
    public var drops = true
    /// Is told what a person should know while training goes on.
    public var warn: @Sendable (String) -> Void = { _ in }

    public init() {}

    /// Groups for a batch of N: as asked for, if N divides so; by default one, and with MoCo one for each 32 pictures, at
    /// least two, as its machines have them.
    func groups(_ N: Int) -> Int {
        let wanted = normalizationGroups ?? (objective == .mocoV2 ? max(2, N / 32) : 1)
        return (1...max(1, min(wanted, N / 2))).last { N % $0 == 0 } ?? 1
    }

    /// What to change where a student learns nothing, in words.
    func remedy(_ report: StepReport) -> String {
        var changes: [String] = []
        if objective == .seed, lossCommand == nil {
            if report.centre == nil, let cosine = report.teacherCosine, cosine > TeacherStatistics.smallestMean * TeacherStatistics.smallestMean {
                changes.append("take the teacher's mean off (--centre auto)")
            }
            if loss.teacherTemperature != .auto { changes.append("find the teacher's temperature (--teacher-temperature auto)") }
        }
        let (rate, warmUp) = schedule.begin
        if rate > 0 { changes.append("lower the learning rate (--learning-rate \(rate > 0.03 ? 0.03 : Self.third(of: rate)))") }
        if warmUp == 0 { changes.append("warm up (--schedule smooth --warm-up 1)") }
        return "begin again, and " + changes.joined(separator: ", or ")
    }

    /// A third of a rate, in one digit.
    private static func third(of rate: Double) -> Double {
        let scale = pow(10, log10(rate / 3).rounded(.down))
        return (rate / 3 / scale).rounded() * scale
    }
}
