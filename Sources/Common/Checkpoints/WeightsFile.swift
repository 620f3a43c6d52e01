public import Networks
public import TensorStreams
import ToolSupport

/// A weights file of any kind and layout: ours, foreign safetensors, NumPy's `.npz`, or a checkpoint of `torch.save`.
public struct WeightsFile {
    public let weights: Weights
    /// The metadata of a safetensors file; empty for other files.
    public let metadata: [String: String]
    /// A description of what was read: "MoCo, state_dict.module.encoder_q: resnet50 with a head of 2048, 128; 161 of
    /// 161 tensors …".
    public let coverage: String
    /// Whether the file contains exactly one network under our names, and nothing else.
    public let isPlain: Bool
    /// The prototypes (K, D) stored next to the network, where they were requested.
    public let prototypes: Tensor?

    /// How to read a file that does not describe itself, or does so wrongly.
    public struct Reading: Sendable {
        /// The expected network; nil for the one that the file names or its tensors fit.
        public var network: String?
        /// The prefix of the network's names; nil for that of a known layout.
        public var prefix: String?
        /// The head: layers, or the name of a paper's head (``Head``).
        ///
        /// Nil takes the one that the file gives or its tensors fit, with rectifiers where these leave room.
        public var head: String?
        /// How bytes are normalised; nil for what the file or its layout says.
        public var pixels: Pixels?
        /// Whether the head is not needed, so that an unknown one may be left out.
        public var needsNoHead = false
        /// Whether to read the prototypes of SwAV too, which are not part of the network.
        public var wantsPrototypes = false

        public init(network: String? = nil, prefix: String? = nil, head: String? = nil, pixels: Pixels? = nil) {
            (self.network, self.prefix, self.head, self.pixels) = (network, prefix, head, pixels)
        }
    }

    /// - Throws: ``Failure`` that lists the missing, unexpected or misshapen tensors. No tensor of the network keeps
    ///   its initial values.
    public init(_ path: String, _ reading: Reading = Reading()) throws {
        let (outline, read) = try Self.open(path)
        guard let match = LayoutMatch(outline.names, prefix: reading.prefix) else { throw Self.unknown(outline, path, reading) }
        do {
            try self.init(path, outline, read, match, reading)
        } catch let failure as Failure where failure.kind == .data && reading.needsNoHead {
            // The name of an unknown head depends on the network.
            for head in Network.headNames {
                if let file = try? Self(path, outline, read, match.leavingOut(head + "."), reading) {
                    self = file
                    return
                }
            }
            throw failure
        }
    }

    private init(_ path: String, _ outline: DocumentOutline, _ read: (Set<String>) throws -> TensorDocument, _ match: LayoutMatch, _ reading: Reading) throws {
        let parts = try TensorParts(match.parts, path: path), outlines = try match.outlines(of: outline.tensors, parts, path: path)
        // The metadata of the file take precedence over the facts of the layout.
        var facts = match.facts.merging(outline.metadata) { $1 }
        if reading.needsNoHead, !outlines.contains(where: { tensor in Network.headNames.contains { tensor.name.hasPrefix($0 + ".") } }) { facts["head"] = nil }
        func network(_ name: String?) throws -> Network {
            try WeightsDocument.network(in: DocumentOutline(metadata: facts, tensors: outlines, path: path), path: path, network: name, hasOwnNames: true)
        }
        if let head = reading.head { facts["head"] = try Self.headText(head, facts, outlines, path: path, network: reading.network) }
        var found = try network(reading.network)
        if reading.network == nil, let own = match.networks[found.name] { found = try network(own) }
        if let pixels = reading.pixels { found.pixels = pixels }
        metadata = outline.metadata
        coverage = Self.coverage(match, found, outlines, isHeadTold: facts["head"] != nil || outline.metadata["network"] != nil)
        let beside = reading.wantsPrototypes ? match.leftOut.first(where: Layout.arePrototypes) : nil
        if reading.wantsPrototypes, beside == nil { throw Failure(.data, path: path, "has no prototypes", remedy: "name a checkpoint of SwAV's training, which holds 'prototypes.weight'") }
        var theirs = try read(Set(match.names.keys).union(match.parts.keys).union(beside.map { [$0] } ?? [])).tensors
        prototypes = beside.flatMap { theirs.removeValue(forKey: $0) }
        var tensors = parts.joined(takingFrom: &theirs)
        for (name, ours) in match.names { tensors[ours] = theirs.removeValue(forKey: name) }
        weights = try WeightsDocument.weights(of: found, takingFrom: &tensors, path: path, prefix: "")
        isPlain = match.parts.isEmpty && match.names.allSatisfy { $0.key == $0.value } && match.leftOut.allSatisfy { $0.hasPrefix(WeightsDocument.trainingPrefix) }
    }

