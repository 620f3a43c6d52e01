import Layers
public import Networks
import TensorStreams
import ToolSupport

/// Writes a network for another program: under that program's names, in a file that it reads.
///
/// Tensors are created one after the other, so that memory holds no second copy of all weights.
public struct WeightsWriter {
    private let weights: Weights
    private let names: TargetNames
    private let counterpart: TargetNames.Counterpart
    private let format: WeightsFormat
    /// What the user of the program has to type; nil where there is nothing to say.
    public private(set) var note: String?

    /// The programs by name, the default first.
    public static let targets = TargetNames.all.map(\.name)

    /// - Parameters:
    ///   - path: the file, whose extension selects the format.
    ///   - target: the program, one of ``targets``.
    /// - Throws: ``Failure`` `usage` where the program does not read such a file, or has no equivalent network.
    public init(_ weights: Weights, to path: String, names target: String) throws {
        guard let names = TargetNames.all.first(where: { $0.name == target }) else { throw Failure(.usage, "there are no names of '\(target.printableLine(limit: 80))'") }
        format = WeightsFormat(path)
        try Self.check(path, names: target)
        self.weights = names.keepsHead ? weights : weights.withoutHead
        self.names = names
        switch names.match(self.weights.network) {
        case .same(let counterpart): self.counterpart = counterpart
        case .none(let reason): throw Failure(.usage, "\(target) has no \(weights.network.name): \(reason)", remedy: "leave out --names")
        }
        let head = self.weights.network.head
        var notes = counterpart.note.map { ["for \(target): \($0)"] } ?? []
        if format != .safetensors, format != .onnx, !head.isToldByTensors { notes.append("the file does not record the whole head, which is \(head.text)") }
        if [.torch, .pickle].contains(format) { notes += try Self.untold(self.weights.network, tensors(half: false, input: path).map(\.outline.name)) }
        note = notes.isEmpty ? nil : notes.joined(separator: "; ")
    }

    /// Properties of the network that a file of tensors alone does not record, and that its reader would assume to be
    /// different.
    private static func untold(_ network: Network, _ names: [String]) -> [String] {
        let facts = LayoutMatch(names)?.facts ?? [:]
        var notes: [String] = []
        let pixels = facts["pixels"].flatMap { Pixels(text: $0) } ?? .imageNet
        if network.channels == 3, network.pixels != pixels { notes.append("the file does not record how bytes become numbers: \(network.pixels.text) (--mean, --deviation)") }
        if let positions = network.positions, (facts["positions"].flatMap { PositionGrid.Interpolation(rawValue: $0) } ?? .plain) != positions.interpolation {
            notes.append("the file does not record how its position embeddings are resized for other image sizes: \(positions.interpolation.rawValue); *.safetensors does")
        }
        return notes
    }

    /// - Throws: ``Failure`` `usage` where the program `target` does not read files with this extension.
    public static func check(_ path: String, names target: String) throws {
        guard let names = TargetNames.all.first(where: { $0.name == target }), !names.formats.contains(WeightsFormat(path)) else { return }
        let endings = names.formats.map(\.rawValue).sorted().joined(separator: " or ")
        throw Failure(.usage, "--names \(target) goes with \(endings), and '\(path.printableLine(limit: 80))' is a file \(WeightsFormat(path).rawValue)", remedy: "name another file")
    }

    /// - Parameters:
    ///   - half: whether weights are stored in half precision.
    ///   - metadata: for safetensors, the only format that has any.
    ///   - input: the source of the weights, for messages.
    public func write(to path: String, half: Bool, metadata: [String: String], input: String) throws {
        let tensors = try tensors(half: half, input: input)
        switch format {
        case .safetensors:
            var metadata = metadata
            // Metadata of the training rather than of its weights.
            for key in ["head", "objective", "optimizer", "epoch", "steps", "kl", "position"] { metadata[key] = nil }
            // A list of names with another length than the head's width does not name a classifier's classes.
            if metadata.names("classes")?.count != weights.network.head.dimension { metadata["classes"] = nil }
            metadata.merge(WeightsDocument.metadata(of: weights.network)) { $1 }
            try DocumentFile.write(tensors, metadata: metadata, to: path)
        case .torch: try TorchFile.write(tensors, inside: names.key, beside: names.beside, to: path)
        case .pickle: try PickledArrays.write(tensors, inside: names.key, beside: names.beside, to: path)
        case .onnx: throw Failure(.software, "\(path) is of another format")
        }
    }

    private func tensors(half: Bool, input: String) throws -> [DeferredTensor] {
        let network = weights.network
        return try WeightsDocument.deferred(weights).compactMap { tensor in
            guard names.keepsCounts || !tensor.name.hasSuffix(".num_batches_tracked") else { return nil }
            let name: String
            if tensor.name.hasPrefix(network.headName + "."), network.head != .none {
                name = (counterpart.head ?? network.headName) + tensor.name.dropFirst(network.headName.count)
            } else if let renaming = counterpart.renaming {
                guard let theirs = renaming.theirs(tensor.name) else { throw Failure(.software, "\(names.name) has no name for \(network.name)'s '\(tensor.name)'") }
                name = theirs
            } else {
                name = tensor.name
            }
            return (half ? Self.halved(tensor, of: input) : tensor).renamed(names.prefix + name)
        }
    }

    private static func halved(_ tensor: DeferredTensor, of input: String) -> DeferredTensor {
        guard tensor.outline.dtype == .f32 else { return tensor }
        return DeferredTensor(tensor.name, .f16, tensor.outline.shape) {
            let half = try tensor.tensor().converted(to: .f16)
            guard try half.floats().allSatisfy(\.isFinite) else {
                throw Failure(.data, path: input, location: "'\(tensor.name)'", "holds numbers above 65504, which half precision cannot hold", remedy: "leave out --half")
            }
            return half
        }
    }
}
