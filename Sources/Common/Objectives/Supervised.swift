import Losses
public import Networks
import Optimizers
public import TensorStreams
import ToolSupport

/// Classification: the student's head, a linear layer, predicts the classes, trained with cross-entropy
/// (``ClassLoss``).
///
/// The settings are those of torchvision for training ResNets from scratch. For fine-tuning see docs/methods.md.
public struct Supervised: Objective {
    public static let name = "supervised"
    public static let summary = "predict the classes, which needs labels"
    public static let inputs = Inputs(views: 1...64, labels: true)
    public static let head = StudentHead.classifier
    public static let defaults: TrainingDefaults? = TrainingDefaults(
        .sgd, rate: 0.1, weightDecay: 1e-4, .steps, epochs: 90, milestones: [30, 60], recipe: "linear-train", smallestCrop: 0.08)
    public static let options: [any AnyMethodOption] = [Classifier.trunkRate, Classifier.freezesTrunk]

    public static func classes(_ options: MethodOptions, _ header: StreamHeader) throws -> [String]? { header.metadata.names("classes") }
    public static func passes(_ options: MethodOptions) -> [Pass] { Classifier.passes(options) }
    public static func conflict(_ options: MethodOptions) -> String? { Classifier.conflict(options) }
    public static func group(_ parameter: Parameter, of model: Model, in network: Network, _ options: MethodOptions) -> ParameterGroup {
        Classifier.group(parameter, in: network, options)
    }

    public init(_ options: MethodOptions, _ facts: TrainingFacts) throws {}

    public mutating func loss(_ outputs: Outputs, _ batch: Batch) throws -> Loss {
        let logits = outputs[Classifier.logits], labels = try Classifier.labels(batch, classes: logits.D)
        guard logits.values.allSatisfy(\.isFinite) else { return .notFinite }
        return Classifier.loss(ClassLoss.evaluate(logits: logits.values, labels: labels, classes: logits.D))
    }
}
