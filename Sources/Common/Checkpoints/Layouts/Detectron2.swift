import Networks
import ToolSupport

/// The ResNets of facebookresearch/detectron2, as named by its `tools/convert-torchvision-to-d2.py`: `stem.conv1`,
/// `res2` to `res5`, `shortcut`, with each batch norm inside its convolution.
extension Layout {
    static let detectron2 = Layout(name: "detectron2", backbone: "", mark: "stem.conv1.norm.", rename: { detectron2ResNet.ours($0) })

    fileprivate static let detectron2ResNet = Renaming(
        [("stem.conv1", "conv1"), ("stem.conv1.norm", "bn1")]
            + Renaming.blocksOfResNet { stage, block, number in
                let name = "res\(stage + 2).\(block)." + (number.map { "conv\($0 + 1)" } ?? "shortcut")
                return (name, name + ".norm")
            })
}

extension TargetNames {
    /// Without the head, and without batch counts, which its frozen batch norms lack.
    static let detectron2 = TargetNames(
        "detectron2", formats: [.pickle, .torch], keepsHead: false, keepsCounts: false, inside: "model",
        beside: [("__author__", .string("seed \(productVersion)")), ("matching_heuristics", .bool(true))]
    ) { network in
        guard !network.needsSquareImages else { return .none("its padding is not TensorFlow's SAME") }
        guard let shape = ResNetShape(network), shape.hasLargeStem else { return .none("its backbones are ResNets with a 7×7 stem, and others that we do not have") }
        guard network.channels == 3 else { return .none("its images have three channels") }
        var words = "MODEL.RESNETS.DEPTH \(shape.depth), STEM_OUT_CHANNELS \(shape.stem), RES2_OUT_CHANNELS \(shape.outputs[0])"
        if !shape.isBasic { words += ", WIDTH_PER_GROUP \(shape.inner)" }
        words += ", STRIDE_IN_1X1 False; INPUT.FORMAT RGB, MODEL.PIXEL_MEAN \(network.pixels.bytesMean), MODEL.PIXEL_STD \(network.pixels.bytesDeviation)"
        // Res5ROIHeads always builds bottlenecks, whatever the depth.
        if shape.isBasic { words += "; with FPN, for the last stage of C4 is of bottlenecks alone" }
        return .same(Counterpart(renaming: Layout.detectron2ResNet, head: nil, note: words))
    }

    /// open-mmlab/mmdetection: torchvision's names of a ResNet, without its head.
    static let mmdetection = TargetNames("mmdetection", formats: [.torch], keepsHead: false, inside: "state_dict") { network in
        guard !network.needsSquareImages else { return .none("its padding is not TensorFlow's SAME") }
        guard let shape = ResNetShape(network), shape.hasLargeStem else { return .none("its backbones under these names are ResNets with a 7×7 stem") }
        guard shape.isBasic || shape.inner == shape.stem else { return .none("its ResNet has no wider inner convolutions") }
        var words = "init_cfg=dict(type='Pretrained', checkpoint=FILE), depth=\(shape.depth)"
        if shape.stem != 64 { words += ", base_channels=\(shape.stem)" }
        if network.channels != 3 { words += ", in_channels=\(network.channels)" }
        words += ", style='pytorch'; neck.in_channels=[\(shape.outputs.map(String.init).joined(separator: ", "))]"
        words += "; bgr_to_rgb=True, mean=\(network.pixels.bytesMean), std=\(network.pixels.bytesDeviation)"
        return .same(Counterpart(renaming: nil, head: nil, note: words))
    }
}

/// The dimensions of a ResNet, from its tensors.
private struct ResNetShape {
    let depth: Int
    /// The channels of the stem, of the inner convolutions of the first stage, and of the output of each stage.
    let stem, inner: Int
    let outputs: [Int]
    let isBasic, hasLargeStem: Bool

    /// Nil for other networks.
    init?(_ network: Network) {
        let shapes = Dictionary(network.parameters.map { ($0.name, $0.shape) }) { first, _ in first }
        guard let first = shapes["conv1.weight"], let conv1 = shapes["layer1.0.conv1.weight"], let conv2 = shapes["layer1.0.conv2.weight"] else { return nil }
        isBasic = shapes["layer1.0.conv3.weight"] == nil
        (stem, inner, hasLargeStem) = (first[0], conv1[0], first[2] == 7)
        let last = shapes["layer1.0.conv3.weight"] ?? conv2
        outputs = (0..<4).map { last[0] << $0 }
        let blocks = shapes.keys.count { $0.hasPrefix("layer") && $0.hasSuffix(".conv1.weight") }
        depth = 2 + blocks * (isBasic ? 2 : 3)
    }
}

extension Pixels {
    /// The values for bytes, red first: "[123.675, 116.28, 103.53]".
    fileprivate var bytesMean: String { Self.list(mean) }
    fileprivate var bytesDeviation: String { Self.list(deviation) }

    private static func list(_ values: [Float]) -> String {
        let texts = values.map { value in
            var text = Progress.fixed(Double(value) * 255, 3)
            while text.hasSuffix("0") { text.removeLast() }
            return text.hasSuffix(".") ? String(text.dropLast()) : text
        }
        return "[\(texts.joined(separator: ", "))]"
    }
}
