import Networks

/// The tensor names and file formats that another program expects. Each program's are defined next to its ``Layout``.
struct TargetNames: Sendable {
    enum Match {
        case same(Counterpart)
        /// Why the program has no equivalent network.
        case none(String)
    }

    /// The equivalent network in the program.
    struct Counterpart {
        /// Nil where layers have our names.
        let renaming: Renaming?
        /// The prefix of the head's names; nil where the head is left out.
        let head: String?
        /// What the user of the program has to type.
        let note: String?
    }

    let name: String
    let formats: Set<WeightsFormat>
    /// The prefix of all names.
    let prefix: String
    let keepsHead: Bool
    /// Whether batch norms have `num_batches_tracked`.
    let keepsCounts: Bool
    /// The key of the dictionary that contains the tensors in a pickle, and the other entries at the top level; nil
    /// where the tensors themselves are the top level.
    let key: String?
    let beside: [(key: String, value: PickleWriter.Scalar)]
    let match: @Sendable (Network) -> Match

    init(
        _ name: String, formats: Set<WeightsFormat>, prefix: String = "", keepsHead: Bool = true, keepsCounts: Bool = true, inside key: String? = nil,
        beside: [(String, PickleWriter.Scalar)] = [], match: @escaping @Sendable (Network) -> Match
    ) {
        (self.name, self.formats, self.prefix, self.keepsHead, self.keepsCounts, self.key, self.match) = (name, formats, prefix, keepsHead, keepsCounts, key, match)
        self.beside = beside.map { (key: $0.0, value: $0.1) }
    }

    static let torchvision = TargetNames("torchvision", formats: [.safetensors, .torch, .onnx]) { .same(Counterpart(renaming: nil, head: $0.headName, note: nil)) }

    static let all = [torchvision, timm, seed, detectron2, mmdetection]
}
