/// timm's EfficientNets and MobileNetV2: `blocks.STAGE.INDEX.conv_pw`, `bn1`, `conv_dw`, `bn2`, `se`, `conv_pwl`, `bn3`; blocks of the first stage, which do not expand, are `conv_dw`,
/// `bn1`, `se`, `conv_pw`, `bn2`. Its ResNets have torchvision's names. Its MobileNetV3 has another epsilon in its batch norms than torchvision's, so it is another network.
extension Layout {
    static let timm = [
        Layout(name: "timm", backbone: "", head: [("classifier.", nil)], mark: "blocks.0.0.se.", rename: timmEfficientNetName),
        Layout(name: "timm", backbone: "", head: [("classifier.", nil)], mark: "blocks.6.0.conv_pwl.", rename: timmMobileNetV2Name),
    ]

    /// A tensor of a block: stage, index, the part (0: expand, 1: depthwise, 2: squeeze-excite, 3: project), whether of the batch norm, and the rest of the name.
    private static func timmPart(_ name: String) -> (stage: Int, index: Int, part: Int, isNorm: Bool, rest: String)? {
        let words = name.split(separator: ".").map(String.init)
        guard words.count >= 5, words[0] == "blocks", let stage = Int(words[1]), let index = Int(words[2]) else { return nil }
        let rest = words.dropFirst(4).joined(separator: ".")
        let parts: [String: (Int, Bool)] = stage == 0
            ? ["conv_dw": (1, false), "bn1": (1, true), "se": (2, false), "conv_pw": (3, false), "bn2": (3, true)]
            : ["conv_pw": (0, false), "bn1": (0, true), "conv_dw": (1, false), "bn2": (1, true), "se": (2, false), "conv_pwl": (3, false), "bn3": (3, true)]
        guard let (part, isNorm) = parts[words[3]] else { return nil }
        return (stage, index, part, isNorm, rest)
    }

    @Sendable private static func timmEfficientNetName(_ name: String) -> String? {
        if let ours = timmEnds(name, last: "features.8") { return ours }
        guard let (stage, index, part, isNorm, rest) = timmPart(name) else { return nil }
        let block = "features.\(stage + 1).\(index).block.\(part - (stage == 0 ? 1 : 0))"
        if part == 2 { return "\(block).\(rest.hasPrefix("conv_reduce") ? "fc1" : "fc2").\(rest.split(separator: ".").last ?? "")" }
        return "\(block).\(isNorm ? 1 : 0).\(rest)"
    }

    @Sendable private static func timmMobileNetV2Name(_ name: String) -> String? {
        if let ours = timmEnds(name, last: "features.18") { return ours }
        guard let (stage, index, part, isNorm, rest) = timmPart(name), stage < 7, part != 2 else { return nil }
        // torchvision numbers the blocks of all stages through.
        let number = 1 + [0, 1, 3, 6, 10, 13, 16][stage] + index, place = part == 3 ? 2 : part
        let own = stage == 0 ? place - 1 : place
        return part == 3 ? "features.\(number).conv.\(own + (isNorm ? 1 : 0)).\(rest)" : "features.\(number).conv.\(own).\(isNorm ? 1 : 0).\(rest)"
    }

    /// Of the first convolution and the last one.
    private static func timmEnds(_ name: String, last: String) -> String? {
        for (theirs, ours) in [("conv_stem.", "features.0.0."), ("bn1.", "features.0.1."), ("conv_head.", last + ".0."), ("bn2.", last + ".1.")] where name.hasPrefix(theirs) {
            return ours + name.dropFirst(theirs.count)
        }
        return nil
    }
}
