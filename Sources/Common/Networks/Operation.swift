public import Kernels
public import Layers

/// What a graph is made of: a layer with its shapes, its cost, its name in a profile, and what it does in training and in inference.
///
/// Each is a file in `Operations`; its arithmetic is a type of `Layers`. A new one touches those two files alone. Shapes are given where they
/// are needed: a graph is for images of any size.
public protocol Operation: Sendable {
    func outputShape(_ x: Shape) -> Shape
    /// The number of its first parameter, by which it is named; nil where it learns nothing.
    var parameter: Int? { get }
    /// The kind of work that it is: `3×3`, `1×1 stride 2`, `batch norm`.
    var kind: String { get }
    /// Its name where it learns nothing: `maxpool`.
    var name: String { get }
    /// A value that it reads besides its input.
    var residual: Int? { get }
    /// For one image, by the direct algorithm; 0 where memory bounds it.
    func multiplyAdds(_ x: Shape, _ y: Shape) -> Int
    func traffic(_ site: TrafficSite) -> Traffic

    // What it can do for its neighbours: see ``Fusion``.

    /// Whether it can normalise what it reads (``NormalizedInput``), since it copies that in any case.
    func canNormalizeInput(_ x: Shape) -> Bool
    /// Whether it can take the gradient of what it makes back through a batch norm (``NormalizedGradient``), likewise.
    func canNormalizeGradient(_ x: Shape) -> Bool
    /// Whether it can multiply what it reads by a squeeze-excite's gates.
    func canMultiplyInput(_ x: Shape) -> Bool
    /// Pieces of N images whose moments it can find while it makes them, for the batch norm behind it; nil if it cannot.
    func momentPieces(_ x: Shape, N: Int) -> Int?

    /// Whether the gradient of its input takes the place of that of its output. Then nothing else may read its input.
    var replacesGradient: Bool { get }
    /// Whether it has no pass of training and no form in ONNX: those of teachers alone.
    var isForInferenceAlone: Bool { get }
    /// What the sides of its input must be multiples of.
    var imageMultiple: Int { get }
    /// Whether the zeros around its input are told by the size of a square alone (``Padding/same``).
    var needsSquareImages: Bool { get }
    func training(_ site: TrainingSite) -> any TrainingStep
    func inference(_ site: InferenceSite) -> InferenceForm
    /// Adds it to a graph in ONNX's terms.
    ///
    /// - Parameters:
    ///   - x: the name of the value that it reads, and `residual` that of the value that it adds.
    /// - Returns: the name of the value that it makes.
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

/// Numbers read and written for an image.
public struct Traffic: Sendable {
    public let forward, backward: Int
}

/// What decides an operation's ``Traffic``.
public struct TrafficSite: Sendable {
    public let x, y: Shape
    /// Whether it reads the images, whose gradient nobody wants.
    public let readsImages: Bool
    public let isTraining: Bool
    /// Whether its consumer makes its output where it reads.
    public let fusedIntoConsumer: Bool
    /// Whether its producer makes the gradient of its input where it reads.
    public let gradientInProducer: Bool
}

// MARK: Training

/// Where an operation stands in training: its shapes, the batch, and what is fused with its neighbours.
public struct TrainingSite: Sendable {
    /// Of the operation in its graph.
    public let number: Int
    public let x, y: Shape
    /// Images in a batch.
    public let N: Int
    /// Groups of the batch that are normalised apart.
    public let groups: Int
    /// Whether its output is not written: its consumer makes it where it reads.
    public let fusedIntoConsumer: Bool
    /// Whether the gradient of its input is not written: its producer makes it where it reads.
    public let gradientInProducer: Bool
    /// Pieces of its input whose moments the producer has found; nil if it has not.
    public let momentsFromProducer: Int?
    /// Whether it finds the moments of its output.
    public let findsMoments: Bool
}

/// What an operation needs besides its values.
public struct Workspace: Sendable, Equatable {
    /// Memory that nothing outlives a call in, shared with all other operations.
    public var scratch = Scratch.Need()
    /// The same for sums in double precision.
    public var sums = 1
    /// Bytes that the operation saves for the backward pass in memory of its own.
    public var saved = 0
}

/// An operation in training, for one shape and one size of batch: what it saves for the backward pass, and both passes.
public protocol TrainingStep {
    var workspace: Workspace { get }
    /// Sets y.
    func forward(_ pass: ForwardPass)
    /// Adds the gradients of its parameters; sets or adds to dx, and dresidual.
    ///
    /// - Returns: dx where its producer is to make it.
    func backward(_ pass: BackwardPass) -> NormalizedGradient?
}

extension TrainingStep {
    public var workspace: Workspace { Workspace() }
}

public struct ForwardPass {
    public let weights: Weights
    public let N: Int
    /// What it reads, or what that is to be made from by `normalized`.
    public let x: UnsafeMutablePointer<Float>
    public let normalized: NormalizedInput?
    public let y: UnsafeMutablePointer<Float>
    public let residual: UnsafeMutablePointer<Float>?
    /// Of dropout and stochastic depth; nil leaves nothing out.
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
    /// The gradient of y, or what that is to be made from by `gradient`. May be overwritten.
    public let dy: UnsafeMutablePointer<Float>
    public let gradient: NormalizedGradient?
    /// nil where nobody wants it.
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

    /// The gradient of a parameter, to be added to.
    public func gradient(_ parameter: Int) -> UnsafeMutablePointer<Float> { gradients.pointer + weights.network.parameters[parameter].offset }

    /// Charges the time since the last call to a pass of the operation.
    ///
    /// - Parameter directions: gradients that were made in it, of the weights and of the input.
    public func lap(_ pass: Profile.Pass, directions: Int = 1) { profile?.lap(number, pass, multiplyAdds: directions * multiplyAdds) }
}

// MARK: Inference

/// Where an operation stands in inference.
public struct InferenceSite {
    public let weights: Weights
    public let x: Shape
    /// Images that go through together, at the most.
    public let N: Int
    /// Whether a batch norm alone reads its output, which it can fold into its own weights.
    public let isNormalized: Bool
    /// Whether its consumer multiplies by its gates.
    public let gatesInConsumer: Bool
}

/// What an operation is in inference.
public enum InferenceForm {
    /// Nothing: its input is its output.
    case identity
    /// Part of the batch norm behind it.
    case folded
    case step(any InferenceStep)
}

/// An operation in inference, with weights that are ready for it.
public protocol InferenceStep {
    var scratch: Scratch.Need { get }
    /// Floats of the weights that it keeps.
    var floats: Int { get }
    /// Whether it leaves y alone, and its consumer takes its gates instead.
    var givesGates: Bool { get }
    /// Whether y may be x.
    var canReplaceInput: Bool { get }
    /// Sets y.
    ///
    /// - Returns: the gates for its consumer, if it gives any.
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
    /// What x is to be multiplied by, (N, C).
    public let gates: UnsafePointer<Float>?
    public let scratch: Scratch
}
