import Checkpoints
public import Kernels
public import Networks
public import Objectives
public import Optimizers
public import TensorStreams
import ToolSupport

/// All that the next epoch needs: one document, so that one rename finishes an epoch.
///
/// | tensors                 |                                                                             |
/// |-------------------------|-----------------------------------------------------------------------------|
/// | torchvision's names     | the student's weights                                                       |
/// | `training.momentum.…`   | the optimizer's momenta, under the parameters' names                        |
/// | `training.square.…`     | its moving means of squared gradients, of Adam                              |
/// | `training.MODEL.…`      | other models of the method, such as MoCo's `key`, under torchvision's names |
/// | `training.momentum.MODEL.…` | the same of those that are trained                                      |
/// | `training.loss.…`       | what the objective keeps from batch to batch: SEED's queue                  |
/// | `training.watch`        | in the middle of an epoch: what ``TrainingWatch`` has seen of it            |
///
/// Metadata: `network`, `objective`, `optimizer` (where it is not `sgd`), `epoch` (finished epochs), `steps` (of the optimizer, in all), `kl` (of the last quarter of the last epoch,
/// where the objective tells its floor and the queue was full), `position` (in data that are taken archive by archive), `classes` (of a classifier: a JSON array of their names), `provenance`.
public struct TrainingState {
    public let weights: Weights
    /// What the optimizer keeps of the student's parameters; nil before the first step.
    public var optimizerState: OptimizerState?
    /// The method's other models, by name.
    public var others: [String: Other]
    /// What the objective left to be kept.
    public var objective: [String: Tensor]
    /// The name of the method; nil where that is not known.
    public var method: String?
    /// Which optimizer made the steps.
    public var optimizer = OptimizerName.sgd
    /// Epochs finished.
    public var epoch: Int
    /// Steps of the optimizer so far.
    public var steps: Int
    /// The names of the classes that the student's head tells apart, in their order, where it is a classifier of which they are known.
    public var classes: [String]?
    /// Where the training stands in its data, as the stream tells it: "pass 0, 00017.tar, image 312".
    public var position: String?
    /// The mean of loss − floor over the last quarter of the last epoch.
    public var divergence: Double?
    public var provenance: Provenance
    /// Nil at the end of an epoch.
    public var interim: Interim?

    /// The middle of an epoch.
    public struct Interim {
        /// Batches of the epoch that are done.
        public let batch: Int
        /// Batches that it has; nil where that is not known.
        let batches: Int?
        /// What all that the epoch learns by is known by: options, stream and the checkpoint it began with.
        public let key: String
        let watch: Tensor
        /// The kind of processor that it was saved on, to whose bits belong what came before.
        public var processor: String?
        /// Images of the epoch that were broken.
        var broken = 0

        static let key = "interim_key", processorKey = "interim_processor", brokenKey = "interim_broken"
        static let tensor = WeightsDocument.trainingPrefix + "watch"
    }

    /// A network beside the student.
    public struct Other {
        public let weights: Weights
        /// nil where it is not trained by the gradient, or has not been yet.
        public let optimizerState: OptimizerState?

        public init(_ weights: Weights, optimizerState: OptimizerState? = nil) { (self.weights, self.optimizerState) = (weights, optimizerState) }
    }

    private static func prefix(_ slot: OptimizerSlot) -> String { WeightsDocument.trainingPrefix + slot.rawValue + "." }
    private static let objectivePrefix = WeightsDocument.trainingPrefix + "loss."
    private static func prefix(_ model: Model) -> String { WeightsDocument.trainingPrefix + model.name + "." }

    /// A network that has not been trained.
    public init(_ weights: Weights, provenance: Provenance) {
        self.weights = weights
        others = [:]
        objective = [:]
        epoch = 0
        steps = 0
        self.provenance = provenance
    }

