import Kernels

/// A residual network (He et al. 2016), as torchvision defines it ("v1.5": a bottleneck's stride is in its 3×3
/// convolution) and names its weights.
public struct ResNet: Trunk {
    public enum Block: Sendable {
        /// Two 3×3 convolutions.
        case basic
        /// 1×1, 3×3, 1×1, with four times the width at the output.
        case bottleneck

        var expansion: Int { self == .basic ? 1 : 4 }
    }

    public enum Stem: Sendable {
        /// 7×7 with stride 2, then 3×3 max pooling with stride 2: for images of 64 pixels and more.
        case large
        /// 3×3 with stride 1 and no pooling: for images of about 32 pixels, as in MoCo's CIFAR demonstration.
        case small
    }

    let block: Block
    let depths: [Int]
    /// The number of channels of the stem and the first stage; it doubles with each further stage.
    let width: Int
    let stem: Stem
    /// The width factor of a bottleneck's inner convolutions; its output width is unchanged. Used by torchvision's
    /// `wide_resnet50_2` (Zagoruyko and Komodakis 2016). SimCLR's and SwAV's wide networks are wider everywhere,
    /// including the stem: they use another ``width``.
    var innerFactor = 1
    /// Whether convolutions and pooling use TensorFlow's SAME padding, as BYOL's official weights require.
    var hasSamePadding = false

    private var padding: Padding? { hasSamePadding ? .same : nil }

    var headName: String { "fc" }
    var dropout: Double { 0 }
    func headStart(_ O: Int) -> Parameter.Initialization? { nil }

    func with(blocks: [Int]) -> (any Trunk)? {
        ResNet(block: block, depths: blocks, width: width, stem: stem, innerFactor: innerFactor, hasSamePadding: hasSamePadding)
    }

    /// Appends the trunk to `graph`, up to its pooled features.
    func build(_ graph: inout GraphBuilder) -> Int {
        var x: Int
        switch stem {
        case .large:
            x = graph.convolution("conv1", graph.input, width, kernel: 7, stride: 2, padding: padding)
            x = graph.batchNorm("bn1", x, .relu)
            x = graph.maxPool(x, kernel: 3, stride: 2, padding: padding)
        case .small:
            x = graph.convolution("conv1", graph.input, width, kernel: 3, padding: padding)
            x = graph.batchNorm("bn1", x, .relu)
        }
        for (stage, depth) in depths.enumerated() {
            for index in 0..<depth {
                let stride = stage > 0 && index == 0 ? 2 : 1
                x = add(&graph, "layer\(stage + 1).\(index)", x, width << stage, stride: stride)
            }
        }
        return graph.averagePool(x)
    }

    private func add(_ graph: inout GraphBuilder, _ name: String, _ x: Int, _ planes: Int, stride: Int) -> Int {
        let inner = planes * innerFactor, outer = planes * block.expansion
        var y: Int
        let last: String
        switch block {
        case .basic:
            y = graph.convolution("\(name).conv1", x, inner, kernel: 3, stride: stride, padding: padding)
            y = graph.batchNorm("\(name).bn1", y, .relu)
            y = graph.convolution("\(name).conv2", y, outer, kernel: 3, padding: padding)
            last = "\(name).bn2"
        case .bottleneck:
            y = graph.convolution("\(name).conv1", x, inner, kernel: 1)
            y = graph.batchNorm("\(name).bn1", y, .relu)
            y = graph.convolution("\(name).conv2", y, inner, kernel: 3, stride: stride, padding: padding)
            y = graph.batchNorm("\(name).bn2", y, .relu)
            y = graph.convolution("\(name).conv3", y, outer, kernel: 1)
            last = "\(name).bn3"
        }
        var shortcut = x
        if stride != 1 || graph.width(x) != outer {
            shortcut = graph.convolution("\(name).downsample.0", x, outer, kernel: 1, stride: stride)
            shortcut = graph.batchNorm("\(name).downsample.1", shortcut)
        }
        return graph.batchNorm(last, y, residual: shortcut, .relu)
    }
}
