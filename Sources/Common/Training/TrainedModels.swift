import Kernels
import Networks
import Objectives
import Optimizers
import ToolSupport

/// The networks of a training in memory: weights of all, momenta and gradients of those that are trained.
final class TrainedModels {
    private struct Entry {
        let model: Model
        let weights: Weights
        /// nil where it is not trained by the gradient.
        let training: (momenta: FloatBuffer, gradients: FloatBuffer)?
    }

    private let entries: [Entry]

    /// Takes them from a checkpoint. What is not there yet begins: an average as a copy.
    init(_ models: [Model], _ state: TrainingState) throws {
        var entries: [Entry] = []
        for model in models {
            switch model.kind {
            case .student:
                entries.append(Entry(model: model, weights: state.weights, training: (state.momenta, FloatBuffer(state.weights.network.parameterCount))))
            case .average(let other, _):
                guard let source = entries.first(where: { $0.model.name == other }) else {
                    throw Failure(.software, "model \(model.name) follows \(other), which there is not")
                }
                entries.append(Entry(model: model, weights: state.others[model.name] ?? Weights(copying: source.weights), training: nil))
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

    private var trained: [(weights: Weights, momenta: FloatBuffer, gradients: FloatBuffer)] {
        entries.compactMap { entry in entry.training.map { (entry.weights, $0.momenta, $0.gradients) } }
    }

    func zeroGradients() { trained.forEach { $0.gradients.zero() } }
    /// The length of all gradients together.
    var gradientNorm: Double { unsafe GradientNorm.of(trained.map { unsafe $0.gradients.buffer }) }

    func step(_ optimizer: SGD, learningRate: Double) {
        optimizer.step(
            trained.map {
                unsafe ParameterBuffer(
                    values: $0.weights.parameters.pointer, gradient: $0.gradients.pointer, momentum: $0.momenta.pointer, count: $0.gradients.count)
            }, learningRate: learningRate)
    }

    /// Puts what is not the student's into the state of the training.
    func save(in state: inout TrainingState) {
        for entry in entries where entry.training == nil { state.others[entry.model.name] = entry.weights }
    }
}
