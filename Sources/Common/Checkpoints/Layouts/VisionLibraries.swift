/// VISSL, lightly and Hugging Face.
extension Layout {
    static let visionLibraries = [
        // facebookresearch/vissl: `0.clf.0` is a head's first linear layer.
        Layout(
            name: "VISSL", backbone: "trunk._feature_blocks.", head: [("heads.0.clf.0.", 0), ("heads.1.clf.0.", 2)], mark: "heads.0.clf.0."),
        Layout(name: "VISSL", backbone: "trunk._feature_blocks."),
        Layout(name: "VISSL", backbone: "_feature_blocks."),
        // lightly: `Sequential(*list(resnet.children())[:-1])`, so stages are numbers.
        Layout(name: "lightly", backbone: "backbone.", head: (0..<8).map { (number: Int) in ("projection_head.layers.\(number).", number) }, mark: "backbone.4.0.conv1.", rename: lightlyName),
        Layout(name: "Hugging Face", backbone: "resnet.", mark: "resnet.embedder.", rename: huggingFaceName),
        Layout(name: "Hugging Face", backbone: "", mark: "embedder.embedder.", rename: huggingFaceName),
    ]

    @Sendable private static func lightlyName(_ name: String) -> String? {
        let stages = ["0": "conv1", "1": "bn1", "4": "layer1", "5": "layer2", "6": "layer3", "7": "layer4"]
        guard let dot = name.firstIndex(of: "."), let stage = stages[String(name[..<dot])] else { return nil }
        return stage + name[dot...]
    }

    /// transformers' `ResNetModel`: `encoder.stages.1.layers.0.layer.2.convolution.weight` is `layer2.0.conv3.weight`.
    @Sendable private static func huggingFaceName(_ name: String) -> String? {
        let parts = name.split(separator: ".").map(String.init)
        guard let last = parts.last else { return nil }
        let isNorm = parts.dropLast().last == "normalization"
        if parts.starts(with: ["embedder", "embedder"]) { return (isNorm ? "bn1." : "conv1.") + last }
        guard parts.count >= 7, parts[0] == "encoder", parts[1] == "stages", let stage = Int(parts[2]), parts[3] == "layers", let block = Int(parts[4]) else { return nil }
        let start = "layer\(stage + 1).\(block)."
        if parts[5] == "shortcut" { return start + "downsample.\(isNorm ? 1 : 0)." + last }
        guard parts[5] == "layer", let number = Int(parts[6]) else { return nil }
        return start + "\(isNorm ? "bn" : "conv")\(number + 1)." + last
    }
}
