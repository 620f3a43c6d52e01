import Checkpoints
public import Kernels
public import Networks
public import Objectives
public import Optimizers
public import TensorStreams
import ToolSupport

/// Everything that the next epoch needs, in one document, so that a single rename completes an epoch.
///
/// | tensors                 |                                                                             |
/// |-------------------------|-----------------------------------------------------------------------------|
/// | torchvision's names     | the student's weights                                                       |
/// | `training.momentum.…`   | the optimizer's momenta, by parameter name                                  |
/// | `training.square.…`     | Adam's moving averages of squared gradients                                 |
/// | `training.MODEL.…`      | other models of the method, such as MoCo's `key`, under torchvision's names |
/// | `training.momentum.MODEL.…` | the momenta of such models, if they are trained                         |
/// | `training.loss.…`       | the state of the objective: SEED's queue                                    |
/// | `training.watch`        | in the middle of an epoch: what ``TrainingWatch`` has seen of it            |
///
/// Metadata: `network`, `objective`, `optimizer` (where it is not `sgd`), `epoch` (finished epochs), `steps` (total
/// optimizer steps), `kl` (of the last quarter of the last epoch, where the objective reports its floor and the queue
/// was full), `position` (in data that are read archive by archive), `classes` (of a classifier: a JSON array of
/// their names), `provenance`.
public struct TrainingState {
    public let weights: Weights
    /// The optimizer's state for the student's parameters; nil before the first step.
    public var optimizerState: OptimizerState?
    /// The method's other models, by name.
    public var others: [String: Other]
    /// The state of the objective.
    public var objective: [String: Tensor]
    /// The name of the method; nil where it is unknown.
    public var method: String?
    /// The optimizer of the previous steps.
    public var optimizer = OptimizerName.sgd
    /// The number of finished epochs.
    public var epoch: Int
    /// The number of optimizer steps so far.
    public var steps: Int
    /// The names of the classes of the student's head, in order, if it is a classifier and they are known.
    public var classes: [String]?
    /// The position of the training in its data, as given by the stream: "pass 0, 00017.tar, image 312".
    public var position: String?
    /// The mean of loss − floor over the last quarter of the last epoch.
    public var divergence: Double?
    public var provenance: Provenance
    /// The state within an epoch; nil at its end.
    public var interim: Interim?

    /// The state in the middle of an epoch.
    public struct Interim {
        /// The number of batches of the epoch that are done.
        public let batch: Int
        /// The total number of batches of the epoch; nil where it is unknown.
        let batches: Int?
        /// Identifies everything that determines the epoch: the options, the stream and the initial checkpoint.
        public let key: String
        let watch: Tensor
        /// The kind of processor on which it was saved. Only that kind reproduces the preceding part bit by bit.
        public var processor: String?
        /// The number of broken images of the epoch.
        var broken = 0

        static let key = "interim_key", processorKey = "interim_processor", brokenKey = "interim_broken"
        static let tensor = WeightsDocument.trainingPrefix + "watch"
    }

    /// A network besides the student.
    public struct Other {
        public let weights: Weights
        /// nil where the gradient does not train the network, or has not yet.
        public let optimizerState: OptimizerState?

        public init(_ weights: Weights, optimizerState: OptimizerState? = nil) { (self.weights, self.optimizerState) = (weights, optimizerState) }
    }

    private static func prefix(_ slot: OptimizerSlot) -> String { WeightsDocument.trainingPrefix + slot.rawValue + "." }
    private static let objectivePrefix = WeightsDocument.trainingPrefix + "loss."
    private static func prefix(_ model: Model) -> String { WeightsDocument.trainingPrefix + model.name + "." }

    /// Creates the state of an untrained network.
    public init(_ weights: Weights, provenance: Provenance) {
        self.weights = weights
        others = [:]
        objective = [:]
        epoch = 0
        steps = 0
        self.provenance = provenance
    }

    /// Reads a checkpoint of a training by `method`, or weights alone, which start a new training.
    ///
    /// - Parameter optimizer: the optimizer that continues the training.
    /// - Throws: ``Failure`` `data` where the checkpoint is of another method or optimizer, or has tensors that no
    ///   such training has. These are detected before they are read.
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
            throw Failure(.data, path: path, "is a \(weights.network.name), which can be a teacher but cannot be trained", remedy: "name a ResNet, RegNet, MobileNet or EfficientNet")
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
        // The head of a student that is trained only through its features has a state too, of zeros.
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
                .data, path: path, "belongs to a training by \(other.printableLine(limit: 40)) where --objective \(method.name) is given",
                remedy: "resume with --objective \(other.printableLine(limit: 40)), or begin with its trunk and a head of this method: initialize --from FILE --head …")
        }
        let before = outline.metadata["optimizer"] ?? OptimizerName.sgd.rawValue
        if before != optimizer.name.rawValue, outline.tensors.contains(where: { $0.name.hasPrefix(prefix(.momentum)) }) {
            throw Failure(
                .data, path: path, "belongs to a training with --optimizer \(before.printableLine(limit: 40)) where \(optimizer.name.rawValue) is given",
                remedy: "resume with --optimizer \(before.printableLine(limit: 40)), or begin with its weights alone, which convert-weights writes")
        }
        for model in others where outline.tensors.contains(where: { $0.name.hasPrefix(prefix(model)) }) {
            try WeightsDocument.check(model.network(beside: student), in: outline, path: path, prefix: prefix(model))
        }
        let shapes = outline.shapes, models = others.map(prefix), trained = others.filter(\.isTrained)
        /// Whether the shape is that of the student's parameter of this name, or of `MODEL.NAME`.
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
        // The state travels to the loss and back as one record.
        guard state <= Limits.standard.documentBytes else {
            throw Failure(.data, path: path, "holds \(state) bytes of the loss, above the limit of \(Limits.standard.documentBytes)")
        }
    }

    /// Whether training can continue from here: no weight, statistic or part of the optimizer's state has overflowed.
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

/// An optimizer's state for the parameters of a network: a buffer per slot, laid out by the offsets of the
/// parameters.
public struct OptimizerState {
    private let slots: [OptimizerSlot: FloatBuffer]

    /// Creates zeros, or takes the slots that `other` has.
    ///
    /// - Parameter count: the number of floats of all parameters.
    public init(_ other: OptimizerState? = nil, slots: [OptimizerSlot], count: Int) {
        self.slots = Dictionary(uniqueKeysWithValues: slots.map { ($0, other?[$0] ?? FloatBuffer(count)) })
    }

    public subscript(slot: OptimizerSlot) -> FloatBuffer? { slots[slot] }
    var buffers: [FloatBuffer] { OptimizerSlot.allCases.compactMap { slots[$0] } }
}
