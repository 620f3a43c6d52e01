import Networks

/// timm's RegNetY, EfficientNets and MobileNetV2: `blocks.STAGE.INDEX.conv_pw`, `bn1`, `conv_dw`, `bn2`, `se`,
/// `conv_pwl`, `bn3`.
///
/// Blocks of the first stage, which do not expand, are `conv_dw`, `bn1`, `se`, `conv_pw`, `bn2`. timm's ResNets have
/// torchvision's names. Its MobileNetV3 has another batch norm epsilon than torchvision's, so it is a different
/// network.
extension Layout {
    /// timm's names have no prefix.
    static let timm = Library.all.filter { !$0.mark.isEmpty }.map { library in
        Layout(name: "timm", backbone: "", head: library.head.map { ($0, nil) }, mark: library.mark, rename: library.rename)
    }

    /// `s2.b1.conv3.bn.weight` is `trunk_output.block2.block2-0.f.c.1.weight`.
    static let timmRegNet = Renaming(
        [("stem.conv", "stem.0"), ("stem.bn", "stem.1")]
            + Renaming.blocksOfRegNet { stage, block, layer in
                let name = "s\(stage + 1).b\(block + 1)."
                return switch layer {
                case .shortcut: (name + "downsample.conv", name + "downsample.bn")
                case .first: (name + "conv1.conv", name + "conv1.bn")
                case .grouped: (name + "conv2.conv", name + "conv2.bn")
                case .squeezeExcite: (name + "se.fc1", name + "se.fc2")
                case .last: (name + "conv3.conv", name + "conv3.bn")
                }
            })

    static let timmEfficientNet = Renaming(
        timmEnds(("features.0.0", "features.0.1"), ("features.8.0", "features.8.1"))
            + (0..<7).flatMap { stage in
                // More blocks than B7 has.
                (0..<32).flatMap { index in
                    timmBlock(stage, index) { part in
                        let block = "features.\(stage + 1).\(index).block.", own = stage == 0 ? 1 : 0
                        return switch part {
                        case .expand: (block + "0.0", block + "0.1")
                        case .depthwise: (block + "\(1 - own).0", block + "\(1 - own).1")
                        case .squeezeExcite: (block + "\(2 - own).fc1", block + "\(2 - own).fc2")
                        case .project: (block + "\(3 - own).0", block + "\(3 - own).1")
                        }
                    }
                }
            })

    /// torchvision numbers the blocks continuously over all stages.
    static let timmMobileNetV2 = Renaming(
        timmEnds(("features.0.0", "features.0.1"), ("features.18.0", "features.18.1"))
            + numbered([1, 2, 3, 4, 3, 3, 1]).flatMap { stage, index, number in
                timmBlock(stage, index) { part in
                    let block = "features.\(number + 1).conv.", own = stage == 0 ? 1 : 0
                    return switch part {
                    case .expand: (block + "0.0", block + "0.1")
                    case .depthwise: (block + "\(1 - own).0", block + "\(1 - own).1")
                    case .squeezeExcite: nil
                    case .project: (block + "\(2 - own)", block + "\(3 - own)")
                    }
                }
            })

    static let timmLite0 = timmLite([1, 2, 2, 3, 3, 4, 1])
    /// Also for Lite2.
    static let timmLite1 = timmLite([1, 3, 3, 4, 4, 5, 1])

    /// For `tf_efficientnet_lite0` and its relatives. timm's `efficientnet_lite0` computes another function with the
    /// same names and shapes; it is read as this one.
    private static func timmLite(_ blocks: [Int]) -> Renaming {
        Renaming(
            timmEnds(("_conv_stem", "_bn0"), ("_conv_head", "_bn1"))
                + numbered(blocks).flatMap { stage, index, number in
                    timmBlock(stage, index) { part in
                        let block = "_blocks.\(number)."
                        return switch part {
                        case .expand: (block + "_expand_conv", block + "_bn0")
                        case .depthwise: (block + "_depthwise_conv", block + "_bn1")
                        case .squeezeExcite: nil
                        case .project: (block + "_project_conv", block + "_bn2")
                        }
                    }
                })
    }

