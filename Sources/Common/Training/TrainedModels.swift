import Kernels
import Networks
import Objectives
import Optimizers
import Randomness
import ToolSupport

/// The networks of a training in memory: weights of all, momenta and gradients of those that are trained.
final class TrainedModels {
    private struct Entry {
        let model: Model
        let weights: Weights
        /// nil where it is not trained by the gradient.
        let training: Training?
    }

    /// What a network has besides its weights while it is trained.
    private struct Training {
        /// The optimizer's state, by slot.
        let slots: OptimizerState
        let gradients: FloatBuffer
        /// Its parameters that the gradient reaches, each with how the optimizer treats it.
        let parameters: [(parameter: Parameter, group: ParameterGroup)]

        /// - Parameter reached: the beginning of its parameters that a gradient reaches: all, or those before the head.
        init(_ network: Network, _ slots: OptimizerState, reached: Int, group: (Parameter) -> ParameterGroup) {
            self.slots = slots
            gradients = FloatBuffer(network.parameterCount)
            parameters = network.parameters.prefix(reached).map { ($0, group($0)) }
        }
    }

    private let entries: [Entry]

    /// The weights without the head of those models whose features a pass gives, in the same memory.
    private let trunks: [String: Weights]

    /// The heads alone of those models that a pass runs on features, with their gradients, in the same memory.
    private let heads: [String: (weights: Weights, gradients: FloatBuffer?)]

    /// Takes them from a checkpoint. What is not there yet begins: an average as a copy or with random weights, as it says, a head with random weights, an optimizer's state as zeros.
    init(_ method: any Objective.Type, _ options: MethodOptions, _ state: TrainingState, slots: [OptimizerSlot], seed: UInt64) throws {
        let passes = method.passes(options)
        /// Parameters of the model that a gradient reaches: not its head's where passes give its features alone.
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

    /// What a pass runs, handed to `body`: the network, or what of it makes its features.
    func run<Result>(_ pass: Pass, _ body: (Weights) throws -> Result) rethrows -> Result {
        let whole = entry(pass.model).weights
        if !pass.readsImages, let head = heads[pass.model]?.weights {
            let first = whole.batchesSeen.count - head.batchesSeen.count
            head.batchesSeen = Array(whole.batchesSeen.dropFirst(first))
            defer { whole.batchesSeen.replaceSubrange(first..., with: head.batchesSeen) }
            return try body(head)
        }
        guard pass.output == .features, let trunk = trunks[pass.model], trunk !== whole else { return try body(whole) }
        // The counts of batches are all that the two do not share.
        let count = trunk.batchesSeen.count
        trunk.batchesSeen = Array(whole.batchesSeen.prefix(count))
        defer { whole.batchesSeen.replaceSubrange(0..<count, with: trunk.batchesSeen) }
        return try body(trunk)
    }

    /// θ ← m·θ + (1 − m)·θ_of, of those averages that move at this time.
    ///
    /// - Parameters:
    ///   - step: of the training, from 0.
    ///   - steps: of the whole training.
    func followAverages(_ time: Model.AverageTime, step: Int, of steps: Int) {
        for entry in entries {
            guard case .average(let other, let momentum, let when, _) = entry.model.kind, when == time else { continue }
            unsafe MovingAverage.update(
                [entry.weights.parameters.mutable], towards: [self.entry(other).weights.parameters.buffer], momentum: momentum.value(step: step, of: steps))
        }
    }

    /// Where the gradients of a pass's parameters are added.
    func gradients(_ pass: Pass) -> FloatBuffer {
        if !pass.readsImages, let head = heads[pass.model]?.gradients { return head }
        guard let training = entry(pass.model).training else { preconditionFailure("model \(pass.model) is not trained") }
        return training.gradients
    }

    /// Which of ``gradients`` those of a pass are in, and where they begin there.
    func gradientNumber(_ pass: Pass) -> Int {
        guard let number = entries.filter({ $0.training != nil }).firstIndex(where: { $0.model.name == pass.model }) else { preconditionFailure("model \(pass.model) is not trained") }
        return number
    }
    func gradientStart(_ pass: Pass) -> Int {
        let whole = gradients[gradientNumber(pass)]
        return unsafe gradients(pass).pointer - whole.pointer
    }

    private var trained: [(weights: Weights, training: Training)] { entries.compactMap { entry in entry.training.map { (entry.weights, $0) } } }

    /// Those of all models that are trained.
    var gradients: [FloatBuffer] { trained.map(\.training.gradients) }
    func zeroGradients() { trained.forEach { $0.training.gradients.zero() } }
    /// The length of all gradients together.
    var gradientNorm: Double { unsafe GradientNorm.of(trained.map { unsafe $0.training.gradients.buffer }) }
    /// Makes them, where their length `norm` is above `longest`, that long.
    func clipGradients(norm: Double, to longest: Double) { unsafe GradientNorm.clip(trained.map { unsafe $0.training.gradients.mutable }, norm: norm, to: longest) }

    /// - Parameters:
    ///   - learningRate: of this step.
    ///   - begin: the rate that was asked for, of parameters that follow no schedule.
    ///   - step: of the training, from 1.
    ///   - isFrozen: whether a model stays as it is in this step.
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

    /// Puts what the models have become into the state of the training; of the student's weights it has them already.
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
