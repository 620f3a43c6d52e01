import Networks
import TensorStreams

/// The tensors of a network in a file of some layout, under the names that we give them.
struct LayoutMatch {
    let layout: String
    /// Whether it is of no program in particular.
    let isPlain: Bool
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
        let beginning = prefix ?? "", own = tensors.filter { $0.hasPrefix(beginning) }
        guard !own.isEmpty else { return nil }
        var rest = own.map { String($0.dropFirst(beginning.count)) }
        // The dot behind what a user has said may be left out.
        if prefix != nil, rest.allSatisfy({ $0.hasPrefix(".") }) { rest = rest.map { String($0.dropFirst()) } }
        var plain = Dictionary(uniqueKeysWithValues: zip(own, rest.map(Layout.unwrapped)))
        // Names that a wrapper alone tells apart stay as they are.
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
    /// - Parameter parts: of ``parts``.
    func outlines(of tensors: [TensorOutline], _ parts: TensorParts, path: String) throws -> [TensorOutline] {
        let whole = tensors.compactMap { tensor in names[tensor.name].map { TensorOutline(name: $0, dtype: tensor.dtype, shape: tensor.shape, byteCount: tensor.byteCount) } }
        return whole + (try parts.outlines(of: tensors, path: path))
    }

    /// The same without the tensors whose names, ours, begin with `head`.
    func leavingOut(_ head: String) -> LayoutMatch {
        LayoutMatch(layout, isPlain, facts, networks, prefix, names.filter { !$0.value.hasPrefix(head) }, parts, leftOut + names.filter { $0.value.hasPrefix(head) }.keys.sorted())
    }

    /// Under which beginnings of names a network may lie where none is looked for: those with the most tensors first.
    static func likelyPrefixes(_ tensors: [String]) -> [String] {
        let beginnings = Set(tensors.compactMap { name in Network.stems.first { name.hasSuffix("." + $0) }.map { String(name.dropLast($0.count)) } })
        // Of a file that has one everywhere there is nothing to tell, and counting would take long.
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
            // Of torch.optim.swa_utils.
            "n_averaged",
        ]
        return !others.contains { name.hasPrefix($0) }
    }
}
