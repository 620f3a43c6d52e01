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
    /// Names in the file that belong to nothing of the network.
    let leftOut: [String]

    /// The layout of a file with these tensors; nil where none is known.
    ///
    /// - Parameter prefix: with which the names of the network begin, where a user has said so.
    init?(_ tensors: [String], prefix: String? = nil) {
        if let prefix {
            let own = tensors.filter { $0.hasPrefix(prefix) }
            guard !own.isEmpty else { return nil }
            self.init(nil, prefix, Dictionary(uniqueKeysWithValues: own.map { ($0, String($0.dropFirst(prefix.count))) }), of: tensors)
            return
        }
        var plain = Dictionary(uniqueKeysWithValues: tensors.map { ($0, Layout.unwrapped($0)) })
        // Names that a wrapper alone tells apart stay as they are.
        if Set(plain.values).count < tensors.count { plain = Dictionary(uniqueKeysWithValues: tensors.map { ($0, $0) }) }
        for layout in Layout.all {
            for wrapper in Layout.wrappers {
                guard let names = layout.names(plain, in: wrapper), let stem = names.first(where: { Network.stems.contains($0.value) }) else { continue }
                self.init(layout, layout.prefix((stem.key, plain[stem.key] ?? stem.key), wrapper), names, of: tensors)
                return
            }
        }
        return nil
    }

    /// - Parameter layout: nil where a user has said what the names begin with.
    private init(_ layout: Layout?, _ prefix: String, _ names: [String: String], of tensors: [String]) {
        (self.layout, self.names) = (layout?.name ?? "--prefix", names)
        (facts, networks) = (layout?.facts ?? [:], layout?.networks ?? [:])
        self.prefix = prefix.hasSuffix(".") ? String(prefix.dropLast()) : prefix
        leftOut = tensors.filter { names[$0] == nil }.sorted()
    }
}

extension Layout {
    /// The tensors of a network in a file of this layout, ours by theirs; nil where it is of another.
    ///
    /// - Parameters:
    ///   - plain: the file's names, each with what it is without ``unwrapped(_:)``'s words.
    ///   - wrapper: the dictionary that holds the model.
    fileprivate func names(_ plain: [String: String], in wrapper: String) -> [String: String]? {
        if let mark, !plain.values.contains(where: { $0.hasPrefix(wrapper + mark) }) { return nil }
        var trunk: [String: String] = [:], layers: [String: String] = [:]
        for (theirs, name) in plain {
            if let part = head.first(where: { name.hasPrefix(wrapper + $0.theirs) }) {
                layers[theirs] = (part.layer.map { "\($0)." } ?? "") + name.dropFirst((wrapper + part.theirs).count)
            } else if name.hasPrefix(wrapper + backbone), let ours = rename(String(name.dropFirst((wrapper + backbone).count))), Self.isOfNetwork(ours) {
                trunk[theirs] = ours
            }
        }
        let own = Set(trunk.values)
        guard own.count == trunk.count, Network.stems.contains(where: own.contains) else { return nil }
        if layers.isEmpty { return trunk }
        // The network of which all tensors are there says what its head is called.
        guard let head = Network.headName(ofTrunk: own) else { return nil }
        let named = layers.mapValues { "\(head).\($0)" }
        guard Set(named.values).count == named.count, own.isDisjoint(with: named.values) else { return nil }
        return trunk.merging(named) { $1 }
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
