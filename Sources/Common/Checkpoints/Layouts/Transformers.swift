import Layers
import Networks

/// Vision transformers: the names of timm and torch hub, which are ours, and those of Hugging Face.
///
/// When a network is used at another image size than in its training, programs interpolate its position embeddings in
/// different ways, which the tensors do not reveal (``PositionGrid/Interpolation``).
extension Layout {
    static let transformers = [
        Layout(
            name: "DINOv2 with registers", backbone: "", mark: "register_tokens", facts: ["positions": PositionGrid.Interpolation.antialiased.rawValue],
            rename: hubTransformerName),
        Layout(
            name: "DINOv2 with registers", backbone: "backbone.", mark: "backbone.register_tokens", facts: ["positions": PositionGrid.Interpolation.antialiased.rawValue],
            rename: hubTransformerName),
        Layout(name: "DINOv2", backbone: "", mark: "mask_token", facts: ["positions": PositionGrid.Interpolation.offset.rawValue], rename: hubTransformerName),
        Layout(name: "DINOv2", backbone: "backbone.", mark: "backbone.mask_token", facts: ["positions": PositionGrid.Interpolation.offset.rawValue], rename: hubTransformerName),
    ] + ["dinov2_with_registers.", ""].map { (beginning: String) in
        Layout(
            name: "Hugging Face", backbone: beginning, mark: beginning + "embeddings.register_tokens", facts: ["positions": PositionGrid.Interpolation.antialiased.rawValue],
            rename: huggingFaceTransformerName, part: huggingFaceAttention)
    } + ["vit.", "dinov2.", ""].map { (beginning: String) in
        Layout(name: "Hugging Face", backbone: beginning, mark: beginning + "embeddings.patch_embeddings.", rename: huggingFaceTransformerName, part: huggingFaceAttention)
    } + ["reg_token", "head.weight", "head.bias", "blocks.0.ls1.gamma"].map { mark in
        Layout(
            name: "timm", backbone: "", head: [("head.", nil)], mark: mark, facts: ["positions": PositionGrid.Interpolation.antialiased.rawValue],
            rename: { isOfTransformer($0) ? ($0 == "reg_token" ? "register_tokens" : $0) : nil })
    } + [
        Layout(
            name: "DINO", backbone: "", mark: "cls_token", facts: ["positions": PositionGrid.Interpolation.offset.rawValue],
            rename: { isOfTransformer($0) ? $0 : nil }),
    ]

    @Sendable static func isOfTransformer(_ name: String) -> Bool {
        ["cls_token", "pos_embed", "reg_token", "register_tokens"].contains(name) || ["patch_embed.", "blocks.", "norm."].contains { name.hasPrefix($0) }
    }

    /// facebookresearch/dinov2: a network trained in chunks has the chunk number in its names (`blocks.1.7.attn`).
    ///
    /// The second number is the block number.
    @Sendable private static func hubTransformerName(_ name: String) -> String? {
        guard isOfTransformer(name) else { return nil }
        var words = name.split(separator: ".").map(String.init)
        if words.count > 3, words[0] == "blocks", Int(words[1]) != nil, Int(words[2]) != nil { words.remove(at: 1) }
        return words.joined(separator: ".")
    }

    /// transformers' `ViTModel`, `Dinov2Model` and `Dinov2WithRegistersModel`, whose files name the parts of a block
    /// in either of two ways.
    @Sendable private static func huggingFaceTransformerName(_ name: String) -> String? {
        let ends = [
            "embeddings.cls_token": "cls_token", "embeddings.position_embeddings": "pos_embed", "embeddings.register_tokens": "register_tokens",
            "embeddings.patch_embeddings.projection.weight": "patch_embed.proj.weight", "embeddings.patch_embeddings.projection.bias": "patch_embed.proj.bias",
            "layernorm.weight": "norm.weight", "layernorm.bias": "norm.bias",
        ]
        if let ours = ends[name] { return ours }
        guard let (block, layer, last) = huggingFaceLayer(name) else { return nil }
        let layers = [
            "attention.output.dense": "attn.proj", "attention.o_proj": "attn.proj", "norm1": "norm1", "layernorm_before": "norm1", "norm2": "norm2", "layernorm_after": "norm2",
            "mlp.fc1": "mlp.fc1", "intermediate.dense": "mlp.fc1", "mlp.fc2": "mlp.fc2", "output.dense": "mlp.fc2", "layer_scale1": "ls1", "layer_scale2": "ls2",
        ]
        return layers[layer].map { "blocks.\(block).\($0).\(last == "lambda1" ? "gamma" : last)" }
    }

    /// The projections to queries, keys and values are separate layers.
    @Sendable private static func huggingFaceAttention(_ name: String) -> TensorPart? {
        guard let (block, layer, last) = huggingFaceLayer(name) else { return nil }
        let ways = [["attention.attention.query", "attention.attention.key", "attention.attention.value"], ["attention.q_proj", "attention.k_proj", "attention.v_proj"]]
        for names in ways {
            if let index = names.firstIndex(of: layer) { return TensorPart(whole: "blocks.\(block).attn.qkv.\(last)", index: index, count: names.count) }
        }
        return nil
    }

    /// Block, layer and tensor: 3, `attention.output.dense` and `weight` for
    /// `encoder.layer.3.attention.output.dense.weight`.
    private static func huggingFaceLayer(_ name: String) -> (block: Int, layer: String, last: String)? {
        var words = name.split(separator: ".").map(String.init)
        if words.starts(with: ["encoder"]) { words.removeFirst() }
        guard words.count >= 4, ["layer", "layers"].contains(words[0]), let block = Int(words[1]), let last = words.last else { return nil }
        return (block, words[2..<(words.count - 1)].joined(separator: "."), last)
    }
}

extension Layout {
    /// timm's model of a vision transformer, whose names are ours.
    static func timmTransformer(_ network: Network) -> TargetNames.Match {
        let isDINOv2 = network.name.hasPrefix("dinov2-"), words = network.name.split(separator: "-").dropFirst().map(String.init), patch = isDINOv2 ? "14" : words.last ?? ""
        guard isDINOv2 || words.count == 2 else { return .none("it has no known network of the same function") }
        guard !network.parameters.contains(where: { $0.name == "register_tokens" }) else {
            return .none("in its networks with registers the class token has no position embedding, which is a separate tensor here")
        }
        let model = "vit_\(words[0])_patch\(patch)_\(isDINOv2 ? "dinov2" : "224")", size = (network.positions?.side ?? 0) * (Int(patch) ?? 0)
        let classes = network.head.layers.count == 1 ? network.head.widths.first ?? 0 : 0
        return .same(TargetNames.Counterpart(renaming: nil, head: "head", note: "timm.create_model('\(model)', num_classes=\(classes), img_size=\(size), dynamic_img_size=True)"))
    }
}
