import Checkpoints
import Kernels
import Layers
public import Networks
public import TensorStreams
import ToolSupport

/// Adds a network's embeddings or features to records of images, as `embed` does.
public final class EmbeddingStage {
    public enum Kind: String, Sendable {
        /// The head's output at unit length.
        case embedding
        /// The unnormalised pooled features.
        case features
        /// The unnormalised output of the head, such as a classifier's.
        case logits

        /// The default name of the tensor.
        public var name: String {
            switch self {
            case .embedding: "teacher"
            case .features: "features"
            case .logits: "logits"
            }
        }

        /// The default name of the tensor for `source`: "teacher", or "teacher.1" for a group.
        public func name(of source: Source) -> String {
            if case .group(let group) = source { "\(name).\(group)" } else { name }
        }
    }

    /// The views that are embedded.
    public enum Source: Sendable, Equatable {
        /// One view of each image, counted over all groups of crops: rows (N, D).
        case view(Int)
        /// All views of a group of crops: rows (N, V, D).
        case group(Int)
    }

    /// The mean and deviation by which batch norms normalise.
    public enum Statistics: Sendable {
        /// The running statistics of the network.
        case learnt
        /// The statistics of the images of one view of a record, as in training.
        case batch
    }

    public let network: Network
    /// The number of output values per image.
    public let dimension: Int
    /// The number of images in the last embedded record.
    public private(set) var lastCount = 0
    /// Receives the timing of all work on a record.
    public var profile: Profile?
    private let kind: Kind
    private let parts: [(source: Source, place: RowPlace)]
    /// Without the head where features are requested.
    private let weights: Weights
    private let statistics: Statistics
    /// One run for each image size.
    private var runs: [InferenceRun] = []
    /// One run for each image size and batch size, for batch statistics.
    private var batchRuns: [TrainingRun] = []

    /// - Parameters:
    ///   - weights: read from `path`.
    ///   - parts: the views to embed and where their rows go. A tensor that any part drops is dropped from the
    ///     record.
    ///   - statistics: the statistics for batch norms.
    /// - Throws: ``Failure`` `usage` where batch statistics are requested for a network without batch norm.
    public init(_ weights: Weights, path: String, kind: Kind, _ parts: [(source: Source, place: RowPlace)], statistics: Statistics = .learnt) throws {
        self.weights = statistics == .batch && kind == .features ? weights.withoutHead : weights
        self.statistics = statistics
        if statistics == .batch, self.weights.network.statistics.isEmpty {
            throw Failure(.usage, path: path, "\(weights.network.name) has no batch norm, so there is nothing to normalize by a batch's statistics", remedy: "leave out --batch-statistics")
        }
        network = weights.network
        try WeightsDocument.checkColours(network, path: path)
        self.kind = kind
        self.parts = parts
        dimension = kind == .features ? network.featureWidth : network.embeddingWidth
    }

    /// Creates a stage for one view.
    public convenience init(_ weights: Weights, path: String, kind: Kind, _ place: RowPlace, view: Int = 0) throws {
        try self.init(weights, path: path, kind: kind, [(.view(view), place)])
    }

    /// A hash that identifies the weights of the network.
    public var weightsHash: String {
        var hash = XXH64()
        unsafe hash.update(UnsafeRawBufferPointer(weights.parameters.buffer))
        unsafe hash.update(UnsafeRawBufferPointer(weights.statistics.buffer))
        return hash.text
    }

    public func embed(_ record: TensorDocument) throws -> TensorDocument {
        _ = try record.tensor(ImageViews.name(0), .u8, shape: [nil, nil, nil, nil, 3])
        for part in parts { try part.place.check(record) }
        var result = record
        for part in parts {
            let images: ImageViews, rows: Tensor
            switch part.source {
            case .view(let view):
                let place: (group: Int, view: Int)
                (images, place) = try find(view, in: record)
                rows = try embed(record, images, N: images.N, views: images.views, view: place.view)
            case .group(let group):
                images = try ImageViews(record, group: group, for: network)
                rows = try embedAll(record, images)
            }
            result = part.place.put(rows, into: result)
            lastCount = images.N
        }
        profile?.count(images: lastCount)
        return result
    }

