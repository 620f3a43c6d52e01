/// Updates parameters from their gradients.
///
/// A step is a function of the parameters, their gradients, the optimizer state and the rate alone. The result is
/// bit-identical for any number of threads.
public protocol Optimizer: Sendable {
    /// The name in `--optimizer` and in a checkpoint.
    var name: OptimizerName { get }
    /// The state kept per parameter between steps: buffers of the parameter's size, zero before the first step.
    var slots: [OptimizerSlot] { get }
    /// Whether biases, scales and shifts (one-dimensional tensors) are excluded from weight decay and adaptation.
    var excludesVectors: Bool { get }
    /// Updates the values and the state of all `parameters` by one step.
    ///
    /// - Parameters:
    ///   - learningRate: the rate of parameters that have none of their own.
    ///   - step: the training step, counted from 1: Adam's t.
    func step(_ parameters: [ParameterBuffer], learningRate: Double, step: Int)
}

extension Optimizer {
    public var slots: [OptimizerSlot] { [.momentum] }
    public var excludesVectors: Bool { false }
}

/// A buffer of an optimizer's state. In a checkpoint, its tensors' names start with `training.` followed by its name.
public enum OptimizerSlot: String, Sendable, CaseIterable {
    /// The moving sum of gradients; Adam's first moment.
    case momentum
    /// The moving mean of squared gradients: Adam's second moment.
    case square
}

public enum OptimizerName: String, Sendable, CaseIterable {
    case sgd
    case larsSimCLR = "lars-simclr"
    case larsBYOL = "lars-byol"
    case lars
    case larc
    case adam
    case adamW = "adamw"

    /// Groups of optimizers with learning rates of similar magnitude.
    public enum Family: Sendable {
        case sgd
        /// The rate of a parameter is adapted to its norm.
        case lars
        case adam
    }

    public var family: Family {
        switch self {
        case .sgd: .sgd
        case .larsSimCLR, .larsBYOL, .lars, .larc: .lars
        case .adam, .adamW: .adam
        }
    }
}
