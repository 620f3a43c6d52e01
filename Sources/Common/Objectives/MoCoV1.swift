import Optimizers

/// The original MoCo: ``MomentumContrast`` with one linear layer as its head (`initialize --head moco-v1`).
///
/// He et al., "Momentum Contrast for Unsupervised Visual Representation Learning", CVPR 2020; settings of
/// facebookresearch/moco.
public struct MoCoV1: MomentumContrast {
    public static let name = "moco-v1"
    public static let summary = "the first version of moco-v2 (He et al., CVPR 2020)"
    public static let temperature = MoCo.temperature(0.07)
    public static let head = StudentHead.named("moco-v1")
    public static let defaults: TrainingDefaults? = TrainingDefaults(
        .sgd, rate: 0.03, weightDecay: 1e-4, .steps, epochs: 200, milestones: [120, 160], recipe: "moco-v1", smallestCrop: 0.2)
    public var pairs: PairLossClient

    public init(_ options: MethodOptions, _ facts: TrainingFacts) throws { pairs = try PairLossClient(Self.self, options, facts) }
}
