import Kernels

/// EfficientNet-Lite (Liu, "Higher accuracy on vision models with EfficientNet-Lite", 2020): EfficientNet without
/// squeeze-excite, with ReLU6, and with B0's widths of stem and head.
///
/// It uses the names of its port to PyTorch, TensorFlow's SAME padding and its own pixel scaling.
struct EfficientNetLite: Trunk {
    let width, depth, dropout: Double

    var headName: String { "_fc" }
    var pixels: Pixels { .lite }
    func headStart(_ O: Int) -> Parameter.Initialization? { nil }

    func build(_ graph: inout GraphBuilder) -> Int {
        let norm = InvertedResidual.Norm(epsilon: 1e-3, momentum: 0.01), stages = EfficientNet.stages
        // The first and the last stage are not deepened.
        let layers = stages.indices.map { $0 == 0 || $0 == stages.count - 1 ? stages[$0].layers : EfficientNet.layers(stages[$0].layers, depth) }
        var x = graph.normalized(("_conv_stem", "_bn0"), graph.input, 32, kernel: 3, stride: 2, padding: .same, norm, .relu6), number = 0
        for (stage, count) in zip(stages, layers) {
            for layer in 0..<count {
                let block = InvertedResidual(
                    kernel: stage.kernel, expanded: graph.width(x) * stage.expansion, out: EfficientNet.channels(stage.out, width), stride: layer == 0 ? stage.stride : 1,
                    activation: .relu6, squeeze: nil, norm: norm, drop: 0.2 * Double(number) / Double(layers.reduce(0, +)), names: .tensorFlowPort, padding: .same)
                x = graph.add(block, "_blocks.\(number)", x)
                number += 1
            }
        }
        return graph.averagePool(graph.normalized(("_conv_head", "_bn1"), x, 1280, kernel: 1, norm, .relu6))
    }
}
