import Checkpoints
public import Kernels
public import Networks
public import TensorStreams
import ToolSupport

/// All that the next epoch needs: one document, so that one rename finishes an epoch.
///
/// | tensors                 |                                                            |
/// |-------------------------|------------------------------------------------------------|
/// | torchvision's names     | the student's weights                                      |
/// | `training.momentum.…`   | the optimizer's momenta, under the parameters' names       |
/// | `training.key.…`        | MoCo's momentum encoder                                    |
/// | `training.loss.…`       | what the loss keeps from batch to batch: SEED's queue      |
///
/// Metadata: `network`, `epoch` (finished epochs), `steps` (of the optimizer, in all), `kl` (of the last quarter of the last epoch, where the
/// loss tells its floor and the queue was full), `provenance`.
public struct TrainingState {
    public let weights: Weights
    /// The optimizer's momenta, at the parameters' offsets.
    public let momenta: FloatBuffer
    /// MoCo's second encoder.
    public var keyWeights: Weights?
    /// What the loss left to be kept.
    public var lossState: [String: Tensor]
    /// Epochs finished.
    public var epoch: Int
    /// Steps of the optimizer so far.
    public var steps: Int
    /// The mean of loss − floor over the last quarter of the last epoch.
    public var divergence: Double?
    public var provenance: Provenance

    private static let momentumPrefix = WeightsDocument.trainingPrefix + "momentum."
    private static let keyPrefix = WeightsDocument.trainingPrefix + "key."
    private static let lossPrefix = WeightsDocument.trainingPrefix + "loss."

    /// A network that has not been trained.
    public init(_ weights: Weights, provenance: Provenance) {
        self.weights = weights
        momenta = FloatBuffer(weights.network.parameterCount)
        lossState = [:]
        epoch = 0
        steps = 0
        self.provenance = provenance
    }

    /// Reads a checkpoint, or weights alone, which begin a training.
    public init(reading path: String, network: String? = nil) throws {
        let document = try DocumentFile.read(path) { outline in
            try Self.check(outline, path: path, network: network)
            return nil
        }
        let weights = try WeightsDocument.weights(in: document, path: path, network: network)
        self.init(weights, provenance: Provenance(text: document.metadata["provenance"] ?? ""))
        epoch = document.metadata.count("epoch") ?? 0
        steps = document.metadata.count("steps") ?? 0
        divergence = document.metadata["kl"].flatMap { Double($0) }.flatMap { $0.isFinite ? $0 : nil }
        for (name, tensor) in document.tensors where name.hasPrefix(WeightsDocument.trainingPrefix) {
            if name.hasPrefix(Self.lossPrefix) {
                lossState[String(name.dropFirst(Self.lossPrefix.count))] = tensor
            } else if !name.hasPrefix(Self.momentumPrefix), !name.hasPrefix(Self.keyPrefix) {
                throw Failure(.data, path: path, "holds '\(name)', which no training of this version has")
            }
        }
        if document.tensors.keys.contains(where: { $0.hasPrefix(Self.momentumPrefix) }) {
            for parameter in weights.network.parameters {
                let tensor = try document.tensor(Self.momentumPrefix + parameter.name, .f32, shape: parameter.shape)
                for (i, value) in parameter.native(try tensor.floats()).enumerated() { unsafe momenta.pointer[parameter.offset + i] = value }
            }
        }
        if document.tensors.keys.contains(where: { $0.hasPrefix(Self.keyPrefix) }) {
            keyWeights = try WeightsDocument.weights(in: document, path: path, network: weights.network.name, prefix: Self.keyPrefix)
        }
    }

    /// Throws where a file has other tensors than a checkpoint, before they are read.
    private static func check(_ outline: DocumentOutline, path: String, network: String?) throws {
        _ = try WeightsDocument.names(in: outline, path: path, network: network)
        if outline.tensors.contains(where: { $0.name.hasPrefix(keyPrefix) }) {
            _ = try WeightsDocument.names(in: outline, path: path, network: outline.metadata["network"], prefix: keyPrefix)
        }
        let shapes = outline.shapes
        var state = 0
        for tensor in outline.tensors where tensor.name.hasPrefix(WeightsDocument.trainingPrefix) && !tensor.name.hasPrefix(keyPrefix) {
            if tensor.name.hasPrefix(lossPrefix) {
                state += tensor.byteCount
            } else if !tensor.name.hasPrefix(momentumPrefix) || shapes[String(tensor.name.dropFirst(momentumPrefix.count))] != tensor.shape {
                throw Failure(.data, path: path, "holds '\(tensor.name)' of shape \(tensor.shape), which no training of this version has")
            }
        }
        // It travels to the loss and back as one record.
        guard state <= Limits.standard.documentBytes else {
            throw Failure(.data, path: path, "holds \(state) bytes of the loss, above the limit of \(Limits.standard.documentBytes)")
        }
    }

    /// Whether training can go on from here: no weight, statistic or momentum has overflowed.
    var isFinite: Bool {
        [weights.parameters, weights.statistics, momenta, keyWeights?.parameters, keyWeights?.statistics].allSatisfy { buffer in
            unsafe buffer?.buffer.allSatisfy(\.isFinite) ?? true
        }
    }

    /// The checkpoint.
    public func document() -> TensorDocument {
        var tensors = WeightsDocument.tensors(of: weights)
        let momenta = momenta.array
        for parameter in weights.network.parameters where steps > 0 {
            let values = Array(momenta[parameter.offset..<(parameter.offset + parameter.count)])
            tensors[Self.momentumPrefix + parameter.name] = Tensor(f32: parameter.portable(values), shape: parameter.shape)
        }
        if let keyWeights { tensors.merge(WeightsDocument.tensors(of: keyWeights, prefix: Self.keyPrefix)) { $1 } }
        for (name, tensor) in lossState { tensors[Self.lossPrefix + name] = tensor }
        var metadata = [
            "network": weights.network.name, "epoch": "\(epoch)", "steps": "\(steps)", "provenance": provenance.text,
            "pixels": "RGB / 255, ImageNet's mean and deviation",
        ]
        metadata["kl"] = divergence.map { "\($0)" }
        return TensorDocument(metadata: metadata, tensors: tensors)
    }
}
