/// VISSL, lightly and Hugging Face.
extension Layout {
    /// Where lightly-train stores the network: as a whole (`_model`, for timm and DINOv2) or as its children
    /// (`_features`, for torchvision), in the parts that its methods train and in an export of the embedding model.
    ///
    /// Its DINO exports the teacher; for a distilled network it is the student.
    static let lightlyTrain = ["state_dict.embedding_model.", "state_dict.teacher_embedding_model.", "state_dict.student_embedding_model.", ""].flatMap { place in
        ["_model.", "_features."].map { "\(place)wrapped_model.\($0)" }
    }

    static let visionLibraries = [
        // facebookresearch/vissl: `0.clf.0` is the first linear layer of a head.
        Layout(
            name: "VISSL", backbone: "trunk._feature_blocks.", head: [("heads.0.clf.0.", 0), ("heads.1.clf.0.", 2)], mark: "heads.0.clf.0."),
        // VISSL's SwAV and SEER: linear layers, batch norms and rectifiers as in a Sequential, plus prototypes.
        Layout(
            name: "VISSL", backbone: "trunk._feature_blocks.", head: (0..<8).map { (number: Int) in ("heads.0.projection_head.\(number).", number) },
            mark: "heads.0.projection_head.0.", rename: { visslRegNet.ours($0) ?? $0 }),
        Layout(name: "VISSL", backbone: "trunk._feature_blocks.", rename: { visslRegNet.ours($0) ?? $0 }),
        Layout(name: "VISSL", backbone: "_feature_blocks.", rename: { visslRegNet.ours($0) ?? $0 }),
        // lightly: `Sequential(*list(resnet.children())[:-1])`, so stages are numbers. Its DINO has a student and a
        // teacher.
        Layout(name: "lightly", backbone: "backbone.", head: (0..<8).map { (number: Int) in ("projection_head.layers.\(number).", number) }, mark: "backbone.4.0.conv1.", rename: { lightlyResNet.ours($0) }),
        Layout(name: "lightly", backbone: "teacher_backbone.", mark: "teacher_backbone.4.0.conv1.", rename: { lightlyResNet.ours($0) }),
        Layout(name: "lightly", backbone: "", mark: "4.0.conv1.", rename: { lightlyResNet.ours($0) }),
        // The attention of a RegNetY distinguishes it from a ResNet.
        Layout(
            name: "Hugging Face", backbone: "regnet.", head: [("classifier.1.", nil)], mark: "regnet.encoder.stages.0.layers.0.layer.2.attention.", rename: { huggingFaceRegNet.ours($0) }),
        Layout(name: "Hugging Face", backbone: "", mark: "encoder.stages.0.layers.0.layer.2.attention.", rename: { huggingFaceRegNet.ours($0) }),
        Layout(name: "Hugging Face", backbone: "resnet.", head: [("classifier.1.", nil)], mark: "resnet.embedder.", rename: { huggingFaceResNet.ours($0) }),
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

    /// VISSL's RegNetY, which is that of ClassyVision: `res2.block1-0.f.final_bn.weight` is
    /// `trunk_output.block1.block1-0.f.c.1.weight`.
    private static let visslRegNet = Renaming(
        [("conv1.stem.0", "stem.0"), ("conv1.stem.1", "stem.1")]
            + Renaming.blocksOfRegNet { stage, block, layer in
                let name = "res\(stage + 2).block\(stage + 1)-\(block)."
                return switch layer {
                case .shortcut: (name + "proj", name + "bn")
                case .first: (name + "f.a.0", name + "f.a.1")
                case .grouped: (name + "f.b.0", name + "f.b.1")
                case .squeezeExcite: (name + "f.se.excitation.0", name + "f.se.excitation.2")
                case .last: (name + "f.c", name + "f.final_bn")
                }
            })

    /// transformers' `RegNetModel` with layers of type y: `encoder.stages.1.layers.0.layer.3.convolution.weight` is
    /// `trunk_output.block2.block2-0.f.c.0.weight`.
    private static let huggingFaceRegNet = Renaming(
        [("embedder.embedder.convolution", "stem.0"), ("embedder.embedder.normalization", "stem.1")]
            + Renaming.blocksOfRegNet { stage, block, layer in
                let name = "encoder.stages.\(stage).layers.\(block)."
                func pair(_ layer: String) -> (String, String) { ("\(name)\(layer).convolution", "\(name)\(layer).normalization") }
                return switch layer {
                case .shortcut: pair("shortcut")
                case .first: pair("layer.0")
                case .grouped: pair("layer.1")
                case .squeezeExcite: (name + "layer.2.attention.0", name + "layer.2.attention.2")
                case .last: pair("layer.3")
                }
            })
}
