import Kernels
import Layers

/// The block of MobileNetV2 and its successors (Sandler et al., "MobileNetV2", CVPR 2018): a 1×1 expansion, a depthwise
/// convolution, optional squeeze-excite and a 1×1 projection. The input is added if the shapes match.
struct InvertedResidual {
    struct Norm {
        let epsilon, momentum: Float
    }

    struct Squeeze {
        let K: Int
        let activation: Activation
        let gate: SqueezeExcite.Gate
    }

    /// The naming scheme of a library for the convolutions and batch norms of a block.
    enum Names {
        /// `NAME.block.0.0`, `NAME.block.0.1`, numbered consecutively: torchvision's MobileNetV3 and EfficientNet.
        case blocks
        /// `NAME.conv.0.0`, `NAME.conv.0.1`, with `NAME.conv.2` and `NAME.conv.3` for the last two: torchvision's
        /// MobileNetV2.
        case mobileNetV2
        /// `NAME._expand_conv`, `NAME._bn0` …: the port of TensorFlow's EfficientNets to PyTorch.
        case tensorFlowPort
        /// All layers in one Sequential `NAME.conv`, with squeeze-excite as linear layers before the activation: SEED's
        /// MobileNetV3.
        case seedMobileNetV3
    }

    let kernel, expanded, out, stride: Int
    let activation: Activation
    let squeeze: Squeeze?
    let norm: Norm
    /// The probability that training drops the block for an image.
    var drop = 0.0
    var names = Names.blocks
    /// The padding; nil for the padding that keeps the size at stride 1.
    var padding: Padding?
}

extension GraphBuilder {
    /// A convolution (`NAME.0`), batch norm (`NAME.1`) and an activation.
    mutating func normalized(
        _ name: String, _ x: Int, _ K: Int, kernel: Int, stride: Int = 1, _ norm: InvertedResidual.Norm, _ activation: Activation
    ) -> Int {
        normalized(("\(name).0", "\(name).1"), x, K, kernel: kernel, stride: stride, norm, activation)
    }

    /// The same, with separate names for both layers.
    mutating func normalized(
        _ names: (convolution: String, norm: String), _ x: Int, _ K: Int, kernel: Int, stride: Int = 1, padding: Padding? = nil, _ norm: InvertedResidual.Norm,
        _ activation: Activation, residual: Int? = nil, drop: Double = 0
    ) -> Int {
        let y = convolution(names.convolution, x, K, kernel: kernel, stride: stride, padding: padding)
        return batchNorm(names.norm, y, residual: residual, activation, epsilon: norm.epsilon, momentum: norm.momentum, drop: drop)
    }

    mutating func add(_ block: InvertedResidual, _ name: String, _ x: Int) -> Int {
        let expands = block.expanded != width(x), adds = block.stride == 1 && width(x) == block.out
        // The index of the depthwise convolution among the parts, and of the last part.
        let own = expands ? 1 : 0, last = own + (block.squeeze == nil ? 1 : 2)
        let expand, window, project: (convolution: String, norm: String), squeeze: String
        var layers: SqueezeExciteLayers?
        switch block.names {
        case .blocks:
            func part(_ number: Int) -> (String, String) { ("\(name).block.\(number).0", "\(name).block.\(number).1") }
            (expand, window, project, squeeze) = (part(0), part(own), part(last), "\(name).block.\(own + 1)")
        case .mobileNetV2:
            func part(_ number: Int) -> (String, String) { ("\(name).conv.\(number).0", "\(name).conv.\(number).1") }
            (expand, window, project, squeeze) = (part(0), part(own), ("\(name).conv.\(last)", "\(name).conv.\(last + 1)"), "")
        case .tensorFlowPort:
            (expand, window, project) = (("\(name)._expand_conv", "\(name)._bn0"), ("\(name)._depthwise_conv", "\(name)._bn1"), ("\(name)._project_conv", "\(name)._bn2"))
            squeeze = "\(name)._se"
            layers = SqueezeExciteLayers(reduce: "\(name)._se_reduce", expand: "\(name)._se_expand", hasBiasOfConvolutions: true)
        case .seedMobileNetV3:
            func part(_ number: Int) -> (String, String) { ("\(name).conv.\(number)", "\(name).conv.\(number + 1)") }
            (expand, window, project) = (part(0), part(expands ? 3 : 0), part(expands ? 7 : 4))
            squeeze = "\(name).conv.\(expands ? 5 : 3)"
            layers = SqueezeExciteLayers(reduce: "\(squeeze).fc.0", expand: "\(squeeze).fc.2", isLinear: true)
        }
        let isActivatedLate = block.names == .seedMobileNetV3 && expands && block.squeeze != nil
        var y = x
        if expands { y = normalized(expand, y, block.expanded, kernel: 1, block.norm, block.activation) }
        y = depthwise(window.convolution, y, kernel: block.kernel, stride: block.stride, padding: block.padding)
        y = batchNorm(window.norm, y, isActivatedLate ? .none : block.activation, epsilon: block.norm.epsilon, momentum: block.norm.momentum)
        if let own = block.squeeze { y = squeezeExcite(squeeze, y, own.K, own.activation, own.gate, layers) }
        if isActivatedLate { y = activation(y, block.activation) }
        return normalized(project, y, block.out, kernel: 1, block.norm, .none, residual: adds ? x : nil, drop: adds ? block.drop : 0)
    }
}
