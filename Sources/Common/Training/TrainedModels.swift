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
        let momenta: FloatBuffer
        let gradients: FloatBuffer
        /// Stretches of all of them that weight decay moves or does not move.
        let groups: [(range: Range<Int>, decays: Bool)]

        init(_ network: Network, momenta: FloatBuffer, decays: (Parameter) -> Bool) {
            self.momenta = momenta
            gradients = FloatBuffer(network.parameterCount)
            var groups: [(range: Range<Int>, decays: Bool)] = []
            for (index, parameter) in network.parameters.enumerated() {
                let end = index + 1 < network.parameters.count ? network.parameters[index + 1].offset : network.parameterCount
                if let last = groups.last, last.decays == decays(parameter) {
                    groups[groups.count - 1].range = last.range.lowerBound..<end
                } else {
                    groups.append((parameter.offset..<end, decays(parameter)))
                }
            }
            self.groups = groups
        }
    }

    private let entries: [Entry]

    /// Takes them from a checkpoint. What is not there yet begins: an average as a copy, a head with random weights.
    init(_ method: any Objective.Type, _ options: MethodOptions, _ state: TrainingState, seed: UInt64) throws {
        var entries: [Entry] = []
        for model in method.models(options) {
            switch model.kind {
            case .student:
                let training = Training(state.weights.network, momenta: state.momenta, decays: method.decays)
                entries.append(Entry(model: model, weights: state.weights, training: training))
            case .average(let other, _):
                guard let source = entries.first(where: { $0.model.name == other }) else {
                    throw Failure(.software, "model \(model.name) follows \(other), which there is not")
                }
                entries.append(Entry(model: model, weights: state.others[model.name]?.weights ?? Weights(copying: source.weights), training: nil))
            case .head(let head):
                let kept = state.others[model.name], width = state.weights.network.embeddingWidth
                let network = kept?.weights.network ?? Network(head(width), inputs: width)
                let training = Training(network, momenta: kept?.momenta ?? FloatBuffer(network.parameterCount), decays: method.decays)
                entries.append(Entry(model: model, weights: kept?.weights ?? Weights.initialized(network, seed: seed ^ FNV1a.of(model.name)), training: training))
            }
        }
        self.entries = entries
    }

    private func entry(_ name: String) -> Entry {
        guard let entry = entries.first(where: { $0.model.name == name }) else { preconditionFailure("there is no model \(name)") }
        return entry
    }

    subscript(name: String) -> Weights { entry(name).weights }
    var weights: [String: Weights] { Dictionary(uniqueKeysWithValues: entries.map { ($0.model.name, $0.weights) }) }

    /// θ ← m·θ + (1 − m)·θ_of.
    func followAverages() {
        for entry in entries {
            guard case .average(let other, let momentum) = entry.model.kind else { continue }
            unsafe MovingAverage.update([entry.weights.parameters.mutable], towards: [self[other].parameters.buffer], momentum: momentum)
        }
    }

    func gradients(_ name: String) -> FloatBuffer {
        guard let training = entry(name).training else { preconditionFailure("model \(name) is not trained") }
        return training.gradients
    }

    private var trained: [(weights: Weights, training: Training)] { entries.compactMap { entry in entry.training.map { (entry.weights, $0) } } }

    func zeroGradients() { trained.forEach { $0.training.gradients.zero() } }
    /// The length of all gradients together.
    var gradientNorm: Double { unsafe GradientNorm.of(trained.map { unsafe $0.training.gradients.buffer }) }

    func step(_ optimizer: SGD, learningRate: Double) {
        let buffers = trained.flatMap { weights, training in
            training.groups.map { range, decays in
                unsafe ParameterBuffer(
                    values: weights.parameters.pointer + range.lowerBound, gradient: training.gradients.pointer + range.lowerBound,
                    momentum: training.momenta.pointer + range.lowerBound, count: range.count, decays: decays)
            }
        }
        optimizer.step(buffers, learningRate: learningRate)
    }

    /// Puts what is not the student's into the state of the training.
    func save(in state: inout TrainingState) {
        for entry in entries.dropFirst() { state.others[entry.model.name] = TrainingState.Other(entry.weights, momenta: entry.training?.momenta) }
    }
}
