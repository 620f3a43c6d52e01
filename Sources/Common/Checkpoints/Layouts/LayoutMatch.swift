import Networks
import TensorStreams

/// The tensors of a network in a file of some layout, under torchvision's names.
struct LayoutMatch {
    let layout: String
    /// The beginning of the network's names in the file, without the last dot.
    let prefix: String
    /// Ours by theirs.
    let names: [String: String]
    /// Names in the file that belong to nothing of the network.
    let leftOut: [String]

    /// The layout of a file with these tensors; nil where none is known.
    ///
    /// - Parameter prefix: with which the names of the network begin, where a user has said so.
    init?(_ tensors: [String], prefix: String? = nil) {
        let stems = Network.stems
        var plain: [String: String] = [:]
        for name in tensors { plain[name] = Layout.unwrapped(name) }
        // Two that differ by a wrapper alone stay as they are.
        if Set(plain.values).count < tensors.count { for name in tensors { plain[name] = name } }
        if let prefix {
            let own = tensors.filter { $0.hasPrefix(prefix) }
            guard !own.isEmpty else { return nil }
            self.init("--prefix", prefix, Dictionary(uniqueKeysWithValues: own.map { ($0, String($0.dropFirst(prefix.count))) }), of: tensors)
            return
        }
        let all = Set(plain.values)
        for layout in Layout.all {
            for wrapper in Layout.wrappers {
                let start = wrapper + layout.backbone
                guard layout.mark.map({ mark in all.contains { $0.hasPrefix(wrapper + mark) } }) ?? true else { continue }
                var names: [String: String] = [:]
                for (theirs, name) in plain {
                    if let part = layout.head.first(where: { name.hasPrefix(wrapper + $0.theirs) }) {
                        let rest = name.dropFirst((wrapper + part.theirs).count)
                        names[theirs] = (part.layer.map { "HEAD.\($0)." } ?? "HEAD.") + rest
                    } else if name.hasPrefix(start), let ours = layout.rename(String(name.dropFirst(start.count))) {
                        names[theirs] = ours
                    }
                }
                let own = Set(names.values)
                guard let stem = stems.first(where: own.contains) else { continue }
                // What stands beside the network's own dictionary is another's, as an optimizer's numbers.
                names = names.filter { isOfNetwork($0.value) }
                if names.values.contains(where: { $0.hasPrefix("HEAD.") }) {
                    // The network of which all tensors are there says what its head is called.
                    guard let head = Network.headName(ofTrunk: own) else { continue }
                    for (theirs, ours) in names where ours.hasPrefix("HEAD.") { names[theirs] = head + ours.dropFirst(4) }
                }
                guard Set(names.values).count == names.count else { continue }
                // As the file writes it, with its wrappers.
                let sample = names.first { $0.value == stem }.map { String($0.key.dropLast($0.value.count)) } ?? start
                self.init(layout.name, sample, names, of: tensors)
                return
            }
        }
        return nil
    }

    private init(_ layout: String, _ prefix: String, _ names: [String: String], of tensors: [String]) {
        (self.layout, self.names) = (layout, names)
        self.prefix = prefix.hasSuffix(".") ? String(prefix.dropLast()) : prefix
        leftOut = tensors.filter { names[$0] == nil }.sorted()
    }
}

/// Whether a name may be a network's: not what optimizers, criteria and queues keep beside it in a plain dictionary, nor our own training's.
private func isOfNetwork(_ name: String) -> Bool {
    let others = ["training.", "optimizer.", "optimizer_state_dict.", "scheduler.", "amp.", "queue", "prototypes", "criterion.", "epoch", "predictor.", "projection_head.", "head.", "loss."]
    return !others.contains { name.hasPrefix($0) }
}
