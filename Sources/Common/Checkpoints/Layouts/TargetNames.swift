import Networks

/// How another program wants the tensors of a network named, and in which files. Those of each program stand beside its ``Layout``.
struct TargetNames: Sendable {
    enum Match {
        case same(Counterpart)
        /// Why the program has no network of the same function.
        case none(String)
    }

    /// The same network in the program.
    struct Counterpart {
        /// Nil where layers have our names.
        let renaming: Renaming?
        /// What the head's names begin with; nil where it is left out.
        let head: String?
        /// What its user has to type.
        let note: String?
    }

    let name: String
    let formats: Set<WeightsFormat>
    /// What stands before all names.
    let prefix: String
    let keepsHead: Bool
    /// Whether batch norms have `num_batches_tracked`.
    let keepsCounts: Bool
    /// The key of the dictionary that holds the tensors in a pickle, and what stands beside it; nil where they are all that there is.
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
