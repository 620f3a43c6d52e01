import Kernels
import Layers

/// EfficientNet (Tan and Le, "EfficientNet: Rethinking Model Scaling", ICML 2019), as torchvision defines it and names its weights.
struct EfficientNet: Trunk {
    /// A row of the paper's table 1: `layers` blocks, of which the first has the stride.
    struct Stage: Sendable {
        let expansion, kernel, stride, out, layers: Int

        init(_ expansion: Int, _ kernel: Int, _ stride: Int, _ out: Int, _ layers: Int) {
            (self.expansion, self.kernel, self.stride, self.out, self.layers) = (expansion, kernel, stride, out, layers)
        }
    }

    /// The stages of B0.
    static let stages = [
        // expansion, kernel, stride, out, layers
        Stage(1, 3, 1, 16, 1),
        Stage(6, 3, 2, 24, 2),
        Stage(6, 5, 2, 40, 2),
        Stage(6, 3, 2, 80, 3),
        Stage(6, 5, 1, 112, 3),
        Stage(6, 5, 2, 192, 4),
        Stage(6, 3, 1, 320, 1),
    ]

    /// The stages of this network, scaled.
    let stages: [Stage]
    /// The number of channels of the first convolution.
    let stem: Int
    let dropout: Double
    /// The drop probability that a block after the last would have. It grows from 0 in equal steps.
    let stochasticDepth = 0.2

    /// B0 with `width` times the channels and `depth` times the layers.
    static func scaled(width: Double, depth: Double, dropout: Double) -> EfficientNet {
        EfficientNet(
            stages: stages.map { Stage($0.expansion, $0.kernel, $0.stride, channels($0.out, width), layers($0.layers, depth)) }, stem: channels(32, width), dropout: dropout)
    }

    /// `count` times `width`, rounded to a multiple of 8 but not down by more than a tenth.
    static func channels(_ count: Int, _ width: Double) -> Int {
        let wanted = Double(count) * width, rounded = max(8, Int(wanted + 4) / 8 * 8)
        return Double(rounded) < 0.9 * wanted ? rounded + 8 : rounded
    }

    static func layers(_ count: Int, _ depth: Double) -> Int { Int((Double(count) * depth).rounded(.up)) }

    var headName: String { "classifier.1" }
    func headStart(_ O: Int) -> Parameter.Initialization? { .uniform(1 / Double(O).squareRoot()) }

    func build(_ graph: inout GraphBuilder) -> Int {
        let norm = InvertedResidual.Norm(epsilon: 1e-5, momentum: 0.1)
        let total = stages.reduce(0) { $0 + $1.layers }
        var x = graph.normalized("features.0", graph.input, stem, kernel: 3, stride: 2, norm, .silu)
        var number = 0
        for (index, stage) in stages.enumerated() {
            for layer in 0..<stage.layers {
                let width = graph.width(x)
                let block = InvertedResidual(
                    kernel: stage.kernel, expanded: width * stage.expansion, out: stage.out, stride: layer == 0 ? stage.stride : 1,
                    activation: .silu, squeeze: .init(K: max(1, width / 4), activation: .silu, gate: .sigmoid), norm: norm,
                    drop: stochasticDepth * Double(number) / Double(total))
                x = graph.add(block, "features.\(index + 1).\(layer)", x)
                number += 1
            }
        }
        x = graph.normalized("features.\(stages.count + 1)", x, 4 * graph.width(x), kernel: 1, norm, .silu)
        return graph.averagePool(x)
    }
}
