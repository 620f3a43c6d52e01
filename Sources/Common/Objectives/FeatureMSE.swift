import Networks
import Optimizers
public import TensorStreams

/// A linear layer on the student's pooled features predicts the teacher's unnormalised pooled features by the mean
/// squared error.
///
/// The layer is dropped after training.
///
///     L = 1/(N·D) Σ (pₙ − tₙ)²
///
/// This is the loss of `distillationv2` of lightly-train 0.18. That program applies it to the features of all patches
/// of the teacher's last two blocks and to the student's feature map, resized to match. Here it applies to whole
/// images.
public struct FeatureMSE: Objective {
    public static let name = "feature-mse"
    public static let summary = "match the teacher's features, lengths too, through a linear layer that is dropped afterwards (lightly-train's v2, on whole images)"
    public static let inputs = Inputs(views: 1...64, teacher: .features, isMixed: true)
    public static let hasFixedTargets = true
    public static let head = StudentHead.none
    public static let defaults: TrainingDefaults? = LightlyTrain.defaults(rate: 9)
    public static let options: [any AnyMethodOption] = [SimReg.width]

    public static func completed(_ options: MethodOptions, _ header: StreamHeader) throws -> MethodOptions { try SimReg.completed(options, header) }
    public static func models(_ options: MethodOptions) -> [Model] { [.student, .head("projection", on: .features) { _ in .linear(options[SimReg.width] ?? 2048) }] }

    private static let features = Pass("features", .view(0), output: .features)
    private static let projection = Pass("projection", model: "projection", .output(of: features))
    public static func passes(_ options: MethodOptions) -> [Pass] { [features, projection] }

    public init(_ options: MethodOptions, _ facts: TrainingFacts) throws {}

    public mutating func loss(_ outputs: Outputs, _ batch: Batch) throws -> Loss {
        let rows = outputs[Self.projection]
        let teacher = try batch.teacher(.features, width: (rows.D, "the projection belongs to another teacher; begin with the student's weights alone, or give --\(SimReg.width.name)"))
        guard rows.values.allSatisfy(\.isFinite) else { return .notFinite }
        var sum = 0.0, gradient = rows.values
        let count = Double(max(1, rows.values.count)), factor = Float(2 / count)
        for i in gradient.indices {
            gradient[i] -= teacher.values[i]
            sum += Double(gradient[i]) * Double(gradient[i])
            gradient[i] *= factor
        }
        return Loss(sum / count, gradients: [Self.projection.name: gradient], metrics: [.teacherSpread(teacher)].compactMap { $0 })
    }
}
