import Optimizers

/// MoCo-v2: ``MomentumContrast`` with a two-layer head, stronger augmentation and another temperature.
///
/// Chen et al., "Improved Baselines with Momentum Contrastive Learning", 2020; settings of facebookresearch/moco.
public struct MoCoV2: MomentumContrast {
    public static let name = "moco-v2"
    public static let summary = "identify an image's other view in a queue of other images (Chen et al., 2020)"
    public static let temperature = MoCo.temperature(0.2)
    public static let defaults: TrainingDefaults? = TrainingDefaults(
        .sgd, rate: 0.03, weightDecay: 1e-4, .cosine, epochs: 200, recipe: "moco-v2", smallestCrop: 0.2)
    public var pairs: PairLossClient

    public init(_ options: MethodOptions, _ facts: TrainingFacts) throws { pairs = try PairLossClient(Self.self, options, facts) }
}
