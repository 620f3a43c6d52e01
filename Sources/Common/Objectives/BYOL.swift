import Networks
import Optimizers

/// BYOL: a predictor maps the embedding of one view to the moving average's embedding of the other view.
///
///     L = mean over images of 2 − 2⟨p̂₁, ẑ₂⟩ + 2 − 2⟨p̂₂, ẑ₁⟩
///
/// Grill et al., "Bootstrap your own latent", NeurIPS 2020, eq. 2. The moving average is updated after the weights.
/// Its momentum grows to 1. Batch norm normalises each view separately, also in the moving average.
public struct BYOL: Objective {
    public static let name = "byol"
    public static let summary = "predict the moving average's embedding of the other view (Grill et al., NeurIPS 2020)"
    public static let inputs = Inputs(views: 2...2)
    public static let head = StudentHead.named("byol")
    public static let zeroInitResidual = true
    public static let defaults: TrainingDefaults? = TrainingDefaults(
        .larsBYOL, rate: 0.3, weightDecay: 1e-6, .warmUpCosine, epochs: 300, warmUp: 10, recipe: "byol", smallestCrop: 0.08)

    static let momentum = MethodOption("target-momentum", default: 0.99, in: 0...1, "The initial momentum of the average that gives the targets; it rises to 1 along a cosine.")
    static let hidden = MethodOption("predictor-width", default: 4096, in: 1...65536, "Width of the predictor's hidden layer.")
    static let beginsAsCopy = MethodOption(
        "target-copy", default: true, "Whether the average starts as a copy of the student; off: with random numbers of its own, as in the authors' code.")
    public static let options: [any AnyMethodOption] = [momentum, hidden, beginsAsCopy]

    public static func models(_ options: MethodOptions) -> [Model] {
        let hidden = options[hidden]
        return [
            .student, .average("target", momentum: .cosine(from: options[momentum]), when: .afterStep, isCopy: options[beginsAsCopy]),
            .head("predictor") { D in Head([.linear(hidden), .batchNorm(), .relu, .linear(D, bias: false)]) },
        ]
    }

    private static let targets = [0, 1].map { Pass("target \($0)", model: "target", .view($0), hasGradient: false) }
    private static let embeddings = [0, 1].map { Pass("embedding \($0)", .view($0)) }
    private static let predictions = [0, 1].map { Pass("prediction \($0)", model: "predictor", .output(of: embeddings[$0])) }
    public static func passes(_ options: MethodOptions) -> [Pass] { targets + embeddings + predictions }

    public init(_ options: MethodOptions, _ facts: TrainingFacts) throws {}

    public mutating func loss(_ outputs: Outputs, _ batch: Batch) throws -> Loss {
        var value = 0.0, gradients: [String: [Float]] = [:]
        for view in 0...1 {
            let rows = NormalizedRows(outputs[Self.predictions[view]]), targets = NormalizedRows(outputs[Self.targets[1 - view]])
            guard rows.areFinite, targets.areFinite else { return .notFinite }
            let regression = RowRegression(rows, on: targets)
            value += regression.value
            gradients[Self.predictions[view].name] = regression.gradient
        }
        return Loss(value, gradients: gradients)
    }
}
