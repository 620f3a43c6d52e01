public import Kernels
public import Layers

/// A network as a list of operations, each on the value of an earlier one.
///
/// Values are numbered: 0 is the images, i + 1 is what operation i makes. The list is made by a
/// ``GraphBuilder`` from a table, and run by ``TrainingRun`` and ``InferenceRun``.
public struct Graph: Sendable {
    public indirect enum Operation: Sendable {
        /// (N, H, W, C) → (N, H', W', K); `weight` is the number of a parameter.
        case convolution(weight: Int, kernel: Int, stride: Int, padding: Int, K: Int)
        /// The same with a window for each channel: (N, H, W, C) → (N, H', W', C).
        case depthwise(weight: Int, kernel: Int, stride: Int, padding: Int)
        /// Normalisation, then the sum with the value `residual`, then the activation.
        case batchNorm(gamma: Int, beta: Int, statistics: Int, epsilon: Float, momentum: Float, residual: Int?, Rows.Activation)
        case maxPool(kernel: Int, stride: Int, padding: Int)
        /// (N, H, W, C) → (N, C)
        case averagePool
        /// (N, I) → (N, O)
        case linear(weight: Int, bias: Int, O: Int)
        case activation(Rows.Activation)
        /// Channels weighed by ``SqueezeExcite``; `weights` is the number of W₁, behind which b₁, W₂ and b₂ stand.
        case squeezeExcite(weights: Int, K: Int, Rows.Activation, SqueezeExcite.Gate)
        /// Numbers are left out with this probability, in training.
        case dropout(Double)
    }

    public struct Node: Sendable {
        public var operation: Operation
        /// The value it reads.
        public var input: Int
        /// The probability that training leaves out what is added to the residual (``StochasticDepth``); of a batch norm with a residual.
        public var drop = 0.0
    }

    public var nodes: [Node] = []
    /// The value that is the pooled feature of an image.
    public var features = 0

    /// Height, width and channels of every value for images of H by W.
    public func shapes(height: Int, width: Int) -> [(H: Int, W: Int, C: Int)] {
        var shapes = [(H: height, W: width, C: 3)]
        for node in nodes {
            let x = shapes[node.input]
            switch node.operation {
            case .convolution(_, let kernel, let stride, let padding, let K):
                let window = Window(x, kernel: kernel, stride: stride, padding: padding)
                shapes.append((window.outH, window.outW, K))
            case .maxPool(let kernel, let stride, let padding), .depthwise(_, let kernel, let stride, let padding):
                let window = Window(x, kernel: kernel, stride: stride, padding: padding)
                shapes.append((window.outH, window.outW, x.C))
            case .averagePool: shapes.append((1, 1, x.C))
            case .linear(_, _, let O): shapes.append((1, 1, O))
            case .batchNorm, .activation, .squeezeExcite, .dropout: shapes.append(x)
            }
        }
        return shapes
    }
}

extension Window {
    /// A window over a value of this shape.
    init(_ shape: (H: Int, W: Int, C: Int), kernel: Int, stride: Int, padding: Int) {
        self.init(H: shape.H, W: shape.W, C: shape.C, kernel: kernel, stride: stride, padding: padding)
    }
}

/// What a network learns: one tensor of its checkpoint.
public struct Parameter: Sendable {
    public enum Role: Sendable, Equatable {
        /// PyTorch's (K, C, R, S); kept here as (K, R, S, C).
        case convolution
        /// PyTorch's (C, 1, R, S); kept here as (R, S, C).
        case depthwise
        case matrix
        case scale
        case bias
    }

    /// What its numbers are before any training.
    public enum Initialization: Sendable, Equatable {
        /// Around zero with this deviation.
        case normal(Double)
        /// Between minus and plus this bound.
        case uniform(Double)
        case constant(Float)
    }

    /// torchvision's name: `layer1.0.conv1.weight`.
    public let name: String
    /// PyTorch's shape.
    public let shape: [Int]
    public let role: Role
    public let initialization: Initialization
    /// Where it lies among all parameters of the network, in floats.
    public let offset: Int

    public var count: Int { shape.reduce(1, *) }

    /// PyTorch's order of the floats to ours.
    public func native(_ values: [Float]) -> [Float] { reordered(values, toNative: true) }
    /// Our order of the floats to PyTorch's.
    public func portable(_ values: [Float]) -> [Float] { reordered(values, toNative: false) }

    private func reordered(_ values: [Float], toNative: Bool) -> [Float] {
        guard role == .convolution || role == .depthwise, shape.count == 4, values.count == count else { return values }
        // Depthwise weights are as those of one output whose inputs are the channels.
        let (K, C) = role == .depthwise ? (1, shape[0]) : (shape[0], shape[1]), places = shape[2] * shape[3]
        var result = [Float](repeating: 0, count: values.count)
        for k in 0..<K {
            for c in 0..<C {
                for place in 0..<places {
                    let portable = (k * C + c) * places + place, native = (k * places + place) * C + c
                    if toNative { result[native] = values[portable] } else { result[portable] = values[native] }
                }
            }
        }
        return result
    }
}

/// The running statistics of one batch normalisation: not learnt, but part of the checkpoint.
public struct Statistics: Sendable {
    /// `layer1.0.bn1`: has `.running_mean`, `.running_var` and `.num_batches_tracked`.
    public let name: String
    public let C: Int
    /// Where its mean lies among all statistics, in floats; its variance lies C behind.
    public let offset: Int
}

