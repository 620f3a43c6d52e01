import Losses
public import Networks
import Optimizers

/// Barlow Twins: each component of the embedding should agree between both views, and different components should be
/// uncorrelated (``BarlowTwinsLoss``).
///
/// Zbontar et al., "Barlow Twins: Self-Supervised Learning via Redundancy Reduction", ICML 2021.
public struct BarlowTwins: Objective {
    public static let name = "barlow-twins"
    public static let summary = "make embeddings of two views alike and their dimensions unlike each other (Zbontar et al., ICML 2021)"
    public static let inputs = Inputs(views: 2...2)
    public static let head = StudentHead.named("barlow-twins")
    public static let zeroInitResidual = true
    public static let defaults: TrainingDefaults? = TrainingDefaults(
        .lars, rate: 0.2, weightDecay: 1e-6, .warmUpCosine, epochs: 1000, warmUp: 10, endShare: 0.001, recipe: "barlow-twins", smallestCrop: 0.08)

    static let lambda = MethodOption("lambda", default: 0.0051, in: 0...1e3, "The weight of the correlations of different dimensions.")
    static let vectorRate = MethodOption(
        "vector-rate", default: 0.024, in: 0...1e3, "The rate of biases and of batch norm's scales and shifts, as a share of the weights' rate: 0.0048 for 0.2.")
    public static let options: [any AnyMethodOption] = [lambda, vectorRate]

    public static func group(_ parameter: Parameter, of model: Model, in network: Network, _ options: MethodOptions) -> ParameterGroup {
        ParameterGroup(rate: parameter.shape.count == 1 ? options[vectorRate] : 1)
    }

    private static let embeddings = [0, 1].map { Pass("embedding \($0)", .view($0)) }
    public static func passes(_ options: MethodOptions) -> [Pass] { embeddings }
    private let lambda: Double

    public init(_ options: MethodOptions, _ facts: TrainingFacts) throws { lambda = options[Self.lambda] }

    public mutating func loss(_ outputs: Outputs, _ batch: Batch) throws -> Loss {
        let (first, second) = (outputs[Self.embeddings[0]], outputs[Self.embeddings[1]])
        guard first.values.allSatisfy(\.isFinite), second.values.allSatisfy(\.isFinite) else { return .notFinite }
        let result = BarlowTwinsLoss.evaluate(first: first.values, second: second.values, N: first.N, D: first.D, lambda: lambda)
        let metrics = [Metric("correlation", result.onDiagonal), result.offDiagonal.map { Metric("cross_correlation", $0, label: "cross-correlation") }]
        return Loss(
            result.loss, gradients: [Self.embeddings[0].name: result.gradients.0, Self.embeddings[1].name: result.gradients.1], metrics: metrics.compactMap { $0 })
    }
}