    private func find(_ view: Int, in record: TensorDocument) throws -> (ImageViews, (group: Int, view: Int)) {
        var counts: [Int] = []
        for group in 0..<ImageViews.groupCount(record) {
            counts.append(try record.tensor(ImageViews.name(group), .u8, shape: [nil, nil, nil, nil, 3]).shape[1])
        }
        guard let place = ImageViews.place(of: view, among: counts) else {
            throw record.failure("has \(counts.reduce(0, +)) views of each image where view \(view) is asked for, counted from 0")
        }
        return (try ImageViews(record, group: place.group, for: network), place)
    }

    /// Rows (N, V, D) of all views.
    private func embedAll(_ record: TensorDocument, _ images: ImageViews) throws -> Tensor {
        let (N, V) = (images.N, images.views)
        // In memory, V views of N images look like one view of V·N images. With batch statistics, however, each view
        // is a batch.
        if statistics == .learnt || V == 1 { return try embed(record, images, N: N * V, views: 1, view: 0).reshaped([N, V, dimension]) }
        let views = try (0..<V).map { try embed(record, images, N: N, views: V, view: $0).floats() }
        return Tensor(f32: (0..<N).flatMap { n in views.flatMap { $0[n * dimension..<(n + 1) * dimension] } }, shape: [N, V, dimension])
    }

    /// Rows (N, D) of one view of N images.
    private func embed(_ record: TensorDocument, _ images: ImageViews, N: Int, views: Int, view: Int) throws -> Tensor {
        if statistics == .batch, N == 1 { throw record.failure("has one image, which has no statistics of a batch", remedy: "take larger batches, and augment --drop-last") }
        var rows = [Float](repeating: 0, count: N * dimension)
        unsafe rows.withUnsafeMutableBufferPointer { rows in
            unsafe images.tensor.withElements(as: UInt8.self) { bytes in
                guard let bytes = bytes.baseAddress, let rows = rows.baseAddress else { return }
                switch statistics {
                case .learnt:
                    let run = run(height: images.H, width: images.W, batch: N)
                    profile?.lap("preparation")
                    unsafe run.run(images: bytes, views: views, view: view, N: N, into: rows)
                case .batch:
                    let run = batchRun(height: images.H, width: images.W, N: N)
                    profile?.lap("preparation")
                    unsafe rows.update(from: run.forward(weights, images: bytes, views: views, view: view), count: N * dimension)
                }
            }
        }
        guard rows.allSatisfy(\.isFinite) else {
            throw record.failure("its \(kind.rawValue) holds numbers that are not finite", remedy: "the weights overflow on these images")
        }
        if kind == .embedding { L2Normalization.normalize(&rows, D: dimension) }
        profile?.lap("L2 normalization")
        return Tensor(f32: rows, shape: [N, dimension])
    }

    private func run(height: Int, width: Int, batch: Int) -> InferenceRun {
        let run = kept(in: &runs) { $0.height == height && $0.width == width } orMade: {
            InferenceRun(weights, output: kind == .features ? .features : .embedding, height: height, width: width, batch: batch)
        }
        run.profile = profile
        return run
    }

    private func batchRun(height: Int, width: Int, N: Int) -> TrainingRun {
        let run = kept(in: &batchRuns) { $0.height == height && $0.width == width && $0.N == N } orMade: { TrainingRun(weights.network, N: N, height: height, width: width) }
        run.profile = profile
        return run
    }

    /// A cached run, or a new one.
    ///
    /// Streams have few image sizes. For a stream with many, only the last runs are kept, and the oldest is released
    /// before a new one is made.
    private func kept<Run>(in runs: inout [Run], _ isWanted: (Run) -> Bool, orMade make: () -> Run) -> Run {
        if let run = runs.first(where: isWanted) { return run }
        runs = runs.suffix(Set(parts.map { "\($0.source)" }).count - 1)
        runs.append(make())
        return runs[runs.count - 1]
    }
}
