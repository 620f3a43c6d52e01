import Kernels

/// A network in ONNX's terms: nodes on named values of (N, C, H, W), and constants. What operations add to it stands with them (``Operation/export(to:_:residual:)``).
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
        public let values: [Float]
    }

    public private(set) var nodes: [Node] = []
    public private(set) var constants: [Constant] = []
    private var names: Set<String> = []
    private let weights: Weights

    init(_ weights: Weights) { self.weights = weights }

    /// Adds a node; returns the name of its value.
    @discardableResult
    public mutating func node(_ type: String, _ inputs: [String], _ attributes: [(name: String, value: Attribute)] = [], output: String? = nil) -> String {
        let output = output ?? "v\(nodes.count)"
        nodes.append(Node(type: type, inputs: inputs, output: output, attributes: attributes))
        return output
    }

    /// Adds a constant of this name, once; returns the name.
    public mutating func constant(_ name: String, _ shape: [Int], _ values: @autoclosure () -> [Float]) -> String {
        if names.insert(name).inserted { constants.append(Constant(name: name, shape: shape, values: values())) }
        return name
    }

    /// Parameter `index`, in PyTorch's order, with ones behind its shape up to `rank`.
    mutating func parameter(_ index: Int, rank: Int = 0) -> String {
        let parameter = weights.network.parameters[index], numbers = weights.parameters.pointer + parameter.offset
        let shape = parameter.shape + [Int](repeating: 1, count: max(0, rank - parameter.shape.count))
        return constant(parameter.name, shape, parameter.portable(Array(UnsafeBufferPointer(start: numbers, count: parameter.count))))
    }

    /// Mean and variance of running statistics `index`.
    mutating func statistics(_ index: Int) -> (mean: String, variance: String) {
        let s = weights.network.statistics[index], all = weights.statistics.array
        let mean = constant(s.name + ".running_mean", [s.C], Array(all[s.offset..<(s.offset + s.C)]))
        return (mean, constant(s.name + ".running_var", [s.C], Array(all[(s.offset + s.C)..<(s.offset + 2 * s.C)])))
    }

    /// The first size of a constant.
    func width(_ name: String) -> Int { constants.first { $0.name == name }?.shape.first ?? 0 }

    /// The attributes of a window.
    func window(kernel: Int, stride: Int, padding: Padding) -> [(name: String, value: Attribute)] {
        let zeros: (String, Attribute) = switch padding {
        case .symmetric(let count): ("pads", .ints([count, count, count, count]))
        case .uneven(let before, let after): ("pads", .ints([before, before, after, after]))
        // As many zeros as the size needs, the smaller half first.
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
        }
    }
}

extension Weights {
    /// The network in ONNX's terms.
    ///
    /// - Parameter images: gives the name of its input (N, C, H, W), numbers as ``Pixels`` makes them; it may add what makes them of something else.
    /// - Returns: the graph, and the names of the features' and the embedding's values; equal without a head.
    public func exchangeGraph(images: (inout ExchangeGraph) -> String) -> (graph: ExchangeGraph, features: String, embedding: String) {
        var graph = ExchangeGraph(self)
        var values = [images(&graph)]
        for node in network.graph.nodes {
            values.append(node.operation.export(to: &graph, values[node.input], residual: node.operation.residual.map { values[$0] }))
        }
        return (graph, values[network.graph.features], values[values.count - 1])
    }
}
