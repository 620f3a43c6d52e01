public import Networks
public import TensorStreams
import ToolSupport

/// A file of weights of whichever kind and layout: ours, others' safetensors, or a checkpoint of `torch.save`.
public struct WeightsFile {
    public let weights: Weights
    /// What a safetensors file says beside its tensors; of others nothing.
    public let metadata: [String: String]
    /// What was taken: "MoCo, state_dict.module.encoder_q: resnet50 with a head of 2048, 128; 161 of 161 tensors …".
    public let coverage: String
    /// Whether the file is one network under the names that we give it, and nothing else.
    public let isPlain: Bool
    /// The prototypes (K, D) that the file holds beside the network, where they were asked for.
    public let prototypes: Tensor?

    /// - Parameters:
    ///   - network: the network it must be; nil for what the file says or its tensors fit.
    ///   - prefix: what the names of the network begin with; nil for what a known layout says.
    ///   - pixels: how bytes become numbers; nil for what the file or its layout says.
    ///   - wantsPrototypes: whether the prototypes of a SwAV, which are no part of the network, are read too.
    /// - Throws: ``Failure`` that names the first tensors that are missing, unexpected or misshapen. No network is left with a tensor of its own beginnings.
    public init(_ path: String, network: String? = nil, prefix: String? = nil, pixels: Pixels? = nil, wantsPrototypes: Bool = false) throws {
        let (outline, read) = try Self.open(path)
        guard let match = LayoutMatch(outline.names, prefix: prefix) else {
            if let prefix { throw Failure(.data, path: path, "has no tensor whose name begins with '\(prefix.printableLine(limit: 80))'; it has \(listed(outline.names, quote: "'"))") }
            // The error says what is missing.
            _ = try WeightsDocument.network(in: outline, path: path, network: network)
            throw Failure(.data, path: path, "has no network that is known")
        }
        let own = outline.tensors.compactMap { tensor in
            match.names[tensor.name].map { TensorOutline(name: $0, dtype: tensor.dtype, shape: tensor.shape, byteCount: tensor.byteCount) }
        }
        // What the layout tells of the network, the file's own metadata may tell better.
        let facts = match.facts.merging(outline.metadata) { $1 }
        let parts = try TensorParts(match.parts, path: path)
        let joined = DocumentOutline(metadata: facts, tensors: own + (try parts.outlines(of: outline.tensors, path: path)), path: path)
        var found = try WeightsDocument.network(in: joined, path: path, network: network)
        if network == nil, let own = match.networks[found.name] { found = try WeightsDocument.network(in: joined, path: path, network: own) }
        if let pixels { found.pixels = pixels }
        metadata = outline.metadata
        coverage = Self.coverage(match, found, joined.tensors)
        let beside = wantsPrototypes ? match.leftOut.first(where: Layout.arePrototypes) : nil
        if wantsPrototypes, beside == nil { throw Failure(.data, path: path, "has no prototypes", remedy: "name a checkpoint of SwAV's training, which holds 'prototypes.weight'") }
        var theirs = try read(Set(match.names.keys).union(match.parts.keys).union(beside.map { [$0] } ?? [])).tensors
        prototypes = beside.flatMap { theirs.removeValue(forKey: $0) }
        var tensors = parts.joined(takingFrom: &theirs)
        for (name, ours) in match.names { tensors[ours] = theirs.removeValue(forKey: name) }
        weights = try WeightsDocument.weights(of: found, takingFrom: &tensors, path: path, prefix: "")
        isPlain = match.parts.isEmpty && match.names.allSatisfy { $0.key == $0.value } && match.leftOut.allSatisfy { $0.hasPrefix(WeightsDocument.trainingPrefix) }
    }

    private static func open(_ path: String) throws -> (DocumentOutline, (Set<String>) throws -> TensorDocument) {
        // Of what is no regular file nothing: it is read once, from its beginning.
        let start = try FileStart.bytes(path) ?? []
        if TorchFile.isOne(start) {
            let file = try TorchFile(path)
            return (file.outline, file.read)
        }
        if NumPyFile.isOne(start) {
            let file = try NumPyFile(path)
            return (file.outline, file.read)
        }
        if start.first == 0x80, let version = start.dropFirst().first, 2...5 ~= version {
            throw Failure(.data, path: path, "is a Python pickle that torch.save did not write", remedy: "save a state_dict with torch.save, or tensors with safetensors")
        }
        switch try TensorInput.open(path, limits: .checkpoint, documentLimits: .checkpoint) {
        case .document(let reader): return (reader.outline, { try reader.read(only: $0) })
        case .stream(let reader): throw Failure(.data, path: reader.name, "is a tensor stream where a single document is expected")
        }
    }

    private static func coverage(_ match: LayoutMatch, _ network: Network, _ tensors: [TensorOutline]) -> String {
        let own = tensors.filter { !$0.name.hasSuffix(".num_batches_tracked") }, values = own.reduce(0) { $0 + $1.shape.reduce(1, *) }
        let expected = network.parameters.count + 2 * network.statistics.count
        let head = network.head.widths.isEmpty ? "without a head" : "with a head of \(network.head.widths.map(String.init).joined(separator: ", "))"
        var text = match.layout + (match.prefix.isEmpty ? "" : ", \(match.prefix.printableLine(limit: 80))")
        text += ": \(network.name) \(head); \(own.count) of \(expected) tensors, \(Progress.fixed(Double(values) / 1e6, 1)) M values"
        // The first word of what is left out is enough to know it by.
        var others: [String] = []
        for name in match.leftOut {
            let group = Layout.unwrapped(name).split(separator: ".").prefix(2).joined(separator: ".")
            if !others.contains(group) { others.append(group) }
        }
        if !others.isEmpty { text += "; left out: \(listed(others, quote: ""))" }
        return text
    }
}
