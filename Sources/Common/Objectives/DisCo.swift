import Networks
import Optimizers
public import TensorStreams

/// DisCo: the student learns by ``MomentumContrast`` as in MoCo-v2 and also matches the teacher's embedding of each
/// view.
///
///     L = InfoNCE(q, k) + w·mean over images of ‖ŝ(x₁) − t̂(x₁)‖² + ‖ŝ(x₂) − t̂(x₂)‖²
///
/// Gao et al., "DisCo: Remedy Self-supervised Learning on Lightweight Models with Distilled Contrastive Learning",
/// ECCV 2022; settings of Yuting-Gao/DisCo-pytorch. That code sums the squared distances of the images on each of its
/// devices, 32 per device: `distance-weight 32`.
///
/// The authors leave the teacher in training mode, so it normalises by the statistics of the batch. Here the teacher
/// is that of `embed`.
public struct DisCo: Objective {
    public static let name = "disco"
    public static let summary = "identify an image's other view in a queue, and match the teacher's embeddings of both views (Gao et al., ECCV 2022)"
    public static let inputs = Inputs(views: 2...2, teacher: .viewEmbeddings)
    public static let head = StudentHead.named("disco")
    public static let defaults: TrainingDefaults? = TrainingDefaults(
        .sgd, rate: 0.03, weightDecay: 1e-4, .cosine, epochs: 200, recipe: "moco-v2", smallestCrop: 0.2)

    static let temperature = MoCo.temperature(0.2)
    static let weight = MethodOption("distance-weight", default: 1, in: 0...1e6, "The weight of the squared distances to the teacher's rows, averaged over images.")
    public static let options: [any AnyMethodOption] = [QueueState.size, temperature, MoCo.keyMomentum, weight]

    public static func models(_ options: MethodOptions) -> [Model] { [.student, .average("key", momentum: options[MoCo.keyMomentum])] }
    private static let second = Pass("second", .view(1))
    public static func passes(_ options: MethodOptions) -> [Pass] { [MoCo.key, MoCo.query, second] }
    public static func normalizationGroups(_ N: Int) -> Int { MoCo.normalizationGroups(N) }

    private let weight: Double
    private var pairs: PairLossClient

    public init(_ options: MethodOptions, _ facts: TrainingFacts) throws {
        weight = options[Self.weight]
        pairs = try PairLossClient(MoCoV2.self, options, facts)
    }

    public mutating func restore(_ state: [String: Tensor]) throws { try pairs.restore(state) }
    public mutating func finish() throws -> [String: Tensor] { try pairs.finish() }
    public mutating func takeNotes() -> [String] { pairs.takeNotes() }

    public mutating func loss(_ outputs: Outputs, _ batch: Batch) throws -> Loss {
        let keys = NormalizedRows(outputs[MoCo.key])
        let contrast = try pairs.loss(outputs[MoCo.query], of: MoCo.query, teacher: Tensor(f32: keys.values, shape: [keys.N, keys.D]), batch)
        guard contrast.value.isFinite else { return .notFinite }
        var value = contrast.value, gradients = contrast.gradients, distance = 0.0
        for (view, pass) in [MoCo.query, Self.second].enumerated() {
            let rows = NormalizedRows(outputs[pass])
            guard rows.areFinite else { return .notFinite }
            let targets = try batch.teacher(.viewEmbeddings, group: 0, view: view, width: rows.D)
            let regression = RowRegression(rows, on: NormalizedRows(targets), scale: weight)
            value += regression.value
            distance += weight > 0 ? regression.value / weight : 0
            gradients[pass.name] = gradients[pass.name].map { zip($0, regression.gradient).map { $0 + $1 } } ?? regression.gradient
        }
        // MoCo's teacher cosine is that of the keys, so it is left out.
        let own = contrast.metrics.filter { !["floor", "kl", "uniform_loss", "teacher_cosine"].contains($0.name) }
        return Loss(value, gradients: gradients, metrics: own + [Metric("contrast", contrast.value), Metric("distance", distance)])
    }
}
