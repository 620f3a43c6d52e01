/// VISSL, lightly and Hugging Face.
extension Layout {
    static let visionLibraries = [
        // facebookresearch/vissl: `0.clf.0` is a head's first linear layer.
        Layout(
            name: "VISSL", backbone: "trunk._feature_blocks.", head: [("heads.0.clf.0.", 0), ("heads.1.clf.0.", 2)], mark: "heads.0.clf.0."),
        Layout(name: "VISSL", backbone: "trunk._feature_blocks."),
        Layout(name: "VISSL", backbone: "_feature_blocks."),
        // lightly: `Sequential(*list(resnet.children())[:-1])`, so stages are numbers.
        Layout(name: "lightly", backbone: "backbone.", head: (0..<8).map { (number: Int) in ("projection_head.layers.\(number).", number) }, mark: "backbone.4.0.conv1.", rename: { lightlyResNet.ours($0) }),
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
}
