public import Networks
import Optimizers

/// SimSiam: a predictor maps the embedding of one view to the same network's embedding of the other view, with a
/// stop-gradient on the latter.
///
///     L = −½(mean cos(p₁, z₂) + mean cos(p₂, z₁))
///
/// Chen and He, "Exploring Simple Siamese Representation Learning", CVPR 2021, eq. 1 and 3. If the head ends in a
/// batch norm without parameters (`initialize --head simsiam`), the bias before it is frozen, as in the authors'
/// code.
public struct SimSiam: Objective {
    public static let name = "simsiam"
    public static let summary = "predict the student's own embedding of the other view (Chen and He, CVPR 2021)"
    public static let inputs = Inputs(views: 2...2)
    public static let head = StudentHead.named("simsiam")
    public static let zeroInitResidual = true
    public static let defaults: TrainingDefaults? = TrainingDefaults(
        .sgd, rate: 0.05, weightDecay: 1e-4, .cosine, epochs: 100, recipe: "simsiam", smallestCrop: 0.2)

    static let hidden = MethodOption("predictor-width", default: 512, in: 1...65536, "Width of the predictor's hidden layer.")
    static let fixesRate = MethodOption("fix-predictor-rate", default: true, "Whether the predictor keeps the given rate, whatever the schedule.")
    public static let options: [any AnyMethodOption] = [hidden, fixesRate]

    public static func models(_ options: MethodOptions) -> [Model] {
        let hidden = options[hidden]
        return [.student, .head("predictor") { D in Head([.linear(hidden, bias: false), .batchNorm(), .relu, .linear(D)]) }]
    }

    public static func group(_ parameter: Parameter, of model: Model, in network: Network, _ options: MethodOptions) -> ParameterGroup {
        if model.name == "predictor" { return ParameterGroup(isScheduled: !options[fixesRate]) }
        let layers = network.head.layers
        guard layers.last == .batchNorm(affine: false), layers.count > 1 else { return ParameterGroup() }
        return parameter.name == network.head.name(layers.count - 2, network.headName) + ".bias" ? .frozen : ParameterGroup()
    }

    private static let embeddings = [0, 1].map { Pass("embedding \($0)", .view($0)) }
    private static let predictions = [0, 1].map { Pass("prediction \($0)", model: "predictor", .output(of: embeddings[$0])) }
    public static func passes(_ options: MethodOptions) -> [Pass] { embeddings + predictions }

    public init(_ options: MethodOptions, _ facts: TrainingFacts) throws {}

    public mutating func loss(_ outputs: Outputs, _ batch: Batch) throws -> Loss {
        var value = 0.0, gradients: [String: [Float]] = [:]
        for view in 0...1 {
            let rows = NormalizedRows(outputs[Self.predictions[view]]), targets = NormalizedRows(outputs[Self.embeddings[1 - view]])
            guard rows.areFinite, targets.areFinite else { return .notFinite }
            // ¼(2 − 2·cos) − ½ = −½·cos
            let regression = RowRegression(rows, on: targets, scale: 0.25)
            value += regression.value - 0.5
            gradients[Self.predictions[view].name] = regression.gradient
        }
        return Loss(value, gradients: gradients)
    }
}
