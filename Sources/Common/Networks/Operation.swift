public import Kernels
public import Layers

/// A node of a graph: a layer with its shapes, its cost, its name in a profile, and its behaviour in training and
/// inference.
///
/// Each operation is a file in `Operations`, with its arithmetic in a type of `Layers`; a new one touches only these
/// two files. Shapes are passed as arguments, since a graph serves images of any size.
public protocol Operation: Sendable {
    func outputShape(_ x: Shape) -> Shape
    /// The index of its first parameter, which gives it its name; nil if it has no parameters.
    var parameter: Int? { get }
    /// The kind of work: `3×3`, `1×1 stride 2`, `batch norm`.
    var kind: String { get }
    /// Its name if it has no parameters: `maxpool`.
    var name: String { get }
    /// A value that it reads in addition to its input.
    var residual: Int? { get }
    /// The number of multiply-adds for one image with the direct algorithm; 0 if the operation is memory-bound.
    func multiplyAdds(_ x: Shape, _ y: Shape) -> Int
    func traffic(_ site: TrafficSite) -> Traffic

    // Work that it can do for its neighbours; see ``Fusion``.

    /// Whether it can normalise its input as it reads it (``NormalizedInput``), since it copies the input anyway.
    func canNormalizeInput(_ x: Shape) -> Bool
    /// Whether it can pass its output's gradient back through a batch norm as it reads it (``NormalizedGradient``), for
    /// the same reason.
    func canNormalizeGradient(_ x: Shape) -> Bool
    /// Whether it can multiply its input by a squeeze-excite's gates as it reads it.
    func canMultiplyInput(_ x: Shape) -> Bool
    /// The number of pieces of N images whose moments it can compute along with its output, for the batch norm after
    /// it; nil if it cannot.
    func momentPieces(_ x: Shape, N: Int) -> Int?

    /// Whether the gradient of its input overwrites the gradient of its output. Then nothing else may read its input.
    var replacesGradient: Bool { get }
    /// Whether it has no training pass and no ONNX form: operations of networks that are only teachers.
    var isForInferenceAlone: Bool { get }
    /// The sides of its input must be multiples of this.
    var imageMultiple: Int { get }
    /// Whether its padding is defined only for square inputs (``Padding/same``).
    var needsSquareImages: Bool { get }
    func training(_ site: TrainingSite) -> any TrainingStep
    func inference(_ site: InferenceSite) -> InferenceForm
    /// Exports it to an ONNX graph.
    ///
    /// - Parameters:
    ///   - x: the name of its input value.
    ///   - residual: the name of the value that it adds.
    /// - Returns: the name of its output value.
    func export(to graph: inout ExchangeGraph, _ x: String, residual: String?) -> String
}

extension Operation {
    public var parameter: Int? { nil }
    public var name: String { kind }
    public var residual: Int? { nil }
    public func multiplyAdds(_ x: Shape, _ y: Shape) -> Int { 0 }
    public func traffic(_ site: TrafficSite) -> Traffic { Traffic(forward: site.x.count + site.y.count, backward: site.x.count + site.y.count) }
    public func canNormalizeInput(_ x: Shape) -> Bool { false }
    public func canNormalizeGradient(_ x: Shape) -> Bool { false }
    public func canMultiplyInput(_ x: Shape) -> Bool { false }
    public func momentPieces(_ x: Shape, N: Int) -> Int? { nil }
    public var replacesGradient: Bool { false }
    public var isForInferenceAlone: Bool { false }
    public var imageMultiple: Int { 1 }
    public var needsSquareImages: Bool { false }
}

/// The numbers read and written for one image.
public struct Traffic: Sendable {
    public let forward, backward: Int
}

/// The factors that determine an operation's ``Traffic``.
public struct TrafficSite: Sendable {
    public let x, y: Shape
    /// Whether it reads the images, whose gradient is not needed.
    public let readsImages: Bool
    public let isTraining: Bool
    /// Whether its consumer computes its output as it reads it.
    public let fusedIntoConsumer: Bool
    /// Whether its producer computes the gradient of its input as it reads it.
    public let gradientInProducer: Bool
}

// MARK: Training

/// The context of an operation in training: its shapes, the batch, and what is fused with its neighbours.
public struct TrainingSite: Sendable {
    /// The index of the operation in its graph.
    public let number: Int
    public let x, y: Shape
    /// The number of images in a batch.
    public let N: Int
    /// The number of groups of the batch that are normalised separately.
    public let groups: Int
    /// Whether its output is not stored: its consumer computes it as it reads.
    public let fusedIntoConsumer: Bool
    /// Whether the gradient of its input is not stored: its producer computes it as it reads.
    public let gradientInProducer: Bool
    /// The number of pieces of its input whose moments the producer has computed; nil if it has not.
    public let momentsFromProducer: Int?
    /// Whether it computes the moments of its output.
    public let findsMoments: Bool
}

