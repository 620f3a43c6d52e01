import Kernels
import Networks
import Objectives
import Optimizers
import Randomness
import ToolSupport

/// The networks of a training in memory: the weights of all, and the optimizer state and gradients of the trained
/// ones.
final class TrainedModels {
    private struct Entry {
        let model: Model
        let weights: Weights
        /// nil where the gradient does not train the model.
        let training: Training?
    }

    /// The training data of a network besides its weights.
    private struct Training {
        /// The optimizer's state, by slot.
        let slots: OptimizerState
        let gradients: FloatBuffer
        /// The parameters that receive a gradient, each with its treatment by the optimizer.
        let parameters: [(parameter: Parameter, group: ParameterGroup)]

        /// - Parameter reached: the number of leading parameters that receive a gradient: all, or those before the
        ///   head.
        init(_ network: Network, _ slots: OptimizerState, reached: Int, group: (Parameter) -> ParameterGroup) {
            self.slots = slots
            gradients = FloatBuffer(network.parameterCount)
            parameters = network.parameters.prefix(reached).map { ($0, group($0)) }
        }
    }

    private let entries: [Entry]

    /// The weights without the head, for models of which a pass outputs features; in the same memory.
    private let trunks: [String: Weights]

    /// The weights of the head alone, for models that a pass runs on features, with their gradients; in the same
    /// memory.
    private let heads: [String: (weights: Weights, gradients: FloatBuffer?)]

    /// Loads the models from a checkpoint and initialises those that are missing.
    ///
    /// An average starts as a copy or with random weights, as specified; a head starts with random weights, and an
    /// optimizer's state with zeros.
    init(_ method: any Objective.Type, _ options: MethodOptions, _ state: TrainingState, slots: [OptimizerSlot], seed: UInt64) throws {
        let passes = method.passes(options)
        /// The number of parameters of the model that receive a gradient.
        ///
        /// The head's do not where passes output only its features.
        func reached(_ model: Model, _ weights: Weights) -> Int {
            let outputs = passes.filter { $0.model == model.name && $0.hasGradient }.map(\.output)
            return outputs.contains(.embedding) ? weights.network.parameters.count : weights.withoutHead.network.parameters.count
        }
        func training(_ model: Model, _ weights: Weights, _ kept: OptimizerState?) -> Training {
            let network = weights.network, own = OptimizerState(kept, slots: slots, count: network.parameterCount)
            return Training(network, own, reached: reached(model, weights)) { method.group($0, of: model, in: network, options) }
        }
        func beginning(_ model: Model, _ network: Network) -> Weights {
            Weights.initialized(network, seed: seed ^ FNV1a.of(model.name), zeroInitResidual: method.zeroInitResidual)
        }
        var entries: [Entry] = []
        for model in method.models(options) {
            switch model.kind {
            case .student:
                entries.append(Entry(model: model, weights: state.weights, training: training(model, state.weights, state.optimizerState)))
            case .average(let other, _, _, let isCopy):
                guard let source = entries.first(where: { $0.model.name == other }) else {
                    throw Failure(.software, "model \(model.name) follows \(other), which there is not")
                }
                let kept = state.others[model.name]?.weights
                entries.append(Entry(model: model, weights: kept ?? (isCopy ? Weights(copying: source.weights) : beginning(model, source.weights.network)), training: nil))
            case .head(let output, let head):
                let kept = state.others[model.name], width = output.width(state.weights.network)
                let network = kept?.weights.network ?? Network(head(width), inputs: width)
                let weights = kept?.weights ?? beginning(model, network)
                entries.append(Entry(model: model, weights: weights, training: training(model, weights, kept?.optimizerState)))
            }
        }
        self.entries = entries
        let bare = Set(passes.filter { $0.output == .features }.map(\.model))
        trunks = Dictionary(uniqueKeysWithValues: entries.filter { bare.contains($0.model.name) }.map { ($0.model.name, $0.weights.withoutHead) })
        let onRows = Set(passes.filter { !$0.readsImages }.map(\.model))
        heads = Dictionary(uniqueKeysWithValues: entries.compactMap { entry in
            guard onRows.contains(entry.model.name), let head = entry.weights.headAlone else { return nil }
            return (entry.model.name, (head.weights, entry.training.map { FloatBuffer(part: $0.gradients, from: head.offset, count: head.weights.network.parameterCount) }))
        })
    }

    private func entry(_ name: String) -> Entry {
        guard let entry = entries.first(where: { $0.model.name == name }) else { preconditionFailure("there is no model \(name)") }
        return entry
    }

    var weights: [String: Weights] { Dictionary(uniqueKeysWithValues: entries.map { ($0.model.name, $0.weights) }) }

