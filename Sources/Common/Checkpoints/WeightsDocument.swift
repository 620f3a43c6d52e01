public import Kernels
import Layers
public import Networks
public import TensorStreams
import ToolSupport

/// Weights in a safetensors document, under torchvision's names.
///
/// | tensor                                        | shape        |
/// |-----------------------------------------------|--------------|
/// | `layer1.0.conv1.weight`                       | (K, C, R, S) |
/// | `layer1.0.bn1.weight`, `.bias`                | (C)          |
/// | `layer1.0.bn1.running_mean`, `.running_var`   | (C)          |
/// | `layer1.0.bn1.num_batches_tracked`            | () I64       |
/// | `fc.weight`, `fc.bias` or `fc.0.…`, `fc.2.…`  | the head; `classifier.3` in MobileNetV3, `classifier.1` in EfficientNet |
/// | `training.…`                                  | the state for the next epoch of training; not part of the network |
public enum WeightsDocument {
    /// The prefix of tensors that are the state of a training run.
    public static let trainingPrefix = "training."

    /// The tensors of `weights`, with `prefix` before their names.
    public static func tensors(of weights: Weights, prefix: String = "") -> [String: Tensor] {
        var tensors: [String: Tensor] = [:]
        for (name, _, make) in makers(weights) { tensors[prefix + name] = make() }
        return tensors
    }

    /// The same tensors in the order of PyTorch's `state_dict`, each created when it is written.
    static func deferred(_ weights: Weights) -> [DeferredTensor] {
        makers(weights).map { DeferredTensor($0.name, $0.shape == nil ? .i64 : .f32, $0.shape ?? [], make: $0.make) }
    }

    /// The name and shape of each tensor, and the closure that creates it.
    ///
    /// A tensor without a shape is a batch count. The statistics of a batch norm come after its learnt parameters.
    private static func makers(_ weights: Weights) -> [(name: String, shape: [Int]?, make: @Sendable () -> Tensor)] {
        let network = weights.network
        var makers: [(name: String, shape: [Int]?, make: @Sendable () -> Tensor)] = [], numbers: [String: Int] = [:]
        for (index, s) in network.statistics.enumerated() { numbers[s.name] = index }
        func addStatistics(_ index: Int) {
            let s = network.statistics[index]
            makers.append((s.name + ".running_mean", [s.C], { Tensor(f32: weights.running(index).mean, shape: [s.C]) }))
            makers.append((s.name + ".running_var", [s.C], { Tensor(f32: weights.running(index).variance, shape: [s.C]) }))
            makers.append((s.name + ".num_batches_tracked", nil, { Tensor(i64: [Int64(weights.batchesSeen[index])], shape: []) }))
        }
        for (index, parameter) in network.parameters.enumerated() {
            makers.append((parameter.name, parameter.shape, { Tensor(f32: weights.portable(index), shape: parameter.shape) }))
            if parameter.role == .bias, let number = numbers.removeValue(forKey: String(parameter.name.dropLast(5))) { addStatistics(number) }
        }
        // The statistics of batch norms without a bias.
        for index in numbers.values.sorted() { addStatistics(index) }
        return makers
    }

    /// Values for a network's parameters, such as momenta, under the parameter names after `prefix`.
    public static func parameterTensors(_ values: FloatBuffer, of network: Network, prefix: String) -> [String: Tensor] {
        let numbers = values.array
        return Dictionary(uniqueKeysWithValues: network.parameters.map { parameter in
            let values = Array(numbers[parameter.offset..<(parameter.offset + parameter.count)])
            return (prefix + parameter.name, Tensor(f32: parameter.portable(values), shape: parameter.shape))
        })
    }

    /// The metadata that a file needs in addition to the tensors of `network`.
    public static func metadata(of network: Network) -> [String: String] {
        var metadata = ["network": network.name]
        if !network.head.isToldByTensors { metadata["head"] = network.head.text }
        metadata["pixels"] = network.pixels.text
        metadata["positions"] = network.positions?.interpolation.rawValue
        return metadata
    }

    /// The network to which the tensors of a file belong.
    ///
    /// - Parameter hasOwnNames: whether the outline already has our names for the file's tensors, so that a common
    ///   prefix of them is not one of the file.
    public static func network(in outline: DocumentOutline, path: String, network name: String? = nil, prefix: String = "", hasOwnNames: Bool = false) throws -> Network {
        try checkName(name)
        return try identify(own(outline.shapes, prefix), path: path, name: name, outline.metadata, hasOwnNames: hasOwnNames)
    }

    /// - Throws: a failure where the tensors whose names start with `prefix` are not those of `network`.
    public static func check(_ network: Network, in outline: DocumentOutline, path: String, prefix: String) throws {
        try check(network, own(outline.shapes, prefix), path: path, prefix: prefix)
    }

