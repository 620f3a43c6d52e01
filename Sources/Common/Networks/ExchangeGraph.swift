import Kernels

/// A network as an ONNX graph: nodes on named values of (N, C, H, W), and constants. Each operation exports itself
/// (``Operation/export(to:_:residual:)``).
public struct ExchangeGraph {
    public enum Attribute {
        case int(Int)
        case ints([Int])
        case float(Float)
        case string(String)
    }

    public struct Node {
        /// ONNX's operator: "Conv".
        public let type: String
        public let inputs: [String]
        public let output: String
        public let attributes: [(name: String, value: Attribute)]

        public init(type: String, inputs: [String], output: String, attributes: [(name: String, value: Attribute)]) {
            (self.type, self.inputs, self.output, self.attributes) = (type, inputs, output, attributes)
        }
    }

    public struct Constant {
        public let name: String
        public let shape: [Int]
        /// Computes the values on demand: all of them together are a second copy of the weights.
        public let values: () -> [Float]
    }

    public private(set) var nodes: [Node] = []
    public private(set) var constants: [Constant] = []
    private var names: Set<String> = []
    let weights: Weights
    /// Values that only a batch norm reads, if batch norms are to be folded.
    fileprivate var normalized: Set<String> = []

    init(_ weights: Weights) { self.weights = weights }

    /// Adds a node and returns the name of its value.
    @discardableResult
    public mutating func node(_ type: String, _ inputs: [String], _ attributes: [(name: String, value: Attribute)] = [], output: String? = nil) -> String {
        let output = output ?? "v\(nodes.count)"
        nodes.append(Node(type: type, inputs: inputs, output: output, attributes: attributes))
        return output
    }

    /// Adds a constant of this name once and returns the name.
    public mutating func constant(_ name: String, _ shape: [Int], _ values: @escaping @autoclosure () -> [Float]) -> String {
        if names.insert(name).inserted { constants.append(Constant(name: name, shape: shape, values: values)) }
        return name
    }

    /// Parameter `index`, in PyTorch's order, with its shape padded with ones at the end up to `rank`.
    mutating func parameter(_ index: Int, rank: Int = 0) -> String {
        let weights = weights, parameter = weights.network.parameters[index]
        let shape = parameter.shape + [Int](repeating: 1, count: max(0, rank - parameter.shape.count))
        return constant(parameter.name, shape, weights.portable(index))
    }

    /// The mean and variance of running statistics `index`.
    mutating func statistics(_ index: Int) -> (mean: String, variance: String) {
        let weights = weights, s = weights.network.statistics[index]
        let mean = constant(s.name + ".running_mean", [s.C], weights.running(index).mean)
        return (mean, constant(s.name + ".running_var", [s.C], weights.running(index).variance))
    }

    /// Folds a batch norm into the convolution or matrix product that produces `x`, if nothing else reads `x`.
    ///
    /// - Returns: the name of the resulting value; nil if the batch norm remains.
    mutating func folded(_ norm: FoldedNorm, into x: String) -> String? {
        guard normalized.contains(x), let number = nodes.firstIndex(where: { $0.output == x }), ["Conv", "Gemm"].contains(nodes[number].type),
            let weight = constants.firstIndex(where: { $0.name == nodes[number].inputs[1] })
        else { return nil }
        let node = nodes[number], W = constants[weight], scale = norm.scale, shift = norm.bias
        // In both, the outer dimension is the outputs.
        constants[weight] = Constant(name: W.name, shape: W.shape) {
            var values = W.values()
            let each = values.count / scale.count
            for k in scale.indices { for i in (k * each)..<((k + 1) * each) { values[i] = Float(Double(values[i]) * scale[k]) } }
            return values
        }
        let name = W.name.hasSuffix(".weight") ? W.name.dropLast(6) + "bias" : W.name + ".bias"
        if let bias = constants.firstIndex(where: { $0.name == name }) {
            let b = constants[bias]
            constants[bias] = Constant(name: b.name, shape: b.shape) { zip(b.values(), zip(scale, shift)).map { Float(Double($0) * $1.0 + Double($1.1)) } }
        } else {
            _ = constant(String(name), [shift.count], shift)
        }
        nodes[number] = Node(type: node.type, inputs: [node.inputs[0], node.inputs[1], String(name)], output: x, attributes: node.attributes)
        return x
    }

    /// The first dimension of a constant.
    func width(_ name: String) -> Int { constants.first { $0.name == name }?.shape.first ?? 0 }

    /// The attributes of a window.
    func window(kernel: Int, stride: Int, padding: Padding) -> [(name: String, value: Attribute)] {
        let zeros: (String, Attribute) = switch padding {
        case .symmetric(let count): ("pads", .ints([count, count, count, count]))
        case .uneven(let before, let after): ("pads", .ints([before, before, after, after]))
        // As much padding as the size requires, the smaller half first.
        case .same: ("auto_pad", .string("SAME_UPPER"))
        }
        return [("kernel_shape", .ints([kernel, kernel])), ("strides", .ints([stride, stride])), zeros]
    }

    mutating func activation(_ activation: Activation, _ x: String) -> String {
        switch activation {
        case .none: x
        case .relu: node("Relu", [x])
        case .relu6: node("Clip", [x, constant("zero", [], [0]), constant("six", [], [6])])
        case .hardSwish: node("HardSwish", [x])
        case .silu: node("Mul", [x, node("Sigmoid", [x])])
        case .gelu:
            node(
                "Mul",
                [
                    node("Mul", [x, constant("half", [], [0.5])]),
                    node("Add", [node("Erf", [node("Mul", [x, constant("sqrt_half", [], [0.707_106_77])])]), constant("one", [], [1])]),
                ])
        }
    }
}

extension Weights {
    /// The network as an ONNX graph.
    ///
    /// - Parameters:
    ///   - folds: whether batch norms are folded into the convolutions and matrix products before them.
    ///   - images: returns the name of the network's input (N, C, H, W), normalised as by ``Pixels``. It may add nodes
    ///     that compute it from something else.
    /// - Returns: the graph, and the names of the feature and embedding values, which are equal without a head.
    public func exchangeGraph(folds: Bool = false, images: (inout ExchangeGraph) -> String) -> (graph: ExchangeGraph, features: String, embedding: String) {
        var graph = ExchangeGraph(self)
        var values = [images(&graph)]
        // Any size that all windows fit into.
        let fusion = Fusion(network.graph, network.graph.shapes(height: 64, width: 64))
        for (index, node) in network.graph.nodes.enumerated() {
            let value = node.operation.export(to: &graph, values[node.input], residual: node.operation.residual.map { values[$0] })
            if folds, fusion.isNormalized[index] { graph.normalized.insert(value) }
            values.append(value)
        }
        return (graph, values[network.graph.features], values[values.count - 1])
    }
}
