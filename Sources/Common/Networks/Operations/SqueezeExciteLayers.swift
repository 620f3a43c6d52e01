/// The names, types and initialization of the two layers of a squeeze-excite in a library.
public struct SqueezeExciteLayers: Sendable {
    let reduce, expand: String
    /// Whether they are linear layers, (K, C), instead of 1×1 convolutions, (K, C, 1, 1).
    var isLinear = false
    /// Whether biases are initialized as those of PyTorch's convolutions instead of 0.
    var hasBiasOfConvolutions = false

    /// torchvision's names.
    static func torchvision(_ name: String) -> SqueezeExciteLayers { SqueezeExciteLayers(reduce: name + ".fc1", expand: name + ".fc2") }
}