    private static func check(_ network: Network, _ shapes: [String: [Int]], path: String, prefix: String = "") throws {
        let differences = differences(shapes, network)
        guard differences.isEmpty else { throw mismatch(path, network, differences, prefix: prefix) }
    }

    /// The shapes of the network's tensors, by name without the prefix.
    private static func own(_ shapes: [String: [Int]], _ prefix: String) -> [String: [Int]] {
        Dictionary(uniqueKeysWithValues: shapes.filter { isOwn($0.key, prefix) }.map { (String($0.key.dropFirst(prefix.count)), $0.value) })
    }

    /// Whether a tensor of this name belongs to the network whose names start with `prefix`.
    private static func isOwn(_ name: String, _ prefix: String) -> Bool {
        name.hasPrefix(prefix) && (!prefix.isEmpty || !name.hasPrefix(trainingPrefix))
    }

    /// The weights in `document`.
    ///
    /// - Parameters:
    ///   - path: the file's name, for messages.
    ///   - name: the expected network; nil takes the one that the metadata name or the tensors fit.
    ///   - prefix: the prefix of the names.
    /// - Throws: a failure that lists the missing, unexpected and misshapen tensors, by the first names of each.
    public static func weights(in document: TensorDocument, path: String, network name: String? = nil, prefix: String = "") throws -> Weights {
        try checkName(name)
        let network = try identify(own(document.tensors.mapValues(\.shape), prefix), path: path, name: name, document.metadata)
        return try weights(of: network, in: document, path: path, prefix: prefix)
    }

    /// The weights of a given network.
    public static func weights(of network: Network, in document: TensorDocument, path: String, prefix: String) throws -> Weights {
        var own = document.tensors.filter { isOwn($0.key, prefix) }
        return try weights(of: network, takingFrom: &own, path: path, prefix: prefix)
    }

    /// The weights of a given network, read from tensors that are removed one by one, so that unshared memory is
    /// released early.
    ///
    /// - Parameter own: the tensors whose names start with `prefix`. Those of the network are removed.
    static func weights(of network: Network, takingFrom own: inout [String: Tensor], path: String, prefix: String) throws -> Weights {
        try check(network, self.own(own.mapValues(\.shape), prefix), path: path, prefix: prefix)
        let weights = Weights(network)
        func floats(_ key: String) throws -> [Float] {
            guard let tensor = own.removeValue(forKey: prefix + key) else { throw Failure(.data, path: path, "lacks '\(prefix + key)'") }
            guard tensor.dtype.isFloating else {
                throw Failure(.data, path: path, location: "'\(prefix + key)'", "is \(tensor.dtype.rawValue) where floating point numbers are expected")
            }
            let values = try tensor.floats()
            guard values.allSatisfy(\.isFinite) else {
                throw Failure(.data, path: path, location: "'\(prefix + key)'", "holds numbers that are not finite")
            }
            return values
        }
        func count(_ key: String) throws -> Int {
            guard let tensor = own.removeValue(forKey: prefix + key) else { return 0 }
            // The limit is far above the count of any training and far below an overflow.
            guard !tensor.dtype.isFloating, tensor.dtype != .bool, let count = try? tensor.integers().first, (0...(1 << 53)).contains(count) else {
                throw Failure(.data, path: path, location: "'\(prefix + key)'", "is not a count of batches")
            }
            return count
        }
        for parameter in network.parameters {
            weights.set(parameter.native(try floats(parameter.name)), parameterAt: parameter.offset)
        }
        for (index, s) in network.statistics.enumerated() {
            let variances = try floats(s.name + ".running_var")
            guard variances.allSatisfy({ $0 >= 0 }) else {
                throw Failure(.data, path: path, location: "'\(prefix)\(s.name).running_var'", "holds variances below zero")
            }
            weights.set(try floats(s.name + ".running_mean") + variances, statisticsAt: s.offset)
            weights.batchesSeen[index] = try count(s.name + ".num_batches_tracked")
        }
        return weights
    }

    /// - Throws: a failure where `network` takes images with other channels than those of streams.
    public static func checkColours(_ network: Network, path: String) throws {
        guard network.channels != 3 else { return }
        throw Failure(.data, path: path, "takes images of \(network.channels) channel\(network.channels == 1 ? "" : "s") where streams have red, green and blue")
    }

