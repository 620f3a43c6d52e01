import Networks
import TensorStreams

/// The tensors of a network in a file of some layout, with our names for them.
struct LayoutMatch {
    let layout: String
    /// Whether the layout belongs to no particular program.
    let isPlain: Bool
    /// See ``Layout/facts`` and ``Layout/networks``.
    let facts, networks: [String: String]
    /// The prefix of the network's names in the file, without the last dot.
    let prefix: String
    /// Our names, by the names in the file.
    let names: [String: String]
    /// The file's tensors that are parts of ours.
    let parts: [String: TensorPart]
    /// Names in the file that do not belong to the network.
    let leftOut: [String]

    /// The layout of a file with these tensors; nil where it is unknown.
    ///
    /// - Parameter prefix: the prefix of the network's names, where a user gave one.
    init?(_ tensors: [String], prefix: String? = nil) {
        let beginning = prefix ?? "", own = tensors.filter { $0.hasPrefix(beginning) }
        guard !own.isEmpty else { return nil }
        var rest = own.map { String($0.dropFirst(beginning.count)) }
        // The dot after a user's prefix may be omitted.
        if prefix != nil, rest.allSatisfy({ $0.hasPrefix(".") }) { rest = rest.map { String($0.dropFirst()) } }
        var plain = Dictionary(uniqueKeysWithValues: zip(own, rest.map(Layout.unwrapped)))
        // Keep names that differ only in a wrapper.
        if Set(plain.values).count < own.count { plain = Dictionary(uniqueKeysWithValues: zip(own, rest)) }
        for layout in Layout.all {
            for wrapper in prefix == nil ? Layout.wrappers : [""] {
                guard let (names, parts) = layout.names(plain, in: wrapper), let stem = names.first(where: { Network.stems.contains($0.value) }) else { continue }
                self.init(layout, prefix ?? layout.prefix((stem.key, plain[stem.key] ?? stem.key), wrapper), names, parts, of: tensors)
                return
            }
        }
        guard let prefix else { return nil }
        self.init(nil, prefix, plain, [:], of: tensors)
    }

    /// The network's tensors under our names.
    ///
    /// - Parameter parts: made of ``parts``.
    func outlines(of tensors: [TensorOutline], _ parts: TensorParts, path: String) throws -> [TensorOutline] {
        let whole = tensors.compactMap { tensor in names[tensor.name].map { TensorOutline(name: $0, dtype: tensor.dtype, shape: tensor.shape, byteCount: tensor.byteCount) } }
        return whole + (try parts.outlines(of: tensors, path: path))
    }

    /// A copy without the tensors whose names (ours) start with `head`.
    func leavingOut(_ head: String) -> LayoutMatch {
        LayoutMatch(layout, isPlain, facts, networks, prefix, names.filter { !$0.value.hasPrefix(head) }, parts, leftOut + names.filter { $0.value.hasPrefix(head) }.keys.sorted())
    }

    /// Prefixes under which a network may lie outside the known places, those with the most tensors first.
    static func likelyPrefixes(_ tensors: [String]) -> [String] {
        let beginnings = Set(tensors.compactMap { name in Network.stems.first { name.hasSuffix("." + $0) }.map { String(name.dropLast($0.count)) } })
        // A file with a network almost everywhere gives no hint, and counting would take long.
        guard beginnings.count <= 8 * mostBeginnings else { return [] }
        let counts = beginnings.map { beginning in (beginning, tensors.count { $0.hasPrefix(beginning) }) }
        return counts.sorted { ($1.1, $0.0) < ($0.1, $1.0) }.prefix(mostBeginnings).map(\.0)
    }
    private static let mostBeginnings = 8

    private init(
        _ layout: String, _ isPlain: Bool, _ facts: [String: String], _ networks: [String: String], _ prefix: String, _ names: [String: String], _ parts: [String: TensorPart], _ leftOut: [String]
    ) {
        (self.layout, self.isPlain, self.facts, self.networks, self.prefix, self.names, self.parts, self.leftOut) = (layout, isPlain, facts, networks, prefix, names, parts, leftOut)
    }

