import Kernels
import Layers

/// MobileNetV3-Large as SEED defines it (Fang et al., "SEED: Self-supervised Distillation for Visual Representation",
/// ICLR 2021).
///
/// Its squeeze-excite consists of linear layers, stands before the activation and uses a different rounding. Its batch
/// norms have PyTorch's default epsilon.
struct SEEDMobileNetV3: Trunk {
    /// Kernel, expansion, out, whether squeeze-excite, activation, stride.
    private static let rows: [(kernel: Int, expansion: Double, out: Int, squeezes: Bool, activation: Activation, stride: Int)] = [
        (3, 1, 16, false, .relu, 1),
        (3, 4, 24, false, .relu, 2),
        (3, 3, 24, false, .relu, 1),
        (5, 3, 40, true, .relu, 2),
        (5, 3, 40, true, .relu, 1),
        (5, 3, 40, true, .relu, 1),
        (3, 6, 80, false, .hardSwish, 2),
        (3, 2.5, 80, false, .hardSwish, 1),
        (3, 2.3, 80, false, .hardSwish, 1),
        (3, 2.3, 80, false, .hardSwish, 1),
        (3, 6, 112, true, .hardSwish, 1),
        (3, 6, 112, true, .hardSwish, 1),
        (5, 6, 160, true, .hardSwish, 2),
        (5, 6, 160, true, .hardSwish, 1),
        (5, 6, 160, true, .hardSwish, 1),
    ]

    var headName: String { "fc" }
    var dropout: Double { 0.2 }
    func headStart(_ O: Int) -> Parameter.Initialization? { .normal(0.01) }

    func build(_ graph: inout GraphBuilder) -> Int {
        let norm = InvertedResidual.Norm(epsilon: 1e-5, momentum: 0.1)
        var x = graph.normalized("features.0", graph.input, 16, kernel: 3, stride: 2, norm, .hardSwish), expanded = 0
        for (index, row) in Self.rows.enumerated() {
            expanded = EfficientNet.channels(graph.width(x), row.expansion)
            let block = InvertedResidual(
                kernel: row.kernel, expanded: expanded, out: row.out, stride: row.stride, activation: row.activation,
                squeeze: row.squeezes ? .init(K: MobileNetV3.divisible(expanded / 4), activation: .relu, gate: .hardSigmoid) : nil, norm: norm, names: .seedMobileNetV3)
            x = graph.add(block, "features.\(index + 1)", x)
        }
        x = graph.averagePool(graph.normalized("conv", x, expanded, kernel: 1, norm, .hardSwish))
        return graph.activation(graph.linear("classifier.0", x, 1280, start: .normal(0.01)), .hardSwish)
    }
}
