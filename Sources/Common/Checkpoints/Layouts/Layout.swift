/// How a program names the tensors of a network in its checkpoints.
///
/// Names are compared without their wrappers: `DataParallel`'s `module.` and compile's `_orig_mod.`, at any position,
/// and the dictionary that contains the names (``wrappers``).
struct Layout: Sendable {
    /// The name of the layout: "MoCo v2".
    let name: String
    /// The prefix of the network's names.
    let backbone: String
    /// The layers of the head: the prefixes of their names, and their numbers in a head of layers (``Head``).
    ///
    /// An entry without a number is the head itself.
    var head: [(theirs: String, layer: Int?)] = []
    /// The prefix of a tensor name that no other layout has; nil where the backbone's prefix is distinctive enough.
    var mark: String?
    /// Properties of the program's networks beyond their tensors, in the form of checkpoint metadata: `pixels`,
    /// `positions`.
    ///
    /// The metadata of the file take precedence.
    var facts: [String: String] = [:]
    /// Networks of this program that have the tensors of another network, by the name of that other network.
    var networks: [String: String] = [:]
    /// Our name of a backbone tensor; the result is nil where there is none.
    ///
    /// If the closure is nil, the backbone has the names of torchvision or of another library (``Library``).
    var rename: (@Sendable (String) -> String?)?
    /// For networks whose program splits one of our tensors: our tensor of which theirs is a part.
    var part: @Sendable (String) -> TensorPart? = { _ in nil }

    /// Dictionaries in which models are saved, in search order.
    static let wrappers = [
        "", "state_dict.", "model.", "state_dict.state_dict.", "model_state_dict.", "network.", "net.", "teacher.", "classy_state_dict.base_model.model.",
        "state_dict.model.", "model.state_dict.", "ema.", "state_dict_ema.", "model_ema.", "student.",
    ] + lightlyTrain

    /// The first match is used, so distinctive layouts come before those with plain names.
    static let all: [Layout] = moco + transformers + [soloLearn, simSiam, seedStudent] + projector + visionLibraries + timm + [detectron2] + swav + [simCLRofSEED, torchvision, student]

    /// Removes the wrappers of other programs from a name.
    static func unwrapped(_ name: String) -> String {
        name.split(separator: ".", omittingEmptySubsequences: false).filter { $0 != "module" && $0 != "_orig_mod" }.joined(separator: ".")
    }
}

/// torchvision's own names, which many others keep: Barlow Twins' and VICReg's `resnet50.pth`, DINO's backbones,
/// converted SimCLR, CompRess, timm's ResNets.
extension Layout {
    static let torchvision = Layout(name: "torchvision's names", backbone: "")
}
