import Kernels

/// MobileNetV2 (Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018), as torchvision defines it and names its weights.
struct MobileNetV2: Trunk {
    /// Table 2: expansion, output channels, blocks, stride of the first block.
    private static let rows: [(expansion: Int, out: Int, blocks: Int, stride: Int)] = [
        (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
    ]

    var headName: String { "classifier.1" }
    var dropout: Double { 0.2 }
    func headStart(_ O: Int) -> Parameter.Initialization? { .normal(0.01) }

    func build(_ graph: inout GraphBuilder) -> Int {
        let norm = InvertedResidual.Norm(epsilon: 1e-5, momentum: 0.1)
        var x = graph.normalized("features.0", graph.input, 32, kernel: 3, stride: 2, norm, .relu6), number = 1
        for row in Self.rows {
            for index in 0..<row.blocks {
                let block = InvertedResidual(
                    kernel: 3, expanded: row.expansion * graph.width(x), out: row.out, stride: index == 0 ? row.stride : 1, activation: .relu6, squeeze: nil, norm: norm,
                    names: .mobileNetV2)
                x = graph.add(block, "features.\(number)", x)
                number += 1
            }
        }
        return graph.averagePool(graph.normalized("features.\(number)", x, 1280, kernel: 1, norm, .relu6))
    }
}
