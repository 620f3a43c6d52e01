import Kernels
import Layers

/// EfficientNet as SEED defines it: the port of TensorFlow's networks to PyTorch, with SAME padding computed for one
/// image size and used for all.
struct SEEDEfficientNet: Trunk {
    let depth: Double
    /// The height and width that the padding is computed for.
    let resolution: Int

    var headName: String { "fc" }
    var dropout: Double { 0.2 }
    /// The padding is that of a larger image; with a smaller image the last windows would not fit.
    var smallestImage: Int { 32 }
    func headStart(_ O: Int) -> Parameter.Initialization? { nil }

    func build(_ graph: inout GraphBuilder) -> Int {
        let norm = InvertedResidual.Norm(epsilon: 1e-3, momentum: 0.01), layers = EfficientNet.stages.map { EfficientNet.layers($0.layers, depth) }
        var x = graph.normalized(
            ("_conv_stem", "_bn0"), graph.input, 32, kernel: 3, stride: 2, padding: .same(of: resolution, kernel: 3, stride: 2), norm, .silu)
        var number = 0, size = (resolution + 1) / 2
        for (stage, count) in zip(EfficientNet.stages, layers) {
            for layer in 0..<count {
                let stride = layer == 0 ? stage.stride : 1, width = graph.width(x)
                let block = InvertedResidual(
                    kernel: stage.kernel, expanded: width * stage.expansion, out: stage.out, stride: stride, activation: .silu,
                    squeeze: .init(K: max(1, width / 4), activation: .silu, gate: .sigmoid), norm: norm, drop: 0.2 * Double(number) / Double(layers.reduce(0, +)),
                    names: .tensorFlowPort, padding: .same(of: size, kernel: stage.kernel, stride: stride))
                x = graph.add(block, "_blocks.\(number)", x)
                size = (size + stride - 1) / stride
                number += 1
            }
        }
        return graph.averagePool(graph.normalized(("_conv_head", "_bn1"), x, 1280, kernel: 1, norm, .silu))
    }
}
