import Kernels
import Layers
import Platform

/// RegNetY (Radosavovic et al., "Designing Network Design Spaces", CVPR 2020), as torchvision defines it and names its
/// weights.
///
/// The large ones are SEER's (Goyal et al., "Self-supervised Pretraining of Visual Features in the Wild", 2021; "Vision
/// Models Are More Robust And Fair When Pretrained On Uncurated Images Without Supervision", 2022). The widths of the
/// blocks are w₀ + w_a·j, rounded to powers of w_m times w₀ and to multiples of 8. Blocks of the same width form a
/// stage.
struct RegNetY: Trunk {
    let depth: Int
    let w0, wa, wm: Double
    /// The number of channels per group of the 3×3 convolutions.
    let group: Int
    /// The number of blocks of each stage, overriding the number that the widths give.
    private var blocks: [Int]?

    /// Blocks of one width, of which the first has stride 2.
    struct Stage: Equatable {
        let width, blocks: Int
    }

    init(depth: Int, w0: Double, wa: Double, wm: Double, group: Int) { (self.depth, self.w0, self.wa, self.wm, self.group) = (depth, w0, wa, wm, group) }

    var headName: String { "fc" }
    var dropout: Double { 0 }
    func headStart(_ O: Int) -> Parameter.Initialization? { .normal(0.01) }

    func with(blocks: [Int]) -> (any Trunk)? {
        var other = self
        other.blocks = blocks
        return other
    }

    /// Uses torchvision's rounding. ClassyVision's never rounds up to the next multiple of a group, which differs only
    /// for 8GF.
    var stages: [Stage] {
        let widths = (0..<depth).map { block in
            let power = (log((w0 + wa * Double(block)) / w0) / log(wm)).rounded(.toNearestOrEven)
            return 8 * Int((w0 * pow(wm, power) / 8).rounded(.toNearestOrEven))
        }
        var stages: [Stage] = []
        for width in widths {
            let blocks = widths.count { $0 == width }
            if width != (stages.isEmpty ? nil : stages.last?.width) { stages.append(Stage(width: width, blocks: blocks)) }
        }
        return stages.map { stage in
            let divisor = min(group, stage.width), rounded = max(divisor, (2 * stage.width + divisor) / (2 * divisor) * divisor)
            return Stage(width: 10 * rounded < 9 * stage.width ? rounded + divisor : rounded, blocks: stage.blocks)
        }
    }

    func build(_ graph: inout GraphBuilder) -> Int {
        var x = graph.convolution("stem.0", graph.input, 32, kernel: 3, stride: 2)
        x = graph.batchNorm("stem.1", x, .relu)
        let stages = blocks.map { zip(self.stages, $0).map { Stage(width: $0.width, blocks: $1) } } ?? self.stages
        for (index, stage) in stages.enumerated() {
            for block in 0..<stage.blocks {
                x = add(&graph, "trunk_output.block\(index + 1).block\(index + 1)-\(block)", x, stage.width, stride: block == 0 ? 2 : 1)
            }
        }
        return graph.averagePool(x)
    }

    /// 1×1, grouped 3×3, squeeze-excite with a quarter of the block's input width, 1×1.
    private func add(_ graph: inout GraphBuilder, _ name: String, _ x: Int, _ width: Int, stride: Int) -> Int {
        let input = graph.width(x)
        var y = graph.convolution("\(name).f.a.0", x, width, kernel: 1)
        y = graph.batchNorm("\(name).f.a.1", y, .relu)
        y = graph.groupedConvolution("\(name).f.b.0", y, width, kernel: 3, stride: stride, groups: width / min(group, width))
        y = graph.batchNorm("\(name).f.b.1", y, .relu)
        let squeeze = SqueezeExciteLayers(reduce: "\(name).f.se.fc1", expand: "\(name).f.se.fc2", hasBiasOfConvolutions: true)
        y = graph.squeezeExcite("\(name).f.se", y, Int((0.25 * Double(input)).rounded(.toNearestOrEven)), .relu, .sigmoid, squeeze)
        y = graph.convolution("\(name).f.c.0", y, width, kernel: 1)
        var shortcut = x
        if stride != 1 || input != width {
            shortcut = graph.convolution("\(name).proj.0", x, width, kernel: 1, stride: stride)
            shortcut = graph.batchNorm("\(name).proj.1", shortcut)
        }
        return graph.batchNorm("\(name).f.c.1", y, residual: shortcut, .relu)
    }
}
