import Losses
import TensorStreams
import ToolSupport

/// Momentum contrast: a query, one view of an image, must identify its own key, the other view, among a queue of
/// other images' keys.
///
/// He et al., "Momentum Contrast for Unsupervised Visual Representation Learning", CVPR 2020. Keys come from a slowly
/// moving average of the student. The loss is InfoNCE (``QueueLoss``); only the queries receive gradients.
public protocol MomentumContrast: PairObjective {
    static var temperature: MethodOption<Double> { get }
}

/// Common parts of the MoCo versions.
enum MoCo {
    static func temperature(_ usual: Double) -> MethodOption<Double> {
        MethodOption("student-temperature", default: usual, in: Temperature.range, "The temperature of the student's logits.")
    }
    static let keyMomentum = MethodOption("key-momentum", default: 0.999, in: 0...1, "The momentum of the key encoder.")

    /// The pass of the keys, which pass through the network in random order.
    ///
    /// Thus no batch norm group holds the same images as the corresponding group of queries. Otherwise the statistics
    /// would reveal to a query which key is its own.
    static let key = Pass("key", model: "key", .view(1), hasGradient: false, isShuffled: true)
    static let query = Pass("query", .view(0))

    /// One group per 32 images but at least two, as on the paper's machines.
    static func normalizationGroups(_ N: Int) -> Int { max(2, N / 32) }
}

extension MomentumContrast {
    public static var inputs: Inputs { Inputs(views: 2...2) }
    public static var lossOptions: [any AnyMethodOption] { [QueueState.size, temperature] }
    public static var options: [any AnyMethodOption] { lossOptions + [MoCo.keyMomentum] }
    public static func models(_ options: MethodOptions) -> [Model] { [.student, .average("key", momentum: options[MoCo.keyMomentum])] }
    public static func passes(_ options: MethodOptions) -> [Pass] { [MoCo.key, MoCo.query] }
    public static func pairLoss(_ options: MethodOptions) -> any PairLoss { InfoNCELoss(temperature: options[temperature], method: name) }

    public static func normalizationGroups(_ N: Int) -> Int { MoCo.normalizationGroups(N) }

    public mutating func loss(_ outputs: Outputs, _ batch: Batch) throws -> Loss {
        let keys = NormalizedRows(outputs[MoCo.key])
        return try pairs.loss(outputs[MoCo.query], of: MoCo.query, teacher: Tensor(f32: keys.values, shape: [keys.N, keys.D]), batch)
    }
}

struct InfoNCELoss: PairLoss {
    let temperature: Double
    /// The method's name, for messages.
    let method: String

    mutating func restore(_ document: TensorDocument, dimension: Int) throws {
        guard try TeacherStatistics(document, dimension: dimension).centre == nil else {
            throw document.failure(
                "holds a queue of embeddings with their mean subtracted where --objective \(method) needs them unchanged",
                remedy: "begin a new queue without it")
        }
    }

    func loss(_ queue: EmbeddingQueue) -> QueueLoss { .infoNCE(queue: queue, temperature: temperature) }
}
