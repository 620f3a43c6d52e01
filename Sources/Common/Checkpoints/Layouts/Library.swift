/// Whose names the tensors of a backbone have, whatever the program that trains it puts before them: DisCo's and BINGO's EfficientNets are timm's, in `encoder_q`.
struct Library: Sendable {
    /// A tensor that no other library has, as its name begins; empty of torchvision's, which are ours.
    let mark: String
    /// What the names of its classifier begin with, where the network's do not tell.
    var head: [String] = []
    let rename: @Sendable (String) -> String?

    static let all = [
        Library(mark: "blocks.0.0.se.", head: ["classifier."], rename: { Layout.timmEfficientNet.ours($0) }),
        // As many blocks in the sixth stage as no other has; MobileNetV2 has three.
        Library(mark: "blocks.5.4.conv_pwl.", head: ["classifier."], rename: { Layout.timmLite1.ours($0) }),
        Library(mark: "blocks.5.3.conv_pwl.", head: ["classifier."], rename: { Layout.timmLite0.ours($0) }),
        Library(mark: "blocks.6.0.conv_pwl.", head: ["classifier."], rename: { Layout.timmMobileNetV2.ours($0) }),
        Library(mark: "s1.b1.conv1.conv.", head: ["head.fc."], rename: { Layout.timmRegNet.ours($0) }),
        Library(mark: "", rename: { $0 }),
    ]
}