/// The memory that an operation needs besides its values.
public struct Workspace: Sendable, Equatable {
    /// Scratch memory, shared with all other operations. Its contents do not outlive a call.
    public var scratch = Scratch.Need()
    /// The same for sums in double precision.
    public var sums = 1
    /// The bytes that the operation saves for the backward pass in its own memory.
    public var saved = 0
}

/// An operation in training, for one shape and batch size: what it saves for the backward pass, and both passes.
public protocol TrainingStep {
    var workspace: Workspace { get }
    /// Sets y.
    func forward(_ pass: ForwardPass)
    /// Adds the gradients of its parameters. Sets dx and dresidual or adds to them.
    ///
    /// - Returns: the pending dx, if its producer is to compute it.
    func backward(_ pass: BackwardPass) -> NormalizedGradient?
}

extension TrainingStep {
    public var workspace: Workspace { Workspace() }
}

public struct ForwardPass {
    public let weights: Weights
    public let N: Int
    /// The input, or the source from which `normalized` computes it.
    public let x: UnsafeMutablePointer<Float>
    public let normalized: NormalizedInput?
    public let y: UnsafeMutablePointer<Float>
    public let residual: UnsafeMutablePointer<Float>?
    /// The key for dropout and stochastic depth; nil drops nothing.
    public let randomKey: RandomKey?
    public let sums: UnsafeMutablePointer<Double>
    public let scratch: Scratch
}

public struct BackwardPass {
    public let weights: Weights
    let gradients: FloatBuffer
    public let N: Int
    /// As in the forward pass.
    public let x: UnsafeMutablePointer<Float>
    public let normalized: NormalizedInput?
    public let y: UnsafeMutablePointer<Float>
    /// The gradient of y, or the source from which `gradient` computes it. May be overwritten.
    public let dy: UnsafeMutablePointer<Float>
    public let gradient: NormalizedGradient?
    /// nil if it is not needed.
    public let dx: UnsafeMutablePointer<Float>?
    public let addsToInput: Bool
    public let dresidual: UnsafeMutablePointer<Float>?
    public let addsToResidual: Bool
    public let randomKey: RandomKey?
    public let sums: UnsafeMutablePointer<Double>
    public let scratch: Scratch

    let profile: Profile?
    let number: Int
    let multiplyAdds: Int

    /// The gradient of a parameter, to be accumulated into.
    public func gradient(_ parameter: Int) -> UnsafeMutablePointer<Float> { gradients.pointer + weights.network.parameters[parameter].offset }

    /// Charges the time since the last call to a pass of the operation.
    ///
    /// - Parameter directions: the number of gradients computed in it: of the weights and of the input.
    public func lap(_ pass: Profile.Pass, directions: Int = 1) { profile?.lap(number, pass, multiplyAdds: directions * multiplyAdds) }
}

// MARK: Inference

/// The context of an operation in inference.
public struct InferenceSite {
    public let weights: Weights
    public let x: Shape
    /// The most images processed together.
    public let N: Int
    /// Whether a batch norm is the only reader of its output, so that it can be folded into its weights.
    public let isNormalized: Bool
    /// Whether its consumer applies its gates.
    public let gatesInConsumer: Bool
}

/// The form of an operation in inference.
public enum InferenceForm {
    /// Nothing: its output is its input.
    case identity
    /// Part of the batch norm after it.
    case folded
    case step(any InferenceStep)
}

/// An operation in inference, with prepared weights.
public protocol InferenceStep {
    var scratch: Scratch.Need { get }
    /// The number of floats of its stored weights.
    var floats: Int { get }
    /// Whether it does not set y, and its consumer applies its gates instead.
    var givesGates: Bool { get }
    /// Whether y may be x.
    var canReplaceInput: Bool { get }
    /// Sets y.
    ///
    /// - Returns: the gates for its consumer, if it provides any.
    func run(_ pass: InferencePass) -> UnsafePointer<Float>?
}

extension InferenceStep {
    public var scratch: Scratch.Need { Scratch.Need() }
    public var floats: Int { 0 }
    public var givesGates: Bool { false }
    public var canReplaceInput: Bool { false }
}

public struct InferencePass {
    public let weights: Weights
    public let N: Int
    public let x: UnsafeMutablePointer<Float>
    public let y: UnsafeMutablePointer<Float>
    public let residual: UnsafePointer<Float>?
    /// The factors of x, (N, C).
    public let gates: UnsafePointer<Float>?
    public let scratch: Scratch
}