    /// The layers of a head given as layers or by a paper's name.
    ///
    /// A paper's head takes its widths from the network's features and the last layer in the file.
    private static func headText(_ head: String, _ facts: [String: String], _ tensors: [TensorOutline], path: String, network: String?) throws -> String {
        if let layers = Head(text: head) { return layers.text }
        var plain = facts
        plain["head"] = nil
        let found = try WeightsDocument.network(in: DocumentOutline(metadata: plain, tensors: tensors, path: path), path: path, network: network, hasOwnNames: true)
        guard let named = Head.named(head, features: found.featureWidth, embedding: found.head.dimension) else {
            throw Failure(.usage, "--head '\(head.printableLine(limit: 80))' is neither layers nor a paper's head", remedy: Head.remedy(head))
        }
        return named.text
    }

    /// Why a file has no known network.
    private static func unknown(_ outline: DocumentOutline, _ path: String, _ reading: Reading) -> Failure {
        if let prefix = reading.prefix {
            return Failure(.data, path: path, "has no tensor whose name begins with '\(prefix.printableLine(limit: 80))'; it has \(listed(outline.names, quote: "'"))")
        }
        if let (prefix, network) = likely(outline, path) {
            return Failure(
                .data, path: path, "has no network in the usual places; under '\(prefix.printableLine(limit: 120))' there is a \(network.name)",
                remedy: "extract the network with convert-weights --prefix '\(prefix.printableLine(limit: 120))'")
        }
        // The error says what is missing.
        do { _ = try WeightsDocument.network(in: outline, path: path, network: reading.network) } catch { return error as? Failure ?? Failure(.data, path: path, "\(error)") }
        return Failure(.data, path: path, "has no known network")
    }

    /// A network at an unusual place in a file, and its prefix.
    private static func likely(_ outline: DocumentOutline, _ path: String) -> (prefix: String, network: Network)? {
        for prefix in LayoutMatch.likelyPrefixes(outline.names) {
            guard let match = LayoutMatch(outline.names, prefix: prefix), let parts = try? TensorParts(match.parts, path: path),
                let tensors = try? match.outlines(of: outline.tensors, parts, path: path)
            else { continue }
            let found = try? WeightsDocument.network(in: DocumentOutline(metadata: match.facts, tensors: tensors, path: path), path: path, hasOwnNames: true)
            if let found { return (prefix, found) }
        }
        return nil
    }

    /// The kind and the tensors of a file written by torch.save or NumPy, whether or not it contains a network, and a
    /// function that reads some of them; nil for other files.
    public static func foreign(_ path: String) throws -> (kind: String, outline: DocumentOutline, read: (Set<String>) throws -> TensorDocument)? {
        let start = try FileStart.bytes(path) ?? [], kinds = [("file of torch.save", TorchFile.isOne), ("NumPy archive", NumPyFile.isOne)]
        guard let kind = kinds.first(where: { $0.1(start) })?.0 else { return nil }
        let (outline, read) = try open(path)
        return (kind, outline, read)
    }

    private static func open(_ path: String) throws -> (DocumentOutline, (Set<String>) throws -> TensorDocument) {
        // The start of a file that is not regular is unknown, since it can be read only once, from its beginning.
        let seen = try FileStart.bytes(path), start = seen ?? []
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
        let input: TensorInput
        do {
            input = try TensorInput.open(path, limits: .checkpoint, documentLimits: .checkpoint)
        } catch let failure as Failure where seen == nil && failure.remedy == FileKind.toConvert {
            throw Failure(failure.kind, path: failure.path, failure.what, remedy: "it can only be read from a regular file, not from a pipe; name a file")
        }
        switch input {
        case .document(let reader): return (reader.outline, { try reader.read(only: $0) })
        case .stream(let reader): throw Failure(.data, path: reader.name, "is a tensor stream where a single document is expected")
        }
    }

    /// - Parameter isHeadTold: whether the layers of the head without tensors are known. A file that names its
    ///   network was written by these tools, which also describe a head that its tensors do not determine.
    private static func coverage(_ match: LayoutMatch, _ network: Network, _ tensors: [TensorOutline], isHeadTold: Bool) -> String {
        let own = tensors.filter { !$0.name.hasSuffix(".num_batches_tracked") }, values = own.reduce(0) { $0 + $1.shape.reduce(1, *) }
        let expected = network.parameters.count + 2 * network.statistics.count
        let head = network.head.widths.isEmpty ? "without a head" : "with a head of \(network.head.widths.map(String.init).joined(separator: ", "))"
        var text = match.layout + (match.prefix.isEmpty ? "" : ", \(match.prefix.printableLine(limit: 80))")
        // For layouts of papers the head is known.
        let isGuess = match.isPlain && !isHeadTold && network.head.layers.contains(.relu)
        text += ": \(network.name) \(head)\(isGuess ? " and ReLUs between, an assumption that its tensors do not confirm (--head)" : ""); \(own.count) of \(expected) tensors, \(Progress.fixed(Double(values) / 1e6, 1)) M values"
        // The first components identify what is left out.
        var others: [String] = []
        for name in match.leftOut {
            let group = Layout.unwrapped(name).split(separator: ".").prefix(2).joined(separator: ".")
            if !others.contains(group) { others.append(group) }
        }
        if !others.isEmpty { text += "; left out: \(listed(others, quote: ""))" }
        return text
    }
}