    /// The name of a network, as given by two command-line options.
    ///
    /// - Throws: a failure where `definition` has no network of this name, or is given alone.
    public static func networkName(_ name: String?, by definition: Definition?) throws -> String? {
        guard let definition else { return name }
        guard let name else { throw Failure(.usage, "--definition says whose network --network is; name one") }
        try checkName(definition == .seed && Network.definedBySEED.contains(name) ? nil : name)
        guard let found = Network.name(name, by: definition) else {
            throw Failure(
                .usage, "\(definition == .seed ? "SEED" : "torchvision") has no definition of its own of '\(name.printableLine(limit: 80))'",
                remedy: definition == .seed ? "it has \(Network.definedBySEED.joined(separator: ", ")); leave out --definition for the others" : "leave out --definition")
        }
        return found
    }

    /// Checks a requested name. It comes from the command line, not from the file.
    private static func checkName(_ name: String?) throws {
        guard let name, Network.headName(of: name) == nil else { return }
        throw Failure(.usage, "no network is named '\(name.printableLine(limit: 80))'", remedy: Nearest.remedy(name, among: Network.names, list: "'initialize --help' lists all"))
    }

    /// The network to which tensors of these shapes belong.
    private static func identify(_ shapes: [String: [Int]], path: String, name: String?, _ metadata: [String: String], hasOwnNames: Bool = false) throws -> Network {
        let name = name ?? metadata["network"]
        // Foreign files may have other text there.
        let told = metadata["head"].flatMap { Head(text: $0) }
        // Networks are built with the widths in the file, so their products must not overflow.
        if let (name, shape) = shapes.sorted(by: { $0.key < $1.key }).first(where: { $0.value.contains { $0 > 1 << 24 } }) {
            throw Failure(.data, path: path, "has '\(name.printableLine(limit: 80))' of shape \(shape), which no network has")
        }
        func network(_ name: String) throws -> Network? {
            guard let headName = Network.headName(of: name) else { return nil }
            let head = told ?? Head(of: shapes, name: headName) ?? .none
            guard head.isOfUsualSize() else {
                throw Failure(.data, path: path, "has a head of \(head.widths.prefix(5).map { "\($0)" }.joined(separator: ", ")) numbers, which no network has")
            }
            let stem = Network.stemName(of: name).flatMap { shapes[$0] }, channels = stem.flatMap { $0.count == 4 ? $0[1] : nil } ?? 3
            var positions: PositionTable?
            if let shape = shapes["pos_embed"], shape.count == 3 {
                // Without registers the class token has its own position. Then 9 positions belong to 8 patches, which
                // form no square, rather than to 9 patches.
                let isSquare = shapes["register_tokens"] != nil || PositionTable(count: shape[1])?.hasClass == true
                positions = !isSquare ? nil : PositionTable(count: shape[1], interpolation: metadata["positions"].flatMap { PositionGrid.Interpolation(rawValue: $0) } ?? .plain)
            }
            var network = Network(name, head: head, channels: min(max(1, channels), Network.mostChannels), positions: positions)
            if let pixels = metadata["pixels"].flatMap({ Pixels(text: $0) }), pixels.mean.count == network?.channels { network?.pixels = pixels }
            return network
        }
        if let name {
            guard let network = try network(name) else {
                throw Failure(.data, path: path, "names an unknown network, '\(name.printableLine(limit: 80))'", remedy: Nearest.remedy(name, among: Network.names, list: "'initialize --help' lists all"))
            }
            let differences = differences(shapes, network)
            guard differences.isEmpty else { throw mismatch(path, network, differences, hasOwnNames: hasOwnNames) }
            return network
        }
        let candidates = try Network.names.compactMap(network).map { ($0, differences(shapes, $0)) }
        guard let best = candidates.min(by: { $0.1.count < $1.1.count }) else { throw Failure(.software, "there are no networks") }
        guard best.1.isEmpty else { throw mismatch(path, best.0, best.1, isGuess: true, hasOwnNames: hasOwnNames) }
        return best.0
    }

    /// - Parameters:
    ///   - part: the name prefix of a network that lies beside another in a checkpoint. In that case the network is
    ///     fixed.
    ///   - isGuess: whether the network is only guessed.
    private static func mismatch(_ path: String, _ network: Network, _ differences: Differences, prefix part: String = "", isGuess: Bool = false, hasOwnNames: Bool = false) -> Failure {
        let beginning = hasOwnNames ? nil : differences.prefix
        let expected = network.parameters.count + 2 * network.statistics.count, found = expected - differences.missing.count - differences.misshapen.count
        if isGuess, beginning == nil, 2 * found < expected {
            return Failure(
                .data, path: path, "is not a known network: it has \(found) of the \(expected) tensors of \(network.name), the nearest; \(differences.text(namesAll: false))",
                remedy: "initialize --help names the networks")
        }
        guard part.isEmpty else {
            return Failure(.data, path: path, "its tensors under '\(part)' do not fit: \(differences.text(namesAll: true))", remedy: "give the method's options that it was made with (inspect shows them); if they are right, the file is damaged")
        }
        var failure = Failure(
            .data, path: path,
            "is no \(network.name): \(differences.count) of its names do not fit the \(expected) expected: \(differences.text(namesAll: beginning == nil))",
            remedy: beginning.map { "extract the network with convert-weights --prefix '\($0.printableLine(limit: 120))'" } ?? differences.remedy)
        if beginning == nil { failure.length = Differences.mostText + 1000 }
        return failure
    }

