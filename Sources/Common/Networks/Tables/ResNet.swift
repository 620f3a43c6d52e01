import Kernels

/// A residual network (He et al. 2016), as torchvision defines it ("v1.5": the stride of a bottleneck is in its 3×3
/// convolution) and names its weights.
public struct ResNet: Trunk {
    public enum Block: Sendable {
        /// Two 3×3 convolutions.
        case basic
        /// 1×1, 3×3, 1×1 with four times the width at the end.
        case bottleneck

        var expansion: Int { self == .basic ? 1 : 4 }
    }

    public enum Stem: Sendable {
        /// 7×7 with stride 2, then a 3×3 maximum with stride 2: for images of 64 and more.
        case large
        /// 3×3 with stride 1 and no pooling: for images of 32 or so, as in MoCo's CIFAR demonstration.
        case small
    }

    let block: Block
    let depths: [Int]
    /// Channels of the stem and of the first stage; each further stage has twice as many.
    let width: Int
    let stem: Stem
    /// How many times as wide as usual a bottleneck's inner convolutions are, what it gives being as usual: torchvision's `wide_resnet50_2`
    /// (Zagoruyko and Komodakis 2016). SimCLR's and SwAV's wide networks are wider everywhere, their stem too: they have another ``width``.
    var innerFactor = 1
    /// TensorFlow's SAME padding of convolutions and pooling: BYOL's official weights are of such.
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
