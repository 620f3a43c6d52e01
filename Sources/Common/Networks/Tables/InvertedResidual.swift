import Kernels
import Layers

/// The block of MobileNetV2 and its heirs (Sandler et al., "MobileNetV2", CVPR 2018): 1×1 to more channels, a window for each channel,
/// perhaps squeeze-excite, 1×1 to fewer channels; and the input is added where the shape allows.
struct InvertedResidual {
    struct Norm {
        let epsilon, momentum: Float
    }

    struct Squeeze {
        let K: Int
        let activation: Activation
        let gate: SqueezeExcite.Gate
    }

    let kernel, expanded, out, stride: Int
    let activation: Activation
    let squeeze: Squeeze?
    let norm: Norm
    /// The probability that training leaves out the block for an image.
    var drop = 0.0
}

extension GraphBuilder {
    /// A convolution (`NAME.0`), batch norm (`NAME.1`) and an activation.
    mutating func normalized(
        _ name: String, _ x: Int, _ K: Int, kernel: Int, stride: Int = 1, _ norm: InvertedResidual.Norm, _ activation: Activation,
        residual: Int? = nil, drop: Double = 0
    ) -> Int {
        let y = convolution("\(name).0", x, K, kernel: kernel, stride: stride)
        return batchNorm("\(name).1", y, residual: residual, activation, epsilon: norm.epsilon, momentum: norm.momentum, drop: drop)
    }

    mutating func add(_ block: InvertedResidual, _ name: String, _ x: Int) -> Int {
        var (y, part) = (x, 0)
        func next() -> String {
            defer { part += 1 }
            return "\(name).block.\(part)"
        }
        if block.expanded != width(x) { y = normalized(next(), y, block.expanded, kernel: 1, block.norm, block.activation) }
        let own = next()
        y = depthwise("\(own).0", y, kernel: block.kernel, stride: block.stride)
        y = batchNorm("\(own).1", y, block.activation, epsilon: block.norm.epsilon, momentum: block.norm.momentum)
        if let squeeze = block.squeeze { y = squeezeExcite(next(), y, squeeze.K, squeeze.activation, squeeze.gate) }
        let adds = block.stride == 1 && width(x) == block.out
        return normalized(next(), y, block.out, kernel: 1, block.norm, .none, residual: adds ? x : nil, drop: adds ? block.drop : 0)
    }
}
