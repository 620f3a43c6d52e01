import Losses
import Networks
import TensorStreams
import ToolSupport

/// Common parts of methods that train a classifier: the student's head outputs the logits of the classes.
///
/// Trunk and head may have different learning rates, for example to fine-tune a network trained without labels. A
/// frozen trunk also keeps its running statistics and runs in inference mode.
enum Classifier {
    static let trunkRate = MethodOption(
        "trunk-rate", default: 1.0, in: 0...1, "The learning rate of the trunk, as a share of the head's, which is --learning-rate.")
    static let freezesTrunk = MethodOption("freeze-trunk", default: false, "Whether only the head is trained, on the features that the trunk gives in inference mode.")

    private static let features = Pass("features", .view(0), output: .features)
    private static let frozenFeatures = Pass("features", .view(0), output: .features, hasGradient: false, isInference: true)
    /// The head alone, on the features.
    ///
    /// It is a separate pass so that the collapse check sees features and not logits.
    static let logits = Pass("logits", .output(of: features))
    private static let logitsOfFrozen = Pass("logits", .output(of: frozenFeatures))

    static func passes(_ options: MethodOptions) -> [Pass] { options[freezesTrunk] ? [frozenFeatures, logitsOfFrozen] : [features, logits] }

    static func conflict(_ options: MethodOptions) -> String? {
        options[freezesTrunk] && options.text(trunkRate.name) != nil ? "--trunk-rate is of no use with --freeze-trunk on; leave one of them out" : nil
    }

    static func group(_ parameter: Parameter, in network: Network, _ options: MethodOptions) -> ParameterGroup {
        if parameter.name.hasPrefix(network.headName + ".") { return ParameterGroup() }
        return options[freezesTrunk] ? .frozen : ParameterGroup(rate: options[trunkRate])
    }

    static func labels(_ batch: Batch, classes: Int, otherwise: String = Batch.learnWithoutLabels) throws -> [Int32] {
        let labels = try batch.labels(otherwise: otherwise)
        if let label = labels.first(where: { $0 >= classes }) {
            throw batch.record.failure("has label \(label) where the classifier has \(classes) classes", remedy: "begin with initialize --from and --classes, with as many classes as the data has")
        }
        return labels
    }

    static func loss(_ values: LossValues) -> Loss {
        Loss(values.mean, gradients: [logits.name: values.gradient], metrics: values.meanAgreement.map { [.agreement($0)] } ?? [])
    }
}

/// Compares two lists of classes that should be equal.
public enum ClassDifference {
    /// Describes how `found` differs from `expected`; nil where they are equal.
    ///
    ///     ClassDifference.text("the teacher", ["cat", "dog"], "the data", ["cat", "cow"])
    ///     // "class 1 of the teacher is 'dog' where the data has 'cow'"
    public static func text(_ name: String, _ found: [String], _ other: String, _ expected: [String]) -> String? {
        if found == expected { return nil }
        if found.count != expected.count { return "\(name) has \(found.count) classes where \(other) has \(expected.count)" }
        guard let index = found.indices.first(where: { found[$0] != expected[$0] }) else { return nil }
        return "class \(index) of \(name) is '\(found[index].printableLine(limit: 80))' where \(other) has '\(expected[index].printableLine(limit: 80))'"
    }
}
