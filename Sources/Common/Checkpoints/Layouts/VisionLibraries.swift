/// VISSL, lightly and Hugging Face.
extension Layout {
    static let visionLibraries = [
        // facebookresearch/vissl: `0.clf.0` is a head's first linear layer.
        Layout(
            name: "VISSL", backbone: "trunk._feature_blocks.", head: [("heads.0.clf.0.", 0), ("heads.1.clf.0.", 2)], mark: "heads.0.clf.0."),
        // Its SwAV and SEER: linear layers, batch norms and rectifiers as in a Sequential, prototypes beside them.
        Layout(
            name: "VISSL", backbone: "trunk._feature_blocks.", head: (0..<8).map { (number: Int) in ("heads.0.projection_head.\(number).", number) },
            mark: "heads.0.projection_head.0.", rename: visslName),
        Layout(name: "VISSL", backbone: "trunk._feature_blocks.", rename: visslName),
        Layout(name: "VISSL", backbone: "_feature_blocks.", rename: visslName),
        // lightly: `Sequential(*list(resnet.children())[:-1])`, so stages are numbers.
        Layout(name: "lightly", backbone: "backbone.", head: (0..<8).map { (number: Int) in ("projection_head.layers.\(number).", number) }, mark: "backbone.4.0.conv1.", rename: { lightlyResNet.ours($0) }),
        // A RegNetY's attention tells it from a ResNet.
        Layout(
            name: "Hugging Face", backbone: "regnet.", head: [("classifier.1.", nil)], mark: "regnet.encoder.stages.0.layers.0.layer.2.attention.", rename: huggingFaceRegNetName),
        Layout(name: "Hugging Face", backbone: "", mark: "encoder.stages.0.layers.0.layer.2.attention.", rename: huggingFaceRegNetName),
        Layout(name: "Hugging Face", backbone: "resnet.", mark: "resnet.embedder.", rename: { huggingFaceResNet.ours($0) }),
        Layout(name: "Hugging Face", backbone: "", mark: "embedder.embedder.", rename: { huggingFaceResNet.ours($0) }),
    ]

    private static let lightlyResNet = Renaming(
        [("0", "conv1"), ("1", "bn1")]
            + Renaming.blocksOfResNet { stage, block, number in
                let name = "\(stage + 4).\(block)."
                return number.map { ("\(name)conv\($0 + 1)", "\(name)bn\($0 + 1)") } ?? (name + "downsample.0", name + "downsample.1")
            })

    /// transformers' `ResNetModel`: `encoder.stages.1.layers.0.layer.2.convolution.weight` is `layer2.0.conv3.weight`.
    private static let huggingFaceResNet = Renaming(
        [("embedder.embedder.convolution", "conv1"), ("embedder.embedder.normalization", "bn1")]
            + Renaming.blocksOfResNet { stage, block, number in
                let name = "encoder.stages.\(stage).layers.\(block)." + (number.map { "layer.\($0)" } ?? "shortcut")
                return (name + ".convolution", name + ".normalization")
            })

    /// Numbers of stages in names that may be anything.
    private static let mostStages = 0..<64

    /// VISSL's RegNetY, which is ClassyVision's: `res2.block1-0.f.final_bn.weight` is `trunk_output.block1.block1-0.f.c.1.weight`. Its ResNets have torchvision's names.
    @Sendable private static func visslName(_ name: String) -> String? {
        let stem = "conv1.stem."
        if name.hasPrefix(stem) { return "stem." + name.dropFirst(stem.count) }
        let parts = name.split(separator: ".", maxSplits: 2).map(String.init)
        guard parts.count == 3, parts[0].hasPrefix("res"), let stage = Int(parts[0].dropFirst(3)), mostStages.contains(stage), parts[1].hasPrefix("block") else { return name }
        var own = parts[2]
        for (theirs, ours) in [
            ("proj.", "proj.0."), ("bn.", "proj.1."), ("f.se.excitation.0.", "f.se.fc1."), ("f.se.excitation.2.", "f.se.fc2."), ("f.c.", "f.c.0."), ("f.final_bn.", "f.c.1."),
        ] where own.hasPrefix(theirs) {
            own = ours + own.dropFirst(theirs.count)
            break
        }
        return "trunk_output.block\(stage - 1).\(parts[1]).\(own)"
    }

    /// transformers' `RegNetModel` of layers of type y: `encoder.stages.1.layers.0.layer.3.convolution.weight` is `trunk_output.block2.block2-0.f.c.0.weight`.
    @Sendable private static func huggingFaceRegNetName(_ name: String) -> String? {
        let parts = name.split(separator: ".").map(String.init)
        guard let last = parts.last else { return nil }
        let place = parts.dropLast().last == "normalization" ? 1 : 0
        if parts.starts(with: ["embedder", "embedder"]) { return "stem.\(place).\(last)" }
        guard parts.count >= 7, parts[0] == "encoder", parts[1] == "stages", let stage = Int(parts[2]), mostStages.contains(stage), parts[3] == "layers", let block = Int(parts[4]) else { return nil }
        let start = "trunk_output.block\(stage + 1).block\(stage + 1)-\(block)."
        if parts[5] == "shortcut" { return "\(start)proj.\(place).\(last)" }
        guard parts[5] == "layer" else { return nil }
        switch parts[6] {
        case "0", "1", "3": return "\(start)f.\(parts[6] == "0" ? "a" : parts[6] == "1" ? "b" : "c").\(place).\(last)"
        case "2" where parts.count == 10 && parts[7] == "attention": return "\(start)f.se.\(parts[8] == "0" ? "fc1" : "fc2").\(last)"
        default: return nil
        }
    }
}