    /// The differences between tensors and a network.
    private struct Differences {
        var missing: [String] = []
        var unexpected: [String] = []
        var misshapen: [(name: String, found: [Int], expected: [Int])] = []
        /// A prefix without which the names would fit.
        var prefix: String?

        var remedy: String {
            if unexpected.isEmpty, misshapen.isEmpty { return "the file is incomplete" }
            if missing.isEmpty, misshapen.isEmpty { return "name the right --network, or remove from the file what is not part of it" }
            return "name the right --network"
        }

        var count: Int { missing.count + unexpected.count + misshapen.count }
        var isEmpty: Bool { count == 0 }

        /// - Parameter namesAll: whether to list every name. For a file that is probably something else, the first
        ///   names suffice.
        func text(namesAll: Bool) -> String {
            let all = { (names: [String]) in namesAll ? Self.all(names) : listed(names) }
            var parts: [String] = []
            if let first = misshapen.first {
                let more = misshapen.count > 1 ? ", and \(all(misshapen.dropFirst().map(\.name))) \(misshapen.count > 2 ? "differ" : "differs") too" : ""
                parts.append("'\(first.name.printableLine(limit: 80))' is \(first.found) where \(first.expected) is expected\(more)")
            }
            if !missing.isEmpty { parts.append("\(all(missing)) \(missing.count > 1 ? "are" : "is") missing") }
            if !unexpected.isEmpty { parts.append("\(all(unexpected)) \(unexpected.count > 1 ? "are" : "is") unexpected") }
            return parts.joined(separator: "; ")
        }

        /// All names, grouped by layer: 'bn1.{bias, weight}'; truncated where there are very many.
        private static func all(_ names: [String]) -> String {
            guard names.count > 4 else { return listed(names) }
            var layers: [(name: String, tensors: [String])] = []
            for name in names {
                let layer = name.lastIndex(of: ".").map { String(name[...$0]) } ?? "", tensor = String(name.dropFirst(layer.count))
                if layers.last?.name == layer { layers[layers.count - 1].tensors.append(tensor) } else { layers.append((layer, [tensor])) }
            }
            var text = "", told = 0
            for layer in layers where text.utf8.count < mostText {
                text += (told > 0 ? ", " : "") + "'\((layer.tensors.count == 1 ? layer.name + layer.tensors[0] : layer.name + "{\(layer.tensors.joined(separator: ", "))}").printableLine(limit: 200))'"
                told += layer.tensors.count
            }
            return text + (told < names.count ? " and \(names.count - told) more" : "")
        }
        static let mostText = 16_000
    }

    /// The differences between tensors of these shapes and `network`; batch counts may be absent.
    private static func differences(_ shapes: [String: [Int]], _ network: Network) -> Differences {
        var expected: [String: [Int]] = [:]
        var optional: Set<String> = []
        for parameter in network.parameters { expected[parameter.name] = parameter.shape }
        for s in network.statistics {
            expected[s.name + ".running_mean"] = [s.C]
            expected[s.name + ".running_var"] = [s.C]
            expected[s.name + ".num_batches_tracked"] = []
            optional.insert(s.name + ".num_batches_tracked")
        }
        var differences = Differences()
        for (key, shape) in expected.sorted(by: { $0.key < $1.key }) {
            if let found = shapes[key] {
                if found != shape { differences.misshapen.append((key, found, shape)) }
            } else if !optional.contains(key) {
                differences.missing.append(key)
            }
        }
        differences.unexpected = shapes.keys.filter { expected[$0] == nil }.sorted()
        let beginning = commonBeginning(differences.unexpected)
        if !beginning.isEmpty, shapes.keys.allSatisfy({ $0.hasPrefix(beginning) }) { differences.prefix = beginning }
        return differences
    }
}

extension Weights {
    fileprivate func set(_ values: [Float], parameterAt offset: Int) {
        for (i, value) in values.enumerated() { unsafe parameters.pointer[offset + i] = value }
    }

    fileprivate func set(_ values: [Float], statisticsAt offset: Int) {
        for (i, value) in values.enumerated() { unsafe statistics.pointer[offset + i] = value }
    }
}
