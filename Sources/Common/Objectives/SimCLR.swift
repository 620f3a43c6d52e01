import Losses
import Optimizers
import TensorStreams

/// SimCLR: each view must identify the other view of its image among all views of the batch.
///
/// Chen et al., "A Simple Framework for Contrastive Learning of Visual Representations", ICML 2020, eq. 1 (NT-Xent).
/// It is ``SupervisedContrastiveLoss`` with every image as its own class.
public struct SimCLR: Objective {
    public static let name = "simclr"
    public static let summary = "identify an image's other view among the views of the batch (Chen et al., ICML 2020)"
    public static let inputs = Inputs(views: 2...2)
    public static let head = StudentHead.named("simclr")
    public static let zeroInitResidual = true
    public static let defaults: TrainingDefaults? = TrainingDefaults(
        .larsSimCLR, rate: 0.3, weightDecay: 1e-6, .warmUpCosine, epochs: 100, warmUp: 10, recipe: "simclr-original", smallestCrop: 0.08)

    static let temperature = MethodOption("student-temperature", default: 0.1, in: Temperature.range, "The temperature of the student's logits.")
    static let sum = MethodOption(
        "loss-sum", default: false, "Whether the losses of both views are added, as in the authors' code, not averaged: twice the gradient.")
    public static let options: [any AnyMethodOption] = [temperature, sum]

    private static let views = Pass("views", .allViews)
    public static func passes(_ options: MethodOptions) -> [Pass] { [views] }
    private let options: MethodOptions

    public init(_ options: MethodOptions, _ facts: TrainingFacts) throws { self.options = options }

    public mutating func loss(_ outputs: Outputs, _ batch: Batch) throws -> Loss {
        let rows = NormalizedRows(outputs[Self.views]), images = (0..<Int32(batch.N)).flatMap { [$0, $0] }
        guard rows.areFinite else { return .notFinite }
        let values = unsafe rows.values.withUnsafeBufferPointer { unit in
            unsafe SupervisedContrastiveLoss.evaluate(embeddings: unit, labels: images, dimension: rows.D, temperature: options[Self.temperature])
        }
        let scale: Double = options[Self.sum] ? 2 : 1
        return Loss(
            scale * values.mean, gradients: [Self.views.name: rows.backward(values.gradient.map { Float(scale) * $0 })],
            metrics: values.meanAgreement.map { [.agreement($0)] } ?? [])
    }
}
