/// The linear evaluation of a paper: how its code trains the classifier.
///
/// All use momentum 0.9. All train on views of `augment --recipe linear-train`, new ones in each epoch, except
/// SimReg's, which uses stored features.
public struct LinearProtocol: Sendable {
    /// The value of `--protocol`.
    public let name: String
    public let source: String
    public let scaling: FeatureScaling
    public let probe: StochasticProbe
    /// Whether each epoch has its own views.
    public let hasFreshViews: Bool

    private init(
        _ name: String, _ source: String, rate: Double, weightDecay: Double = 0, epochs: Int = 100, _ schedule: StochasticProbe.Schedule, milestones: [Int] = [], factor: Double = 0.1,
        endRate: Double = 0, warmUp: Int = 0, scaling: FeatureScaling = .none, hasFreshViews: Bool = true
    ) {
        (self.name, self.source, self.scaling, self.hasFreshViews) = (name, source, scaling, hasFreshViews)
        var probe = StochasticProbe()
        (probe.learningRate, probe.weightDecay, probe.epochs, probe.schedule) = (rate, weightDecay, epochs, schedule)
        (probe.milestones, probe.factor, probe.endRate, probe.warmUp) = (milestones, factor, endRate, warmUp)
        self.probe = probe
    }

    public static let moco = LinearProtocol("moco", "MoCo v1 and v2", rate: 30, .step, milestones: [60, 80])

    public static let all = [
        moco,
        LinearProtocol("seed", "SEED", rate: 30, .step, milestones: [60, 80], warmUp: 5),
        LinearProtocol("swav", "SwAV, Barlow Twins", rate: 0.3, weightDecay: 1e-6, .cosine),
        LinearProtocol("simreg", "SimReg, CompRess", rate: 0.01, weightDecay: 1e-4, epochs: 40, .step, milestones: [15, 30], scaling: .unitStandard, hasFreshViews: false),
        LinearProtocol("disco", "DisCo", rate: 3, .step, milestones: Array(stride(from: 5, through: 45, by: 5)) + [60, 80], factor: 0.5),
        LinearProtocol("bingo", "BINGO", rate: 30, epochs: 120, .cosine, endRate: 0.01),
    ]

    public static func named(_ name: String) -> LinearProtocol? { all.first { $0.name == name } }
}
