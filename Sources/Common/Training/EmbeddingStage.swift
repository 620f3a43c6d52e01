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
        /// The head's output as it is: a classifier's.
        case logits

        /// What their tensor is called where nothing else is said.
        public var name: String {
            switch self {
            case .embedding: "teacher"
            case .features: "features"
            case .logits: "logits"
            }
        }
    }

    public let network: Network
    /// Numbers for each image.
    public let dimension: Int
    /// Images in the record embedded last.
    public private(set) var lastCount = 0
    /// Is told of everything that is done for a record.
    public var profile: Profile?
    private let kind: Kind
    private let place: RowPlace
    private let view: Int
    private let weights: Weights
    private var run: InferenceRun?

    /// - Parameters:
    ///   - weights: read from `path`.
    ///   - place: where the rows go; see ``Kind/name`` for what their tensor is called otherwise.
    ///   - view: which view of each image is embedded.
    public init(_ weights: Weights, path: String, kind: Kind, _ place: RowPlace, view: Int = 0) throws {
        self.weights = weights
        network = weights.network
        try WeightsDocument.checkColours(network, path: path)
        self.kind = kind
        self.place = place
        self.view = view
        dimension = kind == .features ? network.featureWidth : network.embeddingWidth
    }

    public func embed(_ record: TensorDocument) throws -> TensorDocument {
        let images = try ImageViews(record, for: network), N = images.N
        guard images.views > view else { throw record.failure("has \(images.views) views of each image where view \(view) is asked for, counted from 0") }
        try place.check(record)
        let run = run.flatMap { $0.height == images.H && $0.width == images.W ? $0 : nil }
            ?? InferenceRun(weights, output: kind == .features ? .features : .embedding, height: images.H, width: images.W, batch: N)
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
        let result = place.put(Tensor(f32: rows, shape: [N, dimension]), into: record)
        lastCount = N
        profile?.lap("L2 normalization")
        profile?.count(images: N)
        return result
    }
}
