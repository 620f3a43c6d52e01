import Losses
import TensorStreams
import ToolSupport

/// MoCo-v2: a query, one view of an image, is told from a queue of other images' keys by its own key, the other view.
///
/// He et al., "Momentum Contrast for Unsupervised Visual Representation Learning", CVPR 2020; Chen et al., "Improved Baselines with Momentum
/// Contrastive Learning", 2020. Keys come from a slowly moving average of the student; the loss is InfoNCE (``QueueLoss``), and gradients go to
/// the queries alone.
public struct MoCoV2: PairObjective {
    public static let name = "moco-v2"
    public static let summary = "tell one's own other view among a queue of other images (Chen et al., 2020)"
    public static let inputs = Inputs(views: 2...2)

    static let temperature = MethodOption("student-temperature", default: 0.2, in: Temperature.range, "The temperature of the student's logits.")
    static let keyMomentum = MethodOption("key-momentum", default: 0.999, in: 0...1, "The momentum of the key encoder.")
    public static let lossOptions: [any AnyMethodOption] = [QueueState.size, temperature]
    public static let options: [any AnyMethodOption] = lossOptions + [keyMomentum]

    public static func models(_ options: MethodOptions) -> [Model] {
        [.student, .average("key", momentum: options[keyMomentum])]
    }

    /// Keys go through in a random order, so that no group of batch norm holds the same images as the queries' group: else the statistics tell a
    /// query which key is its own.
    private static let key = Pass("key", model: "key", .view(1), hasGradient: false, isShuffled: true)
    private static let query = Pass("query", .view(0))
    public static func passes(_ options: MethodOptions) -> [Pass] { [key, query] }
    public var pairs: PairLossClient

    public init(_ options: MethodOptions, _ facts: TrainingFacts) throws { pairs = try PairLossClient(Self.self, options, facts) }

    public static func pairLoss(_ options: MethodOptions) -> any PairLoss { InfoNCELoss(temperature: options[temperature]) }

    /// One for 32 images, at least two, as the paper's machines have them.
    public static func normalizationGroups(_ N: Int) -> Int { max(2, N / 32) }

    public mutating func loss(_ outputs: Outputs, _ batch: Batch) throws -> Loss {
        let keys = NormalizedRows(outputs[Self.key])
        return try pairs.loss(outputs[Self.query], of: Self.query, teacher: Tensor(f32: keys.values, shape: [keys.N, keys.D]), batch)
    }
}

struct InfoNCELoss: PairLoss {
    let temperature: Double

    mutating func restore(_ document: TensorDocument, dimension: Int) throws {
        guard try TeacherStatistics(document, dimension: dimension).centre == nil else {
            throw document.failure(
                "holds a queue of embeddings whose mean is taken off where --objective \(MoCoV2.name) asks for others",
                remedy: "begin a new queue without it")
        }
    }

    func loss(_ queue: EmbeddingQueue) -> QueueLoss { .infoNCE(queue: queue, temperature: temperature) }
}