/// Writes a graph down, operation by operation, and collects its parameters.
public struct GraphBuilder {
    public private(set) var graph = Graph()
    public private(set) var parameters: [Parameter] = []
    public private(set) var statistics: [Statistics] = []
    private var channels = [3]
    private var parameterCount = 0
    private var statisticsCount = 0

    /// The images.
    public let input = 0

    public init() {}

    private mutating func add(_ operation: Graph.Operation, _ input: Int, channels C: Int, drop: Double = 0) -> Int {
        graph.nodes.append(.init(operation: operation, input: input, drop: drop))
        channels.append(C)
        return graph.nodes.count
    }

    private mutating func parameter(_ name: String, _ shape: [Int], _ role: Parameter.Role, _ initialization: Parameter.Initialization) -> Int {
        parameters.append(Parameter(name: name, shape: shape, role: role, initialization: initialization, offset: parameterCount))
        // Each begins on a cache line.
        parameterCount += (shape.reduce(1, *) + 15) / 16 * 16
        return parameters.count - 1
    }

    public func width(_ value: Int) -> Int { channels[value] }

    /// The weights of a convolution, normal with deviation √(2 / (K·R·S)) at first (Kaiming, fan out).
    private mutating func kernel(_ name: String, _ shape: [Int], _ role: Parameter.Role = .convolution) -> Int {
        parameter(name + ".weight", shape, role, .normal((2 / Double(shape[0] * shape[2] * shape[3])).squareRoot()))
    }

    /// A convolution without bias; padded so that stride 1 keeps the size.
    public mutating func convolution(_ name: String, _ x: Int, _ K: Int, kernel: Int, stride: Int = 1) -> Int {
        let weight = self.kernel(name, [K, channels[x], kernel, kernel])
        return add(.convolution(weight: weight, kernel: kernel, stride: stride, padding: kernel / 2, K: K), x, channels: K)
    }

    /// As ``convolution(_:_:_:kernel:stride:)``, each channel by itself.
    public mutating func depthwise(_ name: String, _ x: Int, kernel: Int, stride: Int = 1) -> Int {
        let weight = self.kernel(name, [channels[x], 1, kernel, kernel], .depthwise)
        return add(.depthwise(weight: weight, kernel: kernel, stride: stride, padding: kernel / 2), x, channels: channels[x])
    }

    /// Squeeze-excite by `K` numbers: `NAME.fc1` and `NAME.fc2`, 1×1 convolutions with a bias.
    public mutating func squeezeExcite(_ name: String, _ x: Int, _ K: Int, _ activation: Rows.Activation, _ gate: SqueezeExcite.Gate) -> Int {
        let C = channels[x]
        let weights = kernel(name + ".fc1", [K, C, 1, 1])
        _ = parameter(name + ".fc1.bias", [K], .bias, .constant(0))
        _ = kernel(name + ".fc2", [C, K, 1, 1])
        _ = parameter(name + ".fc2.bias", [C], .bias, .constant(0))
        return add(.squeezeExcite(weights: weights, K: K, activation, gate), x, channels: C)
    }

    /// - Parameter drop: the probability that training leaves out what is added to the residual, image by image.
    public mutating func batchNorm(
        _ name: String, _ x: Int, residual: Int? = nil, _ activation: Rows.Activation = .none, epsilon: Float = 1e-5, momentum: Float = 0.1,
        drop: Double = 0
    ) -> Int {
        let C = channels[x]
        let gamma = parameter(name + ".weight", [C], .scale, .constant(1)), beta = parameter(name + ".bias", [C], .bias, .constant(0))
        statistics.append(Statistics(name: name, C: C, offset: statisticsCount))
        statisticsCount += 2 * C
        return add(
            .batchNorm(
                gamma: gamma, beta: beta, statistics: statistics.count - 1, epsilon: epsilon, momentum: momentum, residual: residual, activation),
            x, channels: C, drop: drop)
    }

    public mutating func maxPool(_ x: Int, kernel: Int, stride: Int) -> Int {
        add(.maxPool(kernel: kernel, stride: stride, padding: kernel / 2), x, channels: channels[x])
    }

    public mutating func averagePool(_ x: Int) -> Int { add(.averagePool, x, channels: channels[x]) }

    /// - Parameters:
    ///   - start: of the weights; nil for ±1/√I, as PyTorch has it, and the same for the bias, which otherwise is zero.
    public mutating func linear(_ name: String, _ x: Int, _ O: Int, start: Parameter.Initialization? = nil) -> Int {
        let bound = 1 / Double(channels[x]).squareRoot()
        let weight = parameter(name + ".weight", [O, channels[x]], .matrix, start ?? .uniform(bound))
        let bias = parameter(name + ".bias", [O], .bias, start == nil ? .uniform(bound) : .constant(0))
        return add(.linear(weight: weight, bias: bias, O: O), x, channels: O)
    }

    public mutating func activation(_ x: Int, _ activation: Rows.Activation) -> Int { add(.activation(activation), x, channels: channels[x]) }

    /// Numbers left out with this probability, in training.
    public mutating func dropout(_ x: Int, _ probability: Double) -> Int { add(.dropout(probability), x, channels: channels[x]) }

    /// Says which value is the features of an image.
    mutating func end(features: Int) { graph.features = features }
}
