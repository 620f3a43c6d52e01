import Checkpoints
import Layers
public import Networks
public import TensorStreams
import ToolSupport

/// Adds a network's embeddings or features to records of images, as `embed` does.
public final class EmbeddingStage {
    public enum Kind: String, Sendable {
        /// The head's output at unit length.
        case embedding
        /// The pooled features as they are.
        case features
    }

    public let network: Network
    /// Numbers for each image.
    public let dimension: Int
    /// Images in the record embedded last.
    public private(set) var lastCount = 0
    /// Is told of everything that is done for a record.
    public var profile: Profile?
    private let kind: Kind
    private let name: String
    private let view: Int
    private let drop: Set<String>
    private let weights: Weights
    private var run: InferenceRun?

    /// - Parameters:
    ///   - weights: read from `path`.
    ///   - name: the new tensor's name; nil for `teacher` or `features`.
    ///   - view: which view of each image is embedded.
    ///   - drop: tensors that the output shall not have.
    public init(
        _ weights: Weights, path: String, kind: Kind, name tensor: String? = nil, view: Int = 0, drop: Set<String> = []
    ) throws {
        self.weights = weights
        network = weights.network
        try WeightsDocument.checkColours(network, path: path)
        self.kind = kind
        self.name = tensor ?? (kind == .embedding ? "teacher" : "features")
        self.view = view
        self.drop = drop
        dimension = kind == .embedding ? network.embeddingWidth : network.featureWidth
    }

    public func embed(_ record: TensorDocument) throws -> TensorDocument {
        let images = try ImageViews(record, for: network), N = images.N
        guard images.views > view else { throw record.failure("has \(images.views) views of each image where view \(view) is asked for, counted from 0") }
        guard record.tensors[name] == nil || drop.contains(name) else {
            throw record.failure("has a tensor '\(name)' already", remedy: "name the new one with --as")
        }
        if let missing = drop.filter({ record.tensors[$0] == nil }).min() {
            throw record.failure("has no tensor '\(missing)' to drop; it has \(listed(record.names, quote: ""))")
        }
        let run = run.flatMap { $0.height == images.H && $0.width == images.W ? $0 : nil }
            ?? InferenceRun(weights, output: kind == .embedding ? .embedding : .features, height: images.H, width: images.W, batch: N)
        self.run = run
        run.profile = profile
        profile?.lap("preparation")
        var rows = [Float](repeating: 0, count: N * dimension)
        unsafe rows.withUnsafeMutableBufferPointer { rows in
            unsafe images.tensor.withElements(as: UInt8.self) { bytes in
                if let bytes = bytes.baseAddress, let rows = rows.baseAddress {
                    unsafe run.run(images: bytes, views: images.views, view: view, N: N, into: rows)
                }
            }
        }
        guard rows.allSatisfy(\.isFinite) else {
            throw record.failure("its \(kind.rawValue) holds numbers that are not finite", remedy: "the weights overflow on these images")
        }
        if kind == .embedding { L2Normalization.normalize(&rows, D: dimension) }
        var result = record
        for name in drop { result.tensors[name] = nil }
        result.tensors[name] = Tensor(f32: rows, shape: [N, dimension])
        lastCount = N
        profile?.lap("L2 normalization")
        profile?.count(images: N)
        return result
    }
}
