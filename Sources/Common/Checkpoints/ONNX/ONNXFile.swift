public import Networks
import TensorStreams
import ToolSupport

/// A network as ONNX (onnx/onnx.proto, operator set 14).
///
/// Batch norms are either kept, for runtimes to fold, or folded already.
///
/// | value       | shape                                                                                     |
/// |-------------|-------------------------------------------------------------------------------------------|
/// | `images`    | f32 (N, 3, H, W), normalised for the network; or u8 (N, H, W, 3) as `augment` makes them  |
/// | `features`  | f32 (N, d)                                                                                |
/// | `embedding` | f32 (N, D), where there is a head                                                         |
public enum ONNXFile {
    private static let ir = 8, operators = 14
    private static let float = 1, byte = 2

    /// Whether the network fits into one file, which is limited to 2 GB.
    public static func holds(_ network: Network) -> Bool { network.parameterCount < 1 << 29 }

    /// - Parameters:
    ///   - takesBytes: whether the images are bytes that the graph normalises.
    ///   - folds: whether batch norms are folded into the preceding convolutions.
    /// - Throws: ``Failure`` where the network exceeds the 2 GB limit of one file.
    public static func write(_ weights: Weights, to path: String, takesBytes: Bool, folds: Bool, provenance: String) throws {
        let network = weights.network
        guard holds(network) else { throw Failure(.usage, "\(network.name) has more numbers than an ONNX file of 2 GB holds", remedy: "write *.safetensors") }
        let (graph, features, embedding) = weights.exchangeGraph(folds: folds) { graph in takesBytes ? normalized("images", network.pixels, &graph) : "images" }
        var nodes = ProtocolBuffer()
        for node in graph.nodes { nodes.add(1, message(node)) }
        // The external names of the values.
        nodes.add(1, identity(features, "features"))
        if embedding != features { nodes.add(1, identity(embedding, "embedding")) }
        nodes.add(2, network.name)
        for constant in graph.constants { nodes.add(5, message(constant)) }
        nodes.add(11, value("images", takesBytes ? byte : float, takesBytes ? [nil, nil, nil, network.channels] : [nil, network.channels, nil, nil], ["N", "H", "W"]))
        nodes.add(12, value("features", float, [nil, network.featureWidth], ["N"]))
        if embedding != features { nodes.add(12, value("embedding", float, [nil, network.embeddingWidth], ["N"])) }
        var model = ProtocolBuffer(), set = ProtocolBuffer(), note = ProtocolBuffer()
        model.add(1, ir)
        model.add(2, "seed")
        model.add(3, productVersion)
        model.add(7, nodes)
        set.add(1, "")
        set.add(2, operators)
        model.add(8, set)
        note.add(1, "provenance")
        note.add(2, provenance)
        model.add(14, note)
        var output = try OutputFile(path)
        try model.write(to: &output)
        try output.commit()
    }

    /// Converts bytes (N, H, W, C) to (v/255 − mean) / deviation in (N, C, H, W).
    private static func normalized(_ images: String, _ pixels: Pixels, _ graph: inout ExchangeGraph) -> String {
        let C = pixels.mean.count
        let numbers = graph.node("Transpose", [graph.node("Cast", [images], [("to", .int(float))])], [("perm", .ints([0, 3, 1, 2]))])
        let mean = graph.constant("pixels.mean", [1, C, 1, 1], pixels.mean.map { 255 * $0 })
        return graph.node("Div", [graph.node("Sub", [numbers, mean]), graph.constant("pixels.deviation", [1, C, 1, 1], pixels.deviation.map { 255 * $0 })])
    }

    private static func identity(_ value: String, _ name: String) -> ProtocolBuffer {
        message(ExchangeGraph.Node(type: "Identity", inputs: [value], output: name, attributes: []))
    }

    private static func message(_ node: ExchangeGraph.Node) -> ProtocolBuffer {
        var message = ProtocolBuffer()
        for input in node.inputs { message.add(1, input) }
        message.add(2, node.output)
        message.add(3, node.output)
        message.add(4, node.type)
        for (name, value) in node.attributes {
            var attribute = ProtocolBuffer()
            attribute.add(1, name)
            switch value {
            case .float(let number):
                attribute.add(2, number)
                attribute.add(20, 1)
            case .int(let number):
                attribute.add(3, number)
                attribute.add(20, 2)
            case .string(let text):
                attribute.add(4, text)
                attribute.add(20, 3)
            case .ints(let numbers):
                for number in numbers { attribute.add(8, number) }
                attribute.add(20, 7)
            }
            message.add(5, attribute)
        }
        return message
    }

    private static func message(_ constant: ExchangeGraph.Constant) -> ProtocolBuffer {
        var message = ProtocolBuffer()
        for size in constant.shape { message.add(1, size) }
        message.add(2, float)
        message.add(8, constant.name)
        message.add(9, count: constant.shape.reduce(1, *), constant.values)
        return message
    }

    /// - Parameter shape: nil for a dynamic size, which takes the next name of `free`.
    private static func value(_ name: String, _ type: Int, _ shape: [Int?], _ free: [String]) -> ProtocolBuffer {
        var sizes = ProtocolBuffer(), names = free[...]
        for size in shape {
            var dimension = ProtocolBuffer()
            if let size { dimension.add(1, size) } else { dimension.add(2, names.popFirst() ?? "") }
            sizes.add(1, dimension)
        }
        var tensor = ProtocolBuffer(), kind = ProtocolBuffer(), message = ProtocolBuffer()
        tensor.add(1, type)
        tensor.add(2, sizes)
        kind.add(1, tensor)
        message.add(1, name)
        message.add(2, kind)
        return message
    }
}
