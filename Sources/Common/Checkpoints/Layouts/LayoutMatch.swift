import Networks

/// The tensors of a network in a file of some layout, under the names that we give them.
struct LayoutMatch {
    let layout: String
    /// See ``Layout/facts`` and ``Layout/networks``.
    let facts, networks: [String: String]
    /// What the network's names begin with in the file, without the last dot.
    let prefix: String
    /// Ours by theirs.
    let names: [String: String]
    /// Tensors of theirs that are parts of ours.
    let parts: [String: TensorPart]
    /// Names in the file that belong to nothing of the network.
    let leftOut: [String]

    /// The layout of a file with these tensors; nil where none is known.
    ///
    /// - Parameter prefix: with which the names of the network begin, where a user has said so.
    init?(_ tensors: [String], prefix: String? = nil) {
        if let prefix {
            let own = tensors.filter { $0.hasPrefix(prefix) }
            guard !own.isEmpty else { return nil }
            self.init(nil, prefix, Dictionary(uniqueKeysWithValues: own.map { ($0, String($0.dropFirst(prefix.count))) }), [:], of: tensors)
            return
        }
        var plain = Dictionary(uniqueKeysWithValues: tensors.map { ($0, Layout.unwrapped($0)) })
        // Names that a wrapper alone tells apart stay as they are.
        if Set(plain.values).count < tensors.count { plain = Dictionary(uniqueKeysWithValues: tensors.map { ($0, $0) }) }
        for layout in Layout.all {
            for wrapper in Layout.wrappers {
                guard let (names, parts) = layout.names(plain, in: wrapper), let stem = names.first(where: { Network.stems.contains($0.value) }) else { continue }
                self.init(layout, layout.prefix((stem.key, plain[stem.key] ?? stem.key), wrapper), names, parts, of: tensors)
                return
            }
        }
        return nil
    }

    /// - Parameter layout: nil where a user has said what the names begin with.
    private init(_ layout: Layout?, _ prefix: String, _ names: [String: String], _ parts: [String: TensorPart], of tensors: [String]) {
        (self.layout, self.names, self.parts) = (layout?.name ?? "--prefix", names, parts)
        (facts, networks) = (layout?.facts ?? [:], layout?.networks ?? [:])
        self.prefix = prefix.hasSuffix(".") ? String(prefix.dropLast()) : prefix
        leftOut = tensors.filter { names[$0] == nil && parts[$0] == nil }.sorted()
    }
}

extension Layout {
    /// The tensors of a network in a file of this layout, ours by theirs; nil where it is of another.
    ///
    /// - Parameters:
    ///   - plain: the file's names, each with what it is without ``unwrapped(_:)``'s words.
    ///   - wrapper: the dictionary that holds the model.
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
        // lightly-train trains what is before the classifier alone, which stays as it began.
        if Self.lightlyTrain.contains(wrapper) {
            let head = Network.headName(ofTrunk: own).map { $0 + "." }
            return (trunk.filter { name in head.map { !name.value.hasPrefix($0) } ?? true }, parts)
        }
        if layers.isEmpty { return (trunk, parts) }
        // The network of which all tensors are there says what its head is called.
        guard let head = Network.headName(ofTrunk: own) else { return nil }
        let named = layers.mapValues { "\(head).\($0)" }
        guard Set(named.values).count == named.count, own.isDisjoint(with: named.values) else { return nil }
        return (trunk.merging(named) { $1 }, parts)
    }

    /// What the network's names begin with in the file, with all wrappers.
    ///
    /// - Parameter stem: one of them, and what it is without wrappers.
    fileprivate func prefix(_ stem: (theirs: String, plain: String), _ wrapper: String) -> String {
        let own = stem.plain.dropFirst((wrapper + backbone).count).split(separator: ".").count
        return stem.theirs.split(separator: ".", omittingEmptySubsequences: false).dropLast(own).joined(separator: ".")
    }

    /// Whether a name may be a network's: not what optimizers, criteria and queues keep beside it in a plain dictionary, nor our own training's.
    private static func isOfNetwork(_ name: String) -> Bool {
        let others = [
            "training.", "optimizer.", "optimizer_state_dict.", "scheduler.", "amp.", "queue", "prototypes", "criterion.", "epoch", "predictor.", "projection_head.", "head.", "loss.",
        ]
        return !others.contains { name.hasPrefix($0) }
    }
}
