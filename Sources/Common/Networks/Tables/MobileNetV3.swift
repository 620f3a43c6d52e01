import Kernels
import Layers

/// MobileNetV3 (Howard et al., "Searching for MobileNetV3", ICCV 2019), as torchvision defines it and names its weights.
struct MobileNetV3: Trunk {
    /// A row of the paper's tables.
    struct Row: Sendable {
        let kernel, expanded, out: Int
        let squeezes: Bool
        let activation: Activation
        let stride: Int

        init(_ kernel: Int, _ expanded: Int, _ out: Int, _ squeezes: Bool, _ activation: Activation, _ stride: Int) {
            (self.kernel, self.expanded, self.out, self.squeezes) = (kernel, expanded, out, squeezes)
            (self.activation, self.stride) = (activation, stride)
        }
    }

    let rows: [Row]
    /// The width of the features.
    let last: Int

    /// Table 1.
    static let large = MobileNetV3(
        rows: [
            // kernel, expanded, out, squeeze-excite, activation, stride
            Row(3, 16, 16, false, .relu, 1),
            Row(3, 64, 24, false, .relu, 2),
            Row(3, 72, 24, false, .relu, 1),
            Row(5, 72, 40, true, .relu, 2),
            Row(5, 120, 40, true, .relu, 1),
            Row(5, 120, 40, true, .relu, 1),
            Row(3, 240, 80, false, .hardSwish, 2),
            Row(3, 200, 80, false, .hardSwish, 1),
            Row(3, 184, 80, false, .hardSwish, 1),
            Row(3, 184, 80, false, .hardSwish, 1),
            Row(3, 480, 112, true, .hardSwish, 1),
            Row(3, 672, 112, true, .hardSwish, 1),
            Row(5, 672, 160, true, .hardSwish, 2),
            Row(5, 960, 160, true, .hardSwish, 1),
            Row(5, 960, 160, true, .hardSwish, 1),
        ], last: 1280)

    /// Table 2.
    static let small = MobileNetV3(
        rows: [
            Row(3, 16, 16, true, .relu, 2),
            Row(3, 72, 24, false, .relu, 2),
            Row(3, 88, 24, false, .relu, 1),
            Row(5, 96, 40, true, .hardSwish, 2),
            Row(5, 240, 40, true, .hardSwish, 1),
            Row(5, 240, 40, true, .hardSwish, 1),
            Row(5, 120, 48, true, .hardSwish, 1),
            Row(5, 144, 48, true, .hardSwish, 1),
            Row(5, 288, 96, true, .hardSwish, 2),
            Row(5, 576, 96, true, .hardSwish, 1),
            Row(5, 576, 96, true, .hardSwish, 1),
        ], last: 1024)

    var headName: String { "classifier.3" }
    var dropout: Double { 0.2 }
    func headStart(_ O: Int) -> Parameter.Initialization? { .normal(0.01) }

    func build(_ graph: inout GraphBuilder) -> Int {
        let norm = InvertedResidual.Norm(epsilon: 0.001, momentum: 0.01)
        var x = graph.normalized("features.0", graph.input, 16, kernel: 3, stride: 2, norm, .hardSwish)
        for (index, row) in rows.enumerated() {
            let block = InvertedResidual(
                kernel: row.kernel, expanded: row.expanded, out: row.out, stride: row.stride, activation: row.activation,
                squeeze: row.squeezes ? .init(K: Self.divisible(row.expanded / 4), activation: .relu, gate: .hardSigmoid) : nil, norm: norm)
            x = graph.add(block, "features.\(index + 1)", x)
        }
        x = graph.normalized("features.\(rows.count + 1)", x, 6 * graph.width(x), kernel: 1, norm, .hardSwish)
        x = graph.linear("classifier.0", graph.averagePool(x), last, start: .normal(0.01))
        return graph.activation(x, .hardSwish)
    }

    /// The nearest multiple of 8, but not less than nine tenths of `width`.
    static func divisible(_ width: Int) -> Int {
        let near = max(8, (width + 4) / 8 * 8)
        return 10 * near < 9 * width ? near + 8 : near
    }
}
