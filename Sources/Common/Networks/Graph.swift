public import Kernels

/// A network as a list of operations, each on the value of an earlier one.
///
/// Values are numbered: 0 is the pictures, i + 1 is what operation i makes. The list is made by a
/// ``GraphBuilder`` from a table, and run by ``TrainingRun`` and ``InferenceRun``.
public struct Graph: Sendable {
    public indirect enum Operation: Sendable {
        /// (N, H, W, C) → (N, H', W', K); `weight` is the number of a parameter.
        case convolution(weight: Int, kernel: Int, stride: Int, padding: Int, K: Int)
        /// Normalisation, then the sum with the value `residual`, then the activation.
        case batchNorm(gamma: Int, beta: Int, statistics: Int, epsilon: Float, momentum: Float, residual: Int?, Rows.Activation)
        case maxPool(kernel: Int, stride: Int, padding: Int)
        /// (N, H, W, C) → (N, C)
        case averagePool
        /// (N, I) → (N, O)
        case linear(weight: Int, bias: Int, O: Int)
        case relu
    }

    public struct Node: Sendable {
        public var operation: Operation
        /// The value it reads.
        public var input: Int
    }

    public var nodes: [Node] = []
    /// The value that is the pooled feature of a picture.
    public var features = 0

    /// Height, width and channels of every value for pictures of H by W.
    public func shapes(height: Int, width: Int) -> [(H: Int, W: Int, C: Int)] {
        var shapes = [(H: height, W: width, C: 3)]
        for node in nodes {
            let x = shapes[node.input]
            switch node.operation {
            case .convolution(_, let kernel, let stride, let padding, let K):
                let window = Window(H: x.H, W: x.W, C: x.C, kernel: kernel, stride: stride, padding: padding)
                shapes.append((window.outH, window.outW, K))
            case .maxPool(let kernel, let stride, let padding):
                let window = Window(H: x.H, W: x.W, C: x.C, kernel: kernel, stride: stride, padding: padding)
                shapes.append((window.outH, window.outW, x.C))
            case .averagePool: shapes.append((1, 1, x.C))
            case .linear(_, _, let O): shapes.append((1, 1, O))
            case .batchNorm, .relu: shapes.append(x)
            }
        }
        return shapes
    }
}

/// What a network learns: one tensor of its checkpoint.
public struct Parameter: Sendable {
    public enum Role: Sendable, Equatable {
        /// PyTorch's (K, C, R, S); kept here as (K, R, S, C).
        case convolution
        case matrix
        case scale
        case bias
    }

    /// torchvision's name: `layer1.0.conv1.weight`.
    public let name: String
    /// PyTorch's shape.
    public let shape: [Int]
    public let role: Role
    /// Where it lies among all parameters of the network, in floats.
    public let offset: Int

    public var count: Int { shape.reduce(1, *) }

    /// PyTorch's order of the floats to ours.
    public func native(_ values: [Float]) -> [Float] { reordered(values, toNative: true) }
    /// Our order of the floats to PyTorch's.
    public func portable(_ values: [Float]) -> [Float] { reordered(values, toNative: false) }

    private func reordered(_ values: [Float], toNative: Bool) -> [Float] {
        guard role == .convolution, shape.count == 4, values.count == count else { return values }
        let (K, C, places) = (shape[0], shape[1], shape[2] * shape[3])
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

    /// The pictures.
    public let input = 0

    public init() {}

    private mutating func add(_ operation: Graph.Operation, _ input: Int, channels C: Int) -> Int {
        graph.nodes.append(.init(operation: operation, input: input))
        channels.append(C)
        return graph.nodes.count
    }

    private mutating func parameter(_ name: String, _ shape: [Int], _ role: Parameter.Role) -> Int {
        parameters.append(Parameter(name: name, shape: shape, role: role, offset: parameterCount))
        // Each begins on a cache line.
        parameterCount += (shape.reduce(1, *) + 15) / 16 * 16
        return parameters.count - 1
    }

    public func width(_ value: Int) -> Int { channels[value] }

    /// A convolution without bias; padded so that stride 1 keeps the size.
    public mutating func convolution(_ name: String, _ x: Int, _ K: Int, kernel: Int, stride: Int = 1) -> Int {
        let weight = parameter(name + ".weight", [K, channels[x], kernel, kernel], .convolution)
        return add(.convolution(weight: weight, kernel: kernel, stride: stride, padding: kernel / 2, K: K), x, channels: K)
    }

    public mutating func batchNorm(
        _ name: String, _ x: Int, residual: Int? = nil, _ activation: Rows.Activation = .none, epsilon: Float = 1e-5, momentum: Float = 0.1
    ) -> Int {
        let C = channels[x]
        let gamma = parameter(name + ".weight", [C], .scale), beta = parameter(name + ".bias", [C], .bias)
        statistics.append(Statistics(name: name, C: C, offset: statisticsCount))
        statisticsCount += 2 * C
        return add(
            .batchNorm(
                gamma: gamma, beta: beta, statistics: statistics.count - 1, epsilon: epsilon, momentum: momentum, residual: residual, activation),
            x, channels: C)
    }

    public mutating func maxPool(_ x: Int, kernel: Int, stride: Int) -> Int {
        add(.maxPool(kernel: kernel, stride: stride, padding: kernel / 2), x, channels: channels[x])
    }

    /// The mean over all places: the features.
    public mutating func averagePool(_ x: Int) -> Int {
        graph.features = add(.averagePool, x, channels: channels[x])
        return graph.features
    }

    public mutating func linear(_ name: String, _ x: Int, _ O: Int) -> Int {
        let weight = parameter(name + ".weight", [O, channels[x]], .matrix), bias = parameter(name + ".bias", [O], .bias)
        return add(.linear(weight: weight, bias: bias, O: O), x, channels: O)
    }

    public mutating func relu(_ x: Int) -> Int { add(.relu, x, channels: channels[x]) }
}