    /// Calls `body` with the part of the model that a pass runs: the whole network, its trunk, or its head.
    func run<Result>(_ pass: Pass, _ body: (Weights) throws -> Result) rethrows -> Result {
        let whole = entry(pass.model).weights
        if !pass.readsImages, let head = heads[pass.model]?.weights {
            let first = whole.batchesSeen.count - head.batchesSeen.count
            head.batchesSeen = Array(whole.batchesSeen.dropFirst(first))
            defer { whole.batchesSeen.replaceSubrange(first..., with: head.batchesSeen) }
            return try body(head)
        }
        guard pass.output == .features, let trunk = trunks[pass.model], trunk !== whole else { return try body(whole) }
        // The batch counts are the only data that the two do not share.
        let count = trunk.batchesSeen.count
        trunk.batchesSeen = Array(whole.batchesSeen.prefix(count))
        defer { whole.batchesSeen.replaceSubrange(0..<count, with: trunk.batchesSeen) }
        return try body(trunk)
    }

    /// Updates the averages that move at this time: θ ← m·θ + (1 − m)·θ_of.
    ///
    /// - Parameters:
    ///   - step: the step of the training, from 0.
    ///   - steps: the number of steps of the whole training.
    func followAverages(_ time: Model.AverageTime, step: Int, of steps: Int) {
        for entry in entries {
            guard case .average(let other, let momentum, let when, _) = entry.model.kind, when == time else { continue }
            unsafe MovingAverage.update(
                [entry.weights.parameters.mutable], towards: [self.entry(other).weights.parameters.buffer], momentum: momentum.value(step: step, of: steps))
        }
    }

    /// The buffer for the gradients of a pass's parameters.
    func gradients(_ pass: Pass) -> FloatBuffer {
        if !pass.readsImages, let head = heads[pass.model]?.gradients { return head }
        guard let training = entry(pass.model).training else { preconditionFailure("model \(pass.model) is not trained") }
        return training.gradients
    }

    /// The index in ``gradients`` of the buffer that contains a pass's gradients.
    ///
    /// ``gradientStart(_:)`` is their offset in it.
    func gradientNumber(_ pass: Pass) -> Int {
        guard let number = entries.filter({ $0.training != nil }).firstIndex(where: { $0.model.name == pass.model }) else { preconditionFailure("model \(pass.model) is not trained") }
        return number
    }
    func gradientStart(_ pass: Pass) -> Int {
        let whole = gradients[gradientNumber(pass)]
        return unsafe gradients(pass).pointer - whole.pointer
    }

    private var trained: [(weights: Weights, training: Training)] { entries.compactMap { entry in entry.training.map { (entry.weights, $0) } } }

    /// The gradients of all trained models.
    var gradients: [FloatBuffer] { trained.map(\.training.gradients) }
    func zeroGradients() { trained.forEach { $0.training.gradients.zero() } }
    /// The norm of all gradients together.
    var gradientNorm: Double { unsafe GradientNorm.of(trained.map { unsafe $0.training.gradients.buffer }) }
    /// Scales the gradients down to norm `longest` if their norm `norm` is larger.
    func clipGradients(norm: Double, to longest: Double) { unsafe GradientNorm.clip(trained.map { unsafe $0.training.gradients.mutable }, norm: norm, to: longest) }

    /// - Parameters:
    ///   - learningRate: the rate of this step.
    ///   - begin: the requested rate, for parameters that do not follow the schedule.
    ///   - step: the step of the training, from 1.
    ///   - isFrozen: whether a model stays unchanged in this step.
    func step(_ optimizer: any Optimizer, learningRate: Double, begin: Double, step: Int, isFrozen: (String) -> Bool) {
        let buffers = entries.flatMap { entry -> [ParameterBuffer] in
            guard let training = entry.training, !isFrozen(entry.model.name) else { return [] }
            let weights = entry.weights
            let momentum = training.slots[.momentum], square = training.slots[.square]
            return training.parameters.compactMap { parameter, group -> ParameterBuffer? in
                guard let momentum else { return nil }
                let offset = parameter.offset, isVector = parameter.shape.count == 1, isExcluded = isVector && optimizer.excludesVectors
                let hasOwnRate = group.rate != 1 || !group.isScheduled
                return unsafe ParameterBuffer(
                    values: weights.parameters.pointer + offset, gradient: training.gradients.pointer + offset, momentum: momentum.pointer + offset,
                    square: square.map { unsafe $0.pointer + offset }, count: parameter.count, decays: group.decays && !isExcluded, adapts: !isExcluded,
                    learningRate: hasOwnRate ? group.rate * (group.isScheduled ? learningRate : begin) : nil)
            }
        }
        optimizer.step(buffers, learningRate: learningRate, step: step)
    }

    /// Stores the models in the state of the training. The state shares the student's weights already.
    func save(in state: inout TrainingState) {
        for entry in entries {
            if case .student = entry.model.kind {
                if let training = entry.training { state.optimizerState = training.slots }
            } else {
                state.others[entry.model.name] = TrainingState.Other(entry.weights, optimizerState: entry.training?.slots)
            }
        }
    }
}
