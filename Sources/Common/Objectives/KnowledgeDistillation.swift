import Losses
import Networks
public import TensorStreams
import ToolSupport

/// Hinton's distillation: a classifier on the student's pooled features gives the teacher's classes' probabilities at a high temperature, and the labels (``ClassLoss``).
///
///     L = (1 − α)·CE(z, y) + α·T²·KL(softmax(t/T) ‖ softmax(z/T))
///
/// Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", 2015. The teacher's logits come with the stream (`embed --logits`), in the order of its
/// classes, which the labels must follow. With α = 1 no labels are needed.
public struct KnowledgeDistillation: Objective {
    public static let name = "kd"
    public static let summary = "have the teacher's class probabilities, and the labels (Hinton et al., 2015)"
    public static let inputs = Inputs(views: 1...64, labels: true, teacher: .logits)
    public static let head = StudentHead.none
    public static let defaults: TrainingDefaults? = Supervised.defaults

    static let temperature = MethodOption("temperature", default: 4.0, in: Temperature.range, "The temperature of both networks' logits.")
    static let alpha = MethodOption("alpha", default: 0.9, in: 0...1, "The weight of the teacher's probabilities; that of the labels is what is left of 1.")
    public static let options: [any AnyMethodOption] = [temperature, alpha, Classifier.classes]

    /// As many classes as the teacher's rows have numbers.
    public static func completed(_ options: MethodOptions, _ header: StreamHeader) throws -> MethodOptions {
        if options[Classifier.classes] != nil { return options }
        guard let C = header.metadata.count("dimension"), (1...65536).contains(C) else {
            throw Failure(.data, "the stream does not say how wide the teacher's rows are", remedy: "send it through embed --logits, or give --\(Classifier.classes.name)")
        }
        return options.setting(Classifier.classes, "\(C)")
    }

    public static func models(_ options: MethodOptions) -> [Model] { [.student, Classifier.model(options)] }
    public static func passes(_ options: MethodOptions) -> [Pass] { Classifier.passes }
    private let options: MethodOptions

    public init(_ options: MethodOptions, _ facts: TrainingFacts) throws { self.options = options }

    public mutating func loss(_ outputs: Outputs, _ batch: Batch) throws -> Loss {
        let logits = outputs[Classifier.logits], alpha = options[Self.alpha]
        let teacher = try batch.teacher(.logits, width: (logits.D, "the classifier is of other classes; begin with the student's weights alone, or give --\(Classifier.classes.name)"))
        let labels = alpha < 1 ? try Classifier.labels(batch, classes: logits.D) : nil
        guard logits.values.allSatisfy(\.isFinite) else { return .notFinite }
        return Classifier.loss(
            ClassLoss.evaluate(logits: logits.values, labels: labels, classes: logits.D, teacher: (teacher.values, options[Self.temperature]), alpha: alpha))
    }
}
