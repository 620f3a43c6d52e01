import Losses
import TensorStreams
import ToolSupport

/// Supervised contrastive learning: images of one class attract each other, all others repel.
///
/// Khosla et al., "Supervised Contrastive Learning", NeurIPS 2020; the loss is ``SupervisedContrastiveLoss``, over both
/// views of a batch.
public struct SupervisedContrastive: Objective {
    public static let name = "supervised-contrastive"
    public static let summary = "bring images of the same class together, which needs labels (Khosla et al., NeurIPS 2020)"
    public static let inputs = Inputs(views: 2...2, labels: true)

    static let temperature = MethodOption("student-temperature", default: 0.1, in: Temperature.range, "The temperature of the student's logits.")
    public static let options: [any AnyMethodOption] = [temperature]

    private static let views = Pass("views", .allViews)
    public static func passes(_ options: MethodOptions) -> [Pass] { [views] }
    private let temperature: Double

    public init(_ options: MethodOptions, _ facts: TrainingFacts) throws { temperature = options[Self.temperature] }

    public mutating func loss(_ outputs: Outputs, _ batch: Batch) throws -> Loss {
        let labels = try batch.labels()
        let rows = NormalizedRows(outputs[Self.views])
        guard rows.areFinite else { return .notFinite }
        let values = unsafe rows.values.withUnsafeBufferPointer { unit in
            unsafe SupervisedContrastiveLoss.evaluate(
                embeddings: unit, labels: labels.flatMap { [$0, $0] }, dimension: rows.D, temperature: temperature)
        }
        var metrics: [Metric] = []
        if let floor = values.meanFloor { metrics += [.floor(floor), .divergence(values.mean - floor)] }
        if let agreement = values.meanAgreement { metrics.append(.agreement(agreement)) }
        if let cosine = rows.meanCosine { metrics.append(.studentCosine(cosine)) }
        return Loss(values.mean, gradients: [Self.views.name: rows.backward(values.gradient)], metrics: metrics)
    }
}
