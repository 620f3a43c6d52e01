import Networks
import Optimizers
public import TensorStreams

/// BINGO: pulls an image, another image of its bag and a mix of both towards the teacher's keys of the two images,
/// against a queue.
///
/// A bag holds images that are close to each other for the teacher.
///
///     L = ⅓ [ℓ(q) + ℓ(p) + λ·CE₀(m) + (1 − λ)·CE₁(m)]        ℓ(u) = own key's CE at first, later (1 − w)·own + w·other
///
/// CEᵢ is InfoNCE with key i: 0 is the key of the image, 1 that of the other image. q and p are views of the two
/// images; m is a CutMix of these views with the share λ of q.
///
/// Xu et al., "Bag of Instances Aggregation Boosts Self-supervised Distillation", ICLR 2022; settings of
/// haohang96/bingo. Keys are the teacher's embeddings of two further views (``TeacherOutput/groupEmbeddings(_:)`` of
/// group 1). The queue holds the keys of the images. `augment --bags` makes the mix and writes λ to the metadata of
/// the record. For batch norm, q, p and m are separate batches.
///
/// The authors leave the teacher in training mode, so it normalises by the statistics of the batch. Here the teacher
/// is that of `embed`.
public struct Bingo: Objective {
    public static let name = "bingo"
    public static let summary = "identify the teacher's key of an image, and that of a near image, in a queue (Xu et al., ICLR 2022)"
    public static let inputs = Inputs(views: 3...3, groups: [2...2], teacher: .groupEmbeddings(1), bags: true)
    public static let head = StudentHead.named("disco")
    public static let defaults: TrainingDefaults? = TrainingDefaults(
        .sgd, rate: 0.03, weightDecay: 1e-4, .cosine, epochs: 200, recipe: "moco-v2", smallestCrop: 0.2)

    static let temperature = MoCo.temperature(0.2)
    static let bagEpoch = MethodOption("bag-epoch", default: 11, in: 0...1_000_000, "The epoch, counted from 0, from which on both views learn from both keys.")
    static let bagWeight = MethodOption("bag-weight", default: 0.5, in: 0...1, "The weight of the other view's key from --bag-epoch on; that of a view's own key is 1 minus this.")
    public static let options: [any AnyMethodOption] = [QueueState.size, temperature, bagEpoch, bagWeight]

    private static let query = Pass("query", .view(0)), positive = Pass("positive", .view(1)), mix = Pass("mix", .view(2))
    public static func passes(_ options: MethodOptions) -> [Pass] { [query, positive, mix] }

    private let options: MethodOptions
    private var pairs: PairLossClient

    public init(_ options: MethodOptions, _ facts: TrainingFacts) throws {
        self.options = options
        pairs = try PairLossClient(MoCoV2.self, options, facts)
    }

    public mutating func restore(_ state: [String: Tensor]) throws { try pairs.restore(state) }
    public mutating func finish() throws -> [String: Tensor] { try pairs.finish() }
    public mutating func takeNotes() -> [String] { pairs.takeNotes() }

    /// The mix share λ.
    private func share(_ batch: Batch) throws -> Double {
        guard let text = batch.record.metadata[TensorDocument.mixKey], let share = Double(text), (0...1).contains(share) else {
            throw batch.record.failure("does not say how its views are mixed", remedy: "make it with augment --bags")
        }
        return share
    }

    public mutating func loss(_ outputs: Outputs, _ batch: Batch) throws -> Loss {
        let D = outputs[Self.query].D, share = try share(batch)
        let keys = try (0...1).map { view in
            let rows = NormalizedRows(try batch.teacher(.groupEmbeddings(1), group: 1, view: view, width: D))
            return Tensor(f32: rows.values, shape: [rows.N, D])
        }
        let other = batch.epoch >= options[Self.bagEpoch] ? options[Self.bagWeight] : 0, none = Tensor(f32: [], shape: [0, D])
        var value = 0.0, gradients: [String: [Float]] = [:], own: [Loss] = []
        // The query with its own key comes last, since its keys enter the queue.
        let terms: [(pass: Pass, key: Int, weight: Double)] = [
            (Self.mix, 1, 1 - share), (Self.mix, 0, share), (Self.positive, 0, other), (Self.positive, 1, 1 - other), (Self.query, 1, other), (Self.query, 0, 1 - other),
        ]
        for (place, term) in terms.enumerated() where term.weight > 0 || place == terms.count - 1 {
            let loss = try pairs.loss(outputs[term.pass], of: term.pass, teacher: keys[term.key], enqueued: place == terms.count - 1 ? nil : none, batch)
            guard loss.value.isFinite, let gradient = loss.gradients[term.pass.name] else { return .notFinite }
            let weight = term.weight / 3, scaled = gradient.map { Float(weight) * $0 }
            value += weight * loss.value
            gradients[term.pass.name] = gradients[term.pass.name].map { zip($0, scaled).map { $0 + $1 } } ?? scaled
            own = [loss]
        }
        // The metrics of the query with its own key. InfoNCE has no floor.
        let told = (own.first?.metrics ?? []).filter { !["floor", "kl"].contains($0.name) }
        return Loss(value, gradients: gradients, metrics: told + [Metric("mix_share", share, .last, .hidden)])
    }
}
