import Losses
public import Networks
public import TensorStreams
import ToolSupport

/// Hinton's distillation: the student's classifier matches the teacher's class probabilities at a high temperature,
/// and the labels (``ClassLoss``).
///
///     L = (1 − α)·CE(z, y) + α·T²·KL(softmax(t/T) ‖ softmax(z/T))
///
/// Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", 2015. The teacher's logits come with the
/// stream (`embed --logits`) in the teacher's class order, which the labels must follow. With α = 1 no labels are
/// needed.
public struct KnowledgeDistillation: Objective {
    public static let name = "kd"
    public static let summary = "match the teacher's class probabilities, and the labels (Hinton et al., 2015)"
    public static let inputs = Inputs(views: 1...64, labels: true, teacher: .logits)
    public static let head = StudentHead.classifier
    public static let defaults: TrainingDefaults? = Supervised.defaults

    static let temperature = MethodOption("temperature", default: 4.0, in: Temperature.range, "The temperature of both networks' logits.")
    static let alpha = MethodOption("alpha", default: 0.9, in: 0...1, "The weight of the teacher's probabilities; that of the labels is 1 minus this.")
    static let classMean = MethodOption(
        "class-mean", default: false, "Whether KL is also averaged over the classes, as in DisCo's code, not summed: C times weaker with C classes.")
    public static let options: [any AnyMethodOption] = [temperature, alpha, classMean, Classifier.trunkRate, Classifier.freezesTrunk]

    /// The classes of the data.
    ///
    /// They must equal the teacher's where labels are used; without labels, the teacher's classes take precedence.
    public static func classes(_ options: MethodOptions, _ header: StreamHeader) throws -> [String]? {
        let data = header.metadata.names("classes"), teacher = header.metadata.names("logit_classes")
        guard options[alpha] < 1 else { return teacher ?? data }
        if let data, let teacher, let difference = ClassDifference.text("the teacher", teacher, "the data", data) {
            throw Failure(.data, difference, remedy: "use a teacher that was trained on these classes, such as make finetune trains")
        }
        return data ?? teacher
    }

    public static func passes(_ options: MethodOptions) -> [Pass] { Classifier.passes(options) }
    public static func conflict(_ options: MethodOptions) -> String? { Classifier.conflict(options) }
    public static func group(_ parameter: Parameter, of model: Model, in network: Network, _ options: MethodOptions) -> ParameterGroup {
        Classifier.group(parameter, in: network, options)
    }
    private let options: MethodOptions

    public init(_ options: MethodOptions, _ facts: TrainingFacts) throws { self.options = options }

    public mutating func loss(_ outputs: Outputs, _ batch: Batch) throws -> Loss {
        let logits = outputs[Classifier.logits], alpha = options[Self.alpha]
        let teacher = try batch.teacher(.logits, width: (logits.D, "both must be classifiers of the same classes; initialize --from gives the student one of --classes"))
        let labels = alpha < 1 ? try Classifier.labels(batch, classes: logits.D, otherwise: "give --alpha 1, which learns from the teacher alone") : nil
        guard logits.values.allSatisfy(\.isFinite) else { return .notFinite }
        return Classifier.loss(
            ClassLoss.evaluate(
                logits: logits.values, labels: labels, classes: logits.D, teacher: (teacher.values, options[Self.temperature]), alpha: alpha,
                weight: options[Self.classMean] ? 1 / Double(logits.D) : 1))
    }
}
