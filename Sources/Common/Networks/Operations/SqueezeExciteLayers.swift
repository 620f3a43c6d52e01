/// How a library names the two layers of a squeeze-excite, what they are, and what they begin with.
public struct SqueezeExciteLayers: Sendable {
    let reduce, expand: String
    /// Linear layers, (K, C), in place of 1×1 convolutions, (K, C, 1, 1).
    var isLinear = false
    /// Whether biases begin as PyTorch's convolutions have them, in place of 0.
    var hasBiasOfConvolutions = false

    /// torchvision's.
    static func torchvision(_ name: String) -> SqueezeExciteLayers { SqueezeExciteLayers(reduce: name + ".fc1", expand: name + ".fc2") }
}
