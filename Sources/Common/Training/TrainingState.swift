import Checkpoints
public import Kernels
public import Networks
public import Objectives
public import TensorStreams
import ToolSupport

/// All that the next epoch needs: one document, so that one rename finishes an epoch.
///
/// | tensors                 |                                                                             |
/// |-------------------------|-----------------------------------------------------------------------------|
/// | torchvision's names     | the student's weights                                                       |
/// | `training.momentum.…`   | the optimizer's momenta, under the parameters' names                        |
/// | `training.MODEL.…`      | other models of the method, such as MoCo's `key`, under torchvision's names |
/// | `training.momentum.MODEL.…` | momenta of those that are trained                                       |
/// | `training.loss.…`       | what the objective keeps from batch to batch: SEED's queue                  |
///
/// Metadata: `network`, `objective`, `epoch` (finished epochs), `steps` (of the optimizer, in all), `kl` (of the last quarter of the last epoch,
/// where the objective tells its floor and the queue was full), `provenance`.
public struct TrainingState {
    public let weights: Weights
    /// The optimizer's momenta, at the parameters' offsets.
    public let momenta: FloatBuffer
    /// The method's other models, by name.
    public var others: [String: Other]
    /// What the objective left to be kept.
    public var objective: [String: Tensor]
    /// The name of the method; nil where that is not known.
    public var method: String?
    /// Epochs finished.
    public var epoch: Int
    /// Steps of the optimizer so far.
    public var steps: Int
    /// The mean of loss − floor over the last quarter of the last epoch.
    public var divergence: Double?
    public var provenance: Provenance

    /// A network beside the student.
    public struct Other {
        public let weights: Weights
        /// nil where it is not trained by the gradient.
        public let momenta: FloatBuffer?

        public init(_ weights: Weights, momenta: FloatBuffer? = nil) { (self.weights, self.momenta) = (weights, momenta) }
    }

    private static let momentumPrefix = WeightsDocument.trainingPrefix + "momentum."
    private static let objectivePrefix = WeightsDocument.trainingPrefix + "loss."
    private static func prefix(_ model: Model) -> String { WeightsDocument.trainingPrefix + model.name + "." }

    /// The network that a model is, beside a student.
    private static func network(_ model: Model, beside student: Network) -> Network {
        guard case .head(let head) = model.kind else { return student }
        return Network(head(student.embeddingWidth), inputs: student.embeddingWidth)
    }

    /// A network that has not been trained.
    public init(_ weights: Weights, provenance: Provenance) {
        self.weights = weights
        momenta = FloatBuffer(weights.network.parameterCount)
        others = [:]
        objective = [:]
        epoch = 0
        steps = 0
        self.provenance = provenance
    }

    /// Reads a checkpoint of a training by `method`, or weights alone, which begin one.
    ///
    /// - Throws: ``Failure`` `data` where it is of another method, or holds what no training by this one has: before that is read.
    public init(reading path: String, network: String? = nil, for method: any Objective.Type, _ options: MethodOptions = MethodOptions()) throws {
        let others = method.models(options).dropFirst()
        let document = try DocumentFile.read(path) { outline in
            try Self.check(outline, path: path, network: network, method, others)
            return nil
        }
        let weights = try WeightsDocument.weights(in: document, path: path, network: network)
        try WeightsDocument.checkColours(weights.network, path: path)
        guard weights.network.trains else {
            throw Failure(.data, path: path, "is a \(weights.network.name), which can be a teacher but not be trained", remedy: "name a ResNet, RegNet, MobileNet or EfficientNet")
        }
        self.init(weights, provenance: Provenance(text: document.metadata["provenance"] ?? ""))
        self.method = document.metadata["objective"]
        epoch = document.metadata.count("epoch") ?? 0
        steps = document.metadata.count("steps") ?? 0
        divergence = document.metadata["kl"].flatMap { Double($0) }.flatMap { $0.isFinite ? $0 : nil }
        for (name, tensor) in document.tensors where name.hasPrefix(Self.objectivePrefix) {
            objective[String(name.dropFirst(Self.objectivePrefix.count))] = tensor
        }
        if document.tensors.keys.contains(where: { $0.hasPrefix(Self.momentumPrefix) }) {
            try Self.read(momenta, of: weights.network, from: document, prefix: Self.momentumPrefix)
        }
        for model in others where document.tensors.keys.contains(where: { $0.hasPrefix(Self.prefix(model)) }) {
            let network = Self.network(model, beside: weights.network), own = try WeightsDocument.weights(of: network, in: document, path: path, prefix: Self.prefix(model))
            guard case .head = model.kind else {
                self.others[model.name] = Other(own, momenta: nil)
                continue
            }
            let momenta = FloatBuffer(network.parameterCount)
            try Self.read(momenta, of: network, from: document, prefix: Self.momentumPrefix + model.name + ".")
            self.others[model.name] = Other(own, momenta: momenta)
        }
    }