    private init(_ layout: Layout?, _ prefix: String, _ names: [String: String], _ parts: [String: TensorPart], of tensors: [String]) {
        (self.layout, self.names, self.parts) = (layout?.name ?? "--prefix", names, parts)
        isPlain = layout == nil || layout?.name == Layout.torchvision.name
        (facts, networks) = (layout?.facts ?? [:], layout?.networks ?? [:])
        self.prefix = prefix.hasSuffix(".") ? String(prefix.dropLast()) : prefix
        leftOut = tensors.filter { names[$0] == nil && parts[$0] == nil }.sorted()
    }
}

extension Layout {
    /// Our names of the network's tensors, by the names in the file; nil where the file has another layout.
    ///
    /// - Parameters:
    ///   - plain: the file's names, each with its unwrapped form (``unwrapped(_:)``).
    ///   - wrapper: the dictionary that contains the model.
    fileprivate func names(_ plain: [String: String], in wrapper: String) -> (names: [String: String], parts: [String: TensorPart])? {
        if let mark, !plain.values.contains(where: { $0.hasPrefix(wrapper + mark) }) { return nil }
        if let rename { return names(plain, in: wrapper, head, rename) }
        let start = wrapper + backbone
        for library in Library.all where library.mark.isEmpty || plain.values.contains(where: { $0.hasPrefix(start + library.mark) }) {
            if let found = names(plain, in: wrapper, head + library.head.map { (backbone + $0, nil) }, library.rename) { return found }
        }
        return nil
    }

    private func names(
        _ plain: [String: String], in wrapper: String, _ head: [(theirs: String, layer: Int?)], _ rename: (String) -> String?
    ) -> (names: [String: String], parts: [String: TensorPart])? {
        let start = wrapper + backbone, heads = head.map { (start: wrapper + $0.theirs, layer: $0.layer) }
        var trunk: [String: String] = [:], layers: [String: String] = [:], parts: [String: TensorPart] = [:]
        for (theirs, name) in plain {
            if let own = heads.first(where: { name.hasPrefix($0.start) }) {
                layers[theirs] = (own.layer.map { "\($0)." } ?? "") + name.dropFirst(own.start.count)
            } else if name.hasPrefix(start) {
                let own = String(name.dropFirst(start.count))
                if let part = part(own) {
                    parts[theirs] = part
                } else if let ours = rename(own), Self.isOfNetwork(ours) {
                    trunk[theirs] = ours
                }
            }
        }
        let own = Set(trunk.values).union(parts.values.map(\.whole))
        guard Set(trunk.values).isDisjoint(with: parts.values.map(\.whole)), Set(trunk.values).count == trunk.count, Set(parts.values).count == parts.count, Network.stems.contains(where: own.contains) else { return nil }
        // lightly-train trains only the layers before the classifier, which keeps its initial values.
        if Self.lightlyTrain.contains(wrapper) {
            let head = Network.headName(ofTrunk: own).map { $0 + "." }
            return (trunk.filter { name in head.map { !name.value.hasPrefix($0) } ?? true }, parts)
        }
        if layers.isEmpty { return (trunk, parts) }
        // The network whose trunk is complete in the file determines the name of the head.
        guard let head = Network.headName(ofTrunk: own) else { return nil }
        let named = layers.mapValues { "\(head).\($0)" }
        guard Set(named.values).count == named.count, own.isDisjoint(with: named.values) else { return nil }
        return (trunk.merging(named) { $1 }, parts)
    }

    /// The prefix of the network's names in the file, with all wrappers.
    ///
    /// - Parameter stem: one of the names, with and without wrappers.
    fileprivate func prefix(_ stem: (theirs: String, plain: String), _ wrapper: String) -> String {
        let own = stem.plain.dropFirst((wrapper + backbone).count).split(separator: ".").count
        return stem.theirs.split(separator: ".", omittingEmptySubsequences: false).dropLast(own).joined(separator: ".")
    }

    /// Whether a name may belong to a network.
    ///
    /// Excluded are the names of optimizers, criteria and queues in the same plain dictionary, and those of our own
    /// training state.
    private static func isOfNetwork(_ name: String) -> Bool {
        let others = [
            "training.", "optimizer.", "optimizer_state_dict.", "scheduler.", "amp.", "queue", "prototypes", "criterion.", "epoch", "predictor.", "projection_head.", "head.", "loss.",
            // From torch.optim.swa_utils.
            "n_averaged",
        ]
        return !others.contains { name.hasPrefix($0) }
    }
}
