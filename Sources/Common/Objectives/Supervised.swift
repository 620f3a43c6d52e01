import Losses
import Networks
import Optimizers
public import TensorStreams
import ToolSupport

/// Classification: a linear layer on the student's pooled features tells the classes, by cross-entropy (``ClassLoss``).
///
/// The layer is the model `classifier`, kept in the checkpoint beside the student: `training.classifier.weight`. Settings are those of torchvision's ResNets. The student's own head
/// has no part in it.
public struct Supervised: Objective {
    public static let name = "supervised"
    public static let summary = "tell the classes by a linear layer, which needs labels"
    public static let inputs = Inputs(views: 1...64, labels: true)
    public static let head = StudentHead.none
    public static let defaults: TrainingDefaults? = TrainingDefaults(
        .sgd, rate: 0.1, weightDecay: 1e-4, .steps, epochs: 90, milestones: [30, 60], recipe: "linear-train", smallestCrop: 0.08)
    public static let options: [any AnyMethodOption] = [Classifier.classes]

    public static func completed(_ options: MethodOptions, _ header: StreamHeader) throws -> MethodOptions { try Classifier.completed(options, header) }
    public static func models(_ options: MethodOptions) -> [Model] { [.student, Classifier.model(options)] }
    public static func passes(_ options: MethodOptions) -> [Pass] { Classifier.passes }

    public init(_ options: MethodOptions, _ facts: TrainingFacts) throws {}

    public mutating func loss(_ outputs: Outputs, _ batch: Batch) throws -> Loss {
        let logits = outputs[Classifier.logits], labels = try Classifier.labels(batch, classes: logits.D)
        guard logits.values.allSatisfy(\.isFinite) else { return .notFinite }
        return Classifier.loss(ClassLoss.evaluate(logits: logits.values, labels: labels, classes: logits.D))
    }
}

/// A linear layer for classes on a student's pooled features.
enum Classifier {
    static let classes = MethodOption<Int?>("classes", default: nil, defaultText: "those of the stream", in: 1...65536, valueName: "C", "Classes that are told apart.")

    /// - Throws: ``Failure`` where neither an option nor the stream says how many classes there are.
    static func completed(_ options: MethodOptions, _ header: StreamHeader) throws -> MethodOptions {
        if options[classes] != nil { return options }
        guard let text = header.metadata["classes"], case .array(let names)? = try? JSON(parsing: text), (1...65536).contains(names.count) else {
            throw Failure(.data, "the stream does not name its classes", remedy: "put images in folders named for their classes, or give --\(classes.name)")
        }
        return options.setting(classes, "\(names.count)")
    }

    static func model(_ options: MethodOptions) -> Model {
        let C = options[classes] ?? 1000
        return .head("classifier", on: .features) { _ in .linear(C) }
    }

    private static let features = Pass("features", .view(0), output: .features)
    static let logits = Pass("logits", model: "classifier", .output(of: features))
    static let passes = [features, logits]

    static func labels(_ batch: Batch, classes: Int) throws -> [Int32] {
        let labels = try batch.labels()
        if let label = labels.first(where: { $0 >= classes }) {
            throw batch.record.failure("has label \(label) where the classifier has \(classes) classes", remedy: "give --\(Self.classes.name), or other data")
        }
        return labels
    }

    static func loss(_ values: LossValues) -> Loss {
        Loss(values.mean, gradients: [logits.name: values.gradient], metrics: values.meanAgreement.map { [.agreement($0)] } ?? [])
    }
}
