/// How a program names the tensors of a network in its checkpoints.
///
/// Names are looked at without what wraps them: `DataParallel`'s `module.` and compile's `_orig_mod.` wherever they stand, and the dictionary that holds them
/// (``wrappers``).
struct Layout: Sendable {
    /// "MoCo v2".
    let name: String
    /// What the network's names begin with.
    let backbone: String
    /// The layers of the head: the beginning of their names, and their numbers in a head of layers (``Head``). Without a number: the head itself.
    var head: [(theirs: String, layer: Int?)] = []
    /// A tensor that no other layout has, as its name begins; nil where the backbone's beginning tells enough.
    var mark: String?
    /// What its program's networks are beyond their tensors, as a checkpoint's metadata says it: `pixels`, `positions`. The file's own metadata come before it.
    var facts: [String: String] = [:]
    /// Networks of its program that have the tensors of another one, by the other's name.
    var networks: [String: String] = [:]
    /// The name of a tensor of the backbone under our names; its result is nil where it has none. Without it the backbone has torchvision's names or another library's (``Library``).
    var rename: (@Sendable (String) -> String?)?
    /// Of which of our tensors one of theirs is a part, where they keep apart what we keep as one.
    var part: @Sendable (String) -> TensorPart? = { _ in nil }

    /// Dictionaries that models are saved in, one after the other.
    static let wrappers = [
        "", "state_dict.", "model.", "state_dict.state_dict.", "model_state_dict.", "network.", "net.", "teacher.", "classy_state_dict.base_model.model.",
        "state_dict.model.", "model.state_dict.", "ema.", "state_dict_ema.", "model_ema.", "student.",
    ] + lightlyTrain

    /// The first that fits counts, so those that more names tell come before those of plain names.
    static let all: [Layout] = moco + transformers + [soloLearn, simSiam, seedStudent] + projector + visionLibraries + timm + [detectron2] + swav + [simCLRofSEED, torchvision, student]

    /// What wrappers of other programs make of a name.
    static func unwrapped(_ name: String) -> String {
        name.split(separator: ".", omittingEmptySubsequences: false).filter { $0 != "module" && $0 != "_orig_mod" }.joined(separator: ".")
    }
}

/// torchvision's own names, and of whatever keeps them: Barlow Twins' and VICReg's `resnet50.pth`, DINO's backbones, converted SimCLR, CompRess, timm's ResNets.
extension Layout {
    static let torchvision = Layout(name: "torchvision's names", backbone: "")
}