    private static func read(_ momenta: FloatBuffer, of network: Network, from document: TensorDocument, prefix: String) throws {
        for parameter in network.parameters {
            let tensor = try document.tensor(prefix + parameter.name, .f32, shape: parameter.shape)
            for (i, value) in parameter.native(try tensor.floats()).enumerated() { unsafe momenta.pointer[parameter.offset + i] = value }
        }
    }

    /// Throws where a file has other tensors than a checkpoint of `method`, before they are read.
    private static func check(
        _ outline: DocumentOutline, path: String, network: String?, _ method: any Objective.Type, _ others: ArraySlice<Model>
    ) throws {
        let student = try WeightsDocument.network(in: outline, path: path, network: network)
        if let other = outline.metadata["objective"], other != method.name {
            throw Failure(
                .data, path: path, "is of a training by \(other.printableLine(limit: 40)) where --objective \(method.name) is asked for",
                remedy: "go on with --objective \(other.printableLine(limit: 40)), or begin with its weights alone, which convert-weights writes")
        }
        for model in others where outline.tensors.contains(where: { $0.name.hasPrefix(prefix(model)) }) {
            try WeightsDocument.check(Self.network(model, beside: student), in: outline, path: path, prefix: prefix(model))
        }
        let shapes = outline.shapes, models = others.map(prefix), trained = others.filter { if case .head = $0.kind { true } else { false } }
        /// Of the student's parameter of this name, or of `MODEL.NAME`.
        func isMomentum(_ name: String, _ shape: [Int]) -> Bool {
            shapes[name] == shape
                || trained.contains { name.hasPrefix($0.name + ".") && shapes[prefix($0) + name.dropFirst($0.name.utf8.count + 1)] == shape }
        }
        var state = 0
        for tensor in outline.tensors where tensor.name.hasPrefix(WeightsDocument.trainingPrefix) && !models.contains(where: tensor.name.hasPrefix) {
            if tensor.name.hasPrefix(objectivePrefix) {
                state += tensor.byteCount
            } else if !tensor.name.hasPrefix(momentumPrefix) || !isMomentum(String(tensor.name.dropFirst(momentumPrefix.count)), tensor.shape) {
                throw Failure(.data, path: path, "holds '\(tensor.name)' of shape \(tensor.shape), which no training by \(method.name) has",
                    remedy: "name its --objective, or begin with its weights alone, which convert-weights writes")
            }
        }
        // It travels to the loss and back as one record.
        guard state <= Limits.standard.documentBytes else {
            throw Failure(.data, path: path, "holds \(state) bytes of the loss, above the limit of \(Limits.standard.documentBytes)")
        }
    }

    /// Whether training can go on from here: no weight, statistic or momentum has overflowed.
    var isFinite: Bool {
        ([weights.parameters, weights.statistics, momenta] + others.values.flatMap { [$0.weights.parameters, $0.weights.statistics] + [$0.momenta].compactMap { $0 } }).allSatisfy { buffer in
            unsafe buffer.buffer.allSatisfy(\.isFinite)
        }
    }

    /// The checkpoint.
    public func document() -> TensorDocument {
        var tensors = WeightsDocument.tensors(of: weights)
        func add(_ momenta: FloatBuffer, of network: Network, prefix: String) {
            if steps > 0 { tensors.merge(WeightsDocument.parameterTensors(momenta, of: network, prefix: prefix)) { $1 } }
        }
        add(momenta, of: weights.network, prefix: Self.momentumPrefix)
        for (name, other) in others {
            tensors.merge(WeightsDocument.tensors(of: other.weights, prefix: WeightsDocument.trainingPrefix + name + ".")) { $1 }
            if let momenta = other.momenta { add(momenta, of: other.weights.network, prefix: Self.momentumPrefix + name + ".") }
        }
        for (name, tensor) in objective { tensors[Self.objectivePrefix + name] = tensor }
        var metadata = WeightsDocument.metadata(of: weights.network)
        metadata["epoch"] = "\(epoch)"
        metadata["steps"] = "\(steps)"
        metadata["provenance"] = provenance.text
        metadata["objective"] = method
        metadata["kl"] = divergence.map { "\($0)" }
        return TensorDocument(metadata: metadata, tensors: tensors)
    }
}
