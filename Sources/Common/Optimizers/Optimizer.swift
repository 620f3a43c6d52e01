/// What moves parameters against their gradients.
///
/// A step is a function of the parameters, their gradients, its state and the rate alone: the same bytes for any number of threads.
public protocol Optimizer: Sendable {
    /// As `--optimizer` takes it, and as a checkpoint names it.
    var name: OptimizerName { get }
    /// What it keeps of every parameter from step to step: buffers of the parameter's size, zeros before the first step.
    var slots: [OptimizerSlot] { get }
    /// Whether it leaves biases, scales and shifts (tensors of one dimension) without weight decay and adaptation.
    var excludesVectors: Bool { get }
    /// One step: updates the values and the state of all `parameters`.
    ///
    /// - Parameters:
    ///   - learningRate: of the parameters that have none of their own.
    ///   - step: of the training, from 1: Adam's t.
    func step(_ parameters: [ParameterBuffer], learningRate: Double, step: Int)
}

extension Optimizer {
    public var slots: [OptimizerSlot] { [.momentum] }
    public var excludesVectors: Bool { false }
}

/// A buffer of an optimizer's state. Its name is the beginning of its tensors' names in a checkpoint, behind `training.`.
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

    /// Optimizers whose learning rates are of one size.
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
