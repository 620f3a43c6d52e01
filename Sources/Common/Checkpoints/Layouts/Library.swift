/// The library that names the tensors of a backbone, independently of the prefix that a training program adds: the
/// EfficientNets of DisCo and BINGO are timm's, in `encoder_q`.
struct Library: Sendable {
    /// The prefix of a tensor name that no other library has; empty for torchvision's names, which are ours.
    let mark: String
    /// The prefixes of the classifier's names, where the network does not determine them.
    var head: [String] = []
    let rename: @Sendable (String) -> String?

    static let all = [
        Library(mark: "blocks.0.0.se.", head: ["classifier."], rename: { Layout.timmEfficientNet.ours($0) }),
        // Each has a different number of blocks in the sixth stage; MobileNetV2 has three.
        Library(mark: "blocks.5.4.conv_pwl.", head: ["classifier."], rename: { Layout.timmLite1.ours($0) }),
        Library(mark: "blocks.5.3.conv_pwl.", head: ["classifier."], rename: { Layout.timmLite0.ours($0) }),
        Library(mark: "blocks.6.0.conv_pwl.", head: ["classifier."], rename: { Layout.timmMobileNetV2.ours($0) }),
        Library(mark: "s1.b1.conv1.conv.", head: ["head.fc."], rename: { Layout.timmRegNet.ours($0) }),
        Library(mark: "", rename: { $0 }),
    ]
}