    /// Reads a checkpoint of a training by `method`, or weights alone, which begin one.
    ///
    /// - Parameter optimizer: what goes on with it.
    /// - Throws: ``Failure`` `data` where it is of another method or optimizer, or holds what no training by these has: before that is read.
    public init(
        reading path: String, network: String? = nil, for method: any Objective.Type, _ options: MethodOptions = MethodOptions(), optimizer: any Optimizer = SGD()
    ) throws {
        let others = method.models(options).dropFirst()
        let document = try DocumentFile.read(path) { outline in
            try Self.check(outline, path: path, network: network, method, others, optimizer)
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
        classes = document.metadata.names("classes")
        position = document.metadata["position"]
        divergence = document.metadata["kl"].flatMap { Double($0) }.flatMap { $0.isFinite ? $0 : nil }
        if let batch = document.metadata.count(InterimCheckpoint.key), let watch = document.tensors[Interim.tensor] {
            interim = Interim(batch: batch, batches: document.metadata.count(InterimCheckpoint.allKey), key: document.metadata[Interim.key] ?? "", watch: watch, processor: document.metadata[Interim.processorKey], broken: document.metadata.count(Interim.brokenKey) ?? 0)
        }
        for (name, tensor) in document.tensors where name.hasPrefix(Self.objectivePrefix) {
            objective[String(name.dropFirst(Self.objectivePrefix.count))] = tensor
        }
        self.optimizer = optimizer.name
        // The head of a student whose features alone are trained has a state too, of zeros.
        let hasState = document.tensors.keys.contains { $0.hasPrefix(Self.prefix(.momentum)) }
        if hasState { optimizerState = try Self.read(optimizer.slots, of: weights.network, from: document, model: "") }
        for model in others where document.tensors.keys.contains(where: { $0.hasPrefix(Self.prefix(model)) }) {
            let network = model.network(beside: weights.network), own = try WeightsDocument.weights(of: network, in: document, path: path, prefix: Self.prefix(model))
            self.others[model.name] = Other(
                own, optimizerState: model.isTrained ? try Self.read(optimizer.slots, of: network, from: document, model: model.name + ".") : nil)
        }
    }

    private static func read(_ slots: [OptimizerSlot], of network: Network, from document: TensorDocument, model: String) throws -> OptimizerState {
        let state = OptimizerState(nil, slots: slots, count: network.parameterCount)
        for slot in slots {
            guard let buffer = state[slot] else { continue }
            for parameter in network.parameters {
                let tensor = try document.tensor(prefix(slot) + model + parameter.name, .f32, shape: parameter.shape)
                for (i, value) in parameter.native(try tensor.floats()).enumerated() { unsafe buffer.pointer[parameter.offset + i] = value }
            }
        }
        return state
    }

    /// Throws where a file has other tensors than a checkpoint of `method`, before they are read.
    private static func check(
        _ outline: DocumentOutline, path: String, network: String?, _ method: any Objective.Type, _ others: ArraySlice<Model>, _ optimizer: any Optimizer
    ) throws {
        let student = try WeightsDocument.network(in: outline, path: path, network: network)
        if let other = outline.metadata["objective"], other != method.name {
            throw Failure(
                .data, path: path, "is of a training by \(other.printableLine(limit: 40)) where --objective \(method.name) is asked for",
                remedy: "go on with --objective \(other.printableLine(limit: 40)), or begin with its trunk and a head of this method: initialize --from FILE --head …")
        }
        let before = outline.metadata["optimizer"] ?? OptimizerName.sgd.rawValue
        if before != optimizer.name.rawValue, outline.tensors.contains(where: { $0.name.hasPrefix(prefix(.momentum)) }) {
            throw Failure(
                .data, path: path, "is of a training with --optimizer \(before.printableLine(limit: 40)) where \(optimizer.name.rawValue) is asked for",
                remedy: "go on with --optimizer \(before.printableLine(limit: 40)), or begin with its weights alone, which convert-weights writes")
        }
        for model in others where outline.tensors.contains(where: { $0.name.hasPrefix(prefix(model)) }) {
            try WeightsDocument.check(model.network(beside: student), in: outline, path: path, prefix: prefix(model))
        }
        let shapes = outline.shapes, models = others.map(prefix), trained = others.filter(\.isTrained)
        /// Of the student's parameter of this name, or of `MODEL.NAME`.
        func isState(_ name: String, _ shape: [Int]) -> Bool {
            shapes[name] == shape
                || trained.contains { name.hasPrefix($0.name + ".") && shapes[prefix($0) + name.dropFirst($0.name.utf8.count + 1)] == shape }
        }
        var state = 0
        for tensor in outline.tensors where tensor.name.hasPrefix(WeightsDocument.trainingPrefix) && !models.contains(where: tensor.name.hasPrefix) {
            if tensor.name.hasPrefix(objectivePrefix) {
                state += tensor.byteCount
            } else if tensor.name == Interim.tensor {
                try TrainingWatch.check(tensor, path: path)
            } else if !optimizer.slots.map(prefix).contains(where: { tensor.name.hasPrefix($0) && isState(String(tensor.name.dropFirst($0.count)), tensor.shape) }) {
                throw Failure(.data, path: path, "holds '\(tensor.name)' of shape \(tensor.shape), which no training by \(method.name) has",
                    remedy: "name its --objective, or begin with its weights alone, which convert-weights writes")
            }
        }
        // It travels to the loss and back as one record.
        guard state <= Limits.standard.documentBytes else {
            throw Failure(.data, path: path, "holds \(state) bytes of the loss, above the limit of \(Limits.standard.documentBytes)")
        }
    }

    /// Whether training can go on from here: no weight, statistic or part of the optimizer's state has overflowed.
    var isFinite: Bool {
        let networks = [(weights, optimizerState)] + others.values.map { ($0.weights, $0.optimizerState) }
        return networks.allSatisfy { weights, state in
            ([weights.parameters, weights.statistics] + (state?.buffers ?? [])).allSatisfy { buffer in unsafe buffer.buffer.allSatisfy(\.isFinite) }
        }
    }

    /// The checkpoint.
    public func document() -> TensorDocument {
        var tensors = WeightsDocument.tensors(of: weights)
        func add(_ state: OptimizerState?, of network: Network, model: String) {
            guard steps > 0, let state else { return }
            for slot in OptimizerSlot.allCases {
                guard let buffer = state[slot] else { continue }
                tensors.merge(WeightsDocument.parameterTensors(buffer, of: network, prefix: Self.prefix(slot) + model)) { $1 }
            }
        }
        add(optimizerState, of: weights.network, model: "")
        for (name, other) in others {
            tensors.merge(WeightsDocument.tensors(of: other.weights, prefix: WeightsDocument.trainingPrefix + name + ".")) { $1 }
            add(other.optimizerState, of: other.weights.network, model: name + ".")
        }
        for (name, tensor) in objective { tensors[Self.objectivePrefix + name] = tensor }
        var metadata = WeightsDocument.metadata(of: weights.network)
        metadata["epoch"] = "\(epoch)"
        metadata["steps"] = "\(steps)"
        metadata["provenance"] = provenance.text
        metadata["objective"] = method
        if optimizer != .sgd { metadata["optimizer"] = optimizer.rawValue }
        metadata["kl"] = divergence.map { "\($0)" }
        metadata["position"] = position
        if let interim {
            tensors[Interim.tensor] = interim.watch
            (metadata[InterimCheckpoint.key], metadata[Interim.key], metadata[Interim.processorKey]) = ("\(interim.batch)", interim.key, interim.processor)
            metadata[Interim.brokenKey] = interim.broken > 0 ? "\(interim.broken)" : nil
            metadata[InterimCheckpoint.allKey] = interim.batches.map { "\($0)" }
        }
        metadata["classes"] = classes.map { names in JSON.array(names.map { .string($0) }).text }
        return TensorDocument(metadata: metadata, tensors: tensors)
    }
}

/// What an optimizer keeps of a network's parameters: for each of its slots a buffer, at the parameters' offsets.
public struct OptimizerState {
    private let slots: [OptimizerSlot: FloatBuffer]

    /// Zeros, or what is kept of `other`.
    ///
    /// - Parameter count: floats of all parameters.
    public init(_ other: OptimizerState? = nil, slots: [OptimizerSlot], count: Int) {
        self.slots = Dictionary(uniqueKeysWithValues: slots.map { ($0, other?[$0] ?? FloatBuffer(count)) })
    }

    public subscript(slot: OptimizerSlot) -> FloatBuffer? { slots[slot] }
    var buffers: [FloatBuffer] { OptimizerSlot.allCases.compactMap { slots[$0] } }
}