    private enum TimmPart {
        case expand, depthwise, squeezeExcite, project
    }

    /// The layers of a block: for each part, the convolution and its batch norm, or the two convolutions of
    /// squeeze-excite.
    ///
    /// - Parameter ours: our names of a part; nil where the part is absent.
    private static func timmBlock(_ stage: Int, _ index: Int, ours: (TimmPart) -> (String, String)?) -> [(theirs: String, ours: String)] {
        let parts: [(TimmPart, String, String)] = stage == 0
            ? [(.depthwise, "conv_dw", "bn1"), (.squeezeExcite, "se.conv_reduce", "se.conv_expand"), (.project, "conv_pw", "bn2")]
            : [(.expand, "conv_pw", "bn1"), (.depthwise, "conv_dw", "bn2"), (.squeezeExcite, "se.conv_reduce", "se.conv_expand"), (.project, "conv_pwl", "bn3")]
        return parts.flatMap { part, first, second in
            ours(part).map { [("blocks.\(stage).\(index).\(first)", $0.0), ("blocks.\(stage).\(index).\(second)", $0.1)] } ?? []
        }
    }

    /// The first and the last convolution, each with its batch norm.
    private static func timmEnds(_ first: (String, String), _ last: (String, String)) -> [(theirs: String, ours: String)] {
        [("conv_stem", first.0), ("bn1", first.1), ("conv_head", last.0), ("bn2", last.1)]
    }

    /// The stage, the index within the stage, and the overall number of each block, given the number of blocks per
    /// stage.
    private static func numbered(_ blocks: [Int]) -> [(stage: Int, index: Int, number: Int)] {
        blocks.enumerated().flatMap { stage, count in (0..<count).map { (stage, $0, blocks[..<stage].reduce(0, +) + $0) } }
    }

    /// timm's model that computes the same function, with its names and the name of its classifier; nil where there
    /// is none.
    fileprivate static func timmModel(_ network: Network) -> (name: String, renaming: Renaming?, head: String)? {
        switch network.name {
        case "resnet18", "resnet34", "resnet50", "resnet101", "resnet152": (network.name, nil, "fc")
        case "wide-resnet50-2": ("wide_resnet50_2", nil, "fc")
        case "wide-resnet101-2": ("wide_resnet101_2", nil, "fc")
        case "mobilenet-v2": ("mobilenetv2_100", timmMobileNetV2, "classifier")
        case "efficientnet-b0", "efficientnet-b1", "efficientnet-b2", "efficientnet-b3":
            ("efficientnet_" + network.name.suffix(2), timmEfficientNet, "classifier")
        case "efficientnet-lite0": ("tf_efficientnet_lite0", timmLite0, "classifier")
        case "efficientnet-lite1", "efficientnet-lite2": ("tf_efficientnet_" + network.name.suffix(5), timmLite1, "classifier")
        default: nil
        }
    }
}

extension TargetNames {
    /// huggingface/pytorch-image-models.
    static let timm = TargetNames("timm", formats: [.safetensors, .torch]) { network in
        guard let model = Layout.timmModel(network) else {
            if network.name.hasPrefix("mobilenet-v3") { return .none("its MobileNetV3 has 1e-5 for epsilon in its batch norms where this one has 1e-3") }
            if network.name.hasPrefix("resnet50-w") { return .none("it has no ResNet whose stem and block outputs are wider") }
            if network.name.hasPrefix("vit-") || network.name.hasPrefix("dinov2-") { return Layout.timmTransformer(network) }
            return .none("it has no known network of the same function")
        }
        let widths = network.head.widths, classes = network.head.layers.count == 1 ? widths.first ?? 0 : 0
        var note = "timm.create_model('\(model.name)', num_classes=\(classes)"
        if network.channels != 3 { note += ", in_chans=\(network.channels)" }
        note += ")"
        if network.head.layers.count > 1 { note += ", whose \(model.head) is to be a Sequential of \(network.head.text)" }
        return .same(Counterpart(renaming: model.renaming, head: model.head, note: note))
    }
}
