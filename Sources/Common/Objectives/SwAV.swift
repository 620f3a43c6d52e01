import Layers
import Losses
public import Networks
import Optimizers
import Platform
public import TensorStreams
import ToolSupport

/// SwAV: the batch's embeddings of each of two large crops are assigned to prototypes in equal shares, and every
/// other crop of an image should predict that assignment.
///
/// Caron et al., "Unsupervised Learning of Visual Features by Contrasting Cluster Assignments", NeurIPS 2020;
/// settings of facebookresearch/swav for batches of 256. The loss is ``SwappedPrediction``.
///
/// As in that code, all crops of one size pass through the trunk as one batch, and all crops pass through the head as
/// one batch. Prototypes are normalised to unit length before each step and are frozen at first. From a given epoch
/// on, earlier embeddings are assigned together with those of the batch. SEER is this method with other settings.
public struct SwAV: Objective {
    public static let name = "swav"
    public static let summary = "predict another view's assignment to prototypes (Caron et al., NeurIPS 2020)"
    public static let inputs = Inputs(views: 2...2, groups: [0...62])
    public static let head = StudentHead.named("swav")
    public static let defaults: TrainingDefaults? = TrainingDefaults(
        .larc, rate: 0.6, weightDecay: 1e-6, .swav, epochs: 200, endShare: 0.001, recipe: "swav", smallestCrop: 0.14,
        crops: [.init(views: 2, scale: 0.14...1), .init(views: 6, size: 96, scale: 0.05...0.14)])

    static let prototypes = MethodOption<Int?>(
        "prototypes", default: nil, defaultText: "\(usualPrototypes), or a tenth of the data set's images if that is less", in: 2...65536, valueName: "K", "Number of prototypes.")
    static let temperature = MethodOption("student-temperature", default: 0.1, in: Temperature.range, "The temperature of the student's logits.")
    static let epsilon = MethodOption("sinkhorn-epsilon", default: 0.05, in: 0.01...100, "The divisor of the scores for their assignment; a smaller one makes it sharper.")
    static let iterations = MethodOption("sinkhorn-iterations", default: 3, in: 1...1000, "Iterations of the assignment.")
    static let queue = MethodOption<Int?>(
        "swav-queue", default: nil, defaultText: "\(usualQueue), or half the data set if that is less", in: 0...1 << 24, valueName: "rows",
        "Earlier embeddings of each large view that are assigned together with the batch's; 0 for none.")
    static let queueEpoch = MethodOption("queue-epoch", default: 15, in: 0...1_000_000, "The epoch, counted from 0, from which on the rows of --swav-queue are kept; they are used once there are that many.")
    static let freeze = MethodOption<Int?>(
        "freeze-prototypes", default: nil, defaultText: "those of an epoch", in: 0...1 << 40, valueName: "steps", "Steps at the beginning in which prototypes are not trained.")
    public static let options: [any AnyMethodOption] = [prototypes, temperature, epsilon, iterations, queue, queueEpoch, freeze]

    private static let usualPrototypes = 3000, usualQueue = 3840, fewestPrototypes = 2
    private static let prototypeSize = SizedOption(
        name: "prototypes", what: "prototypes", published: usualPrototypes, share: "a tenth", usual: { max(fewestPrototypes, min(usualPrototypes, $0 / 10)) },
        tooMany: "most of them get no image")
    private static let queueSize = SizedOption(
        name: "swav-queue", what: "rows in the queue of each large crop", published: usualQueue, share: "half", usual: { min(usualQueue, $0 / 2) },
        tooMany: "each is in it more than once")
    public static let sizedOptions = [prototypeSize, queueSize]

    /// Sets the number of prototypes, if it is not given, to one that suits the size of the data set.
    public static func completed(_ options: MethodOptions, _ header: StreamHeader) throws -> MethodOptions {
        guard options[prototypes] == nil, let samples = header.metadata.count("samples") else { return options }
        return options.setting(prototypes, "\(prototypeSize.usual(samples))")
    }

    private static let modelName = "prototypes"
    public static func models(_ options: MethodOptions) -> [Model] {
        let K = options[prototypes] ?? usualPrototypes
        return [.student, .head(modelName) { _ in Head([.l2Norm, .linear(K, bias: false)]) }]
    }

    private static let large = Pass("large", .group(0), output: .features)
    private static let small = Pass("small", .group(1), output: .features)
    private static let embedding = Pass("embedding", .outputs(of: [large, small]))
    private static let scores = Pass("scores", model: modelName, .output(of: embedding))
    public static func passes(_ options: MethodOptions) -> [Pass] { [large, small, embedding, scores] }

    private let options: MethodOptions
    private let prediction: SwappedPrediction
    private let samples: Int?
    private let frozenSteps: Int
    /// The prototypes (K, D) of this step, if there is a queue.
    private var prototypes: [Float] = []
    /// Earlier embeddings of each large view; empty before any are stored.
    private var queues: [EmbeddingQueue] = []
    private var notes: [String] = []

    public init(_ options: MethodOptions, _ facts: TrainingFacts) throws {
        self.options = options
        samples = facts.samples
        prediction = SwappedPrediction(temperature: options[Self.temperature], epsilon: options[Self.epsilon], iterations: options[Self.iterations])
        let metadata = facts.header.metadata, epochs = max(1, metadata.count("epochs") ?? 1)
        frozenSteps = options[Self.freeze] ?? (metadata.count("records") ?? 0) / epochs
        guard let samples else { return }
        let K = options[Self.prototypes], isUsual = K == Self.prototypeSize.usual(samples)
        notes = [
            Self.prototypeSize.remark(given: isUsual ? nil : K, images: samples, as: "--\(Self.prototypes.name)"),
            options[Self.queue].flatMap { Self.queueSize.remark(given: $0, images: samples, as: "--\(Self.queue.name)") },
        ].compactMap { $0 }
    }

    // MARK: The queue

    private static func name(_ view: Int) -> String { "embeddings.\(view)" }

    public mutating func restore(_ state: [String: Tensor]) throws {
        guard !state.isEmpty else { return }
        let document = TensorDocument(tensors: state)
        for view in 0...1 {
            let queue = try EmbeddingQueue(document, Self.name(view), rows: options[Self.queue], option: Self.queue.name, largest: 1 + Float(NormalizedRowCheck.tolerance))
            if let first = queues.first, (first.capacity, first.dimension) != (queue.capacity, queue.dimension) {
                throw document.failure("has queues of \(first.capacity) rows of \(first.dimension) numbers and of \(queue.capacity) of \(queue.dimension)")
            }
            queues.append(queue)
        }
    }

    public mutating func finish() throws -> [String: Tensor] {
        queues.enumerated().reduce(into: [:]) { $0.merge($1.element.kept(Self.name($1.offset))) { $1 } }
    }

    /// Adds the batch's embeddings of both large views to their queues.
    private mutating func enqueue(_ embeddings: PassOutput, _ batch: Batch) throws {
        let rows = NormalizedRows(embeddings), D = rows.D, V = batch.views[0], large = Array(rows.values.prefix(batch.N * V * D))
        if queues.isEmpty {
            let L = options[Self.queue] ?? Self.queueSize.usual(samples ?? .max)
            guard L > 0 else { return }
            let (bytes, limit) = (8 * L * D, Limits.standard.documentBytes - (1 << 20))
            guard bytes <= limit else {
                throw Failure(.usage, "queues of \(L) rows have \(bytes) bytes, above the limit of \(limit)", remedy: "choose a smaller --\(Self.queue.name)")
            }
            queues = [0, 1].map { _ in EmbeddingQueue(rows: [Float](repeating: 0, count: L * D), dimension: D, position: 0, filled: 0) }
        }
        for view in queues.indices {
            let own = large.rows(ofView: view, among: V, dimension: D)
            unsafe own.withUnsafeBufferPointer { unsafe queues[view].enqueue($0) }
        }
    }

    // MARK: A step

    /// Normalises the prototypes to unit length.
    public mutating func willStep(_ weights: [String: Weights]) throws {
        guard let own = weights[Self.modelName], let matrix = own.network.parameters.first, let D = matrix.shape.last, D > 0 else { return }
        var rows = own.portable(0)
        L2Normalization.normalize(&rows, D: D)
        unsafe rows.withUnsafeBufferPointer { rows in
            if let base = rows.baseAddress { unsafe own.pointer(0).update(from: base, count: rows.count) }
        }
        prototypes = queues.isEmpty ? [] : rows
    }

    public func isFrozen(_ model: String, step: Int) -> Bool { model == Self.modelName && step < frozenSteps }

    public mutating func loss(_ outputs: Outputs, _ batch: Batch) throws -> Loss {
        let scores = outputs[Self.scores], embeddings = outputs[Self.embedding]
        guard scores.values.allSatisfy(\.isFinite) else { return .notFinite }
        if let queue = queues.first, queue.dimension != embeddings.D {
            throw batch.record.failure("gives embeddings of \(embeddings.D) numbers where the queue has rows of \(queue.dimension)", remedy: "begin with the student's weights alone")
        }
        var queued: [[Float]] = []
        if let queue = queues.first, queue.filled == queue.capacity {
            queued = queues.map { SwappedPrediction.scores($0.rows, prototypes: prototypes, dimension: $0.dimension) }
        }
        let result = prediction.evaluate(scores: scores.values, N: batch.N, views: batch.views, prototypes: scores.D, queued: queued)
        if batch.epoch >= options[Self.queueEpoch] { try enqueue(embeddings, batch) }
        return Loss(
            result.loss, gradients: [Self.scores.name: result.gradient],
            metrics: [.uniformLoss(log(Double(scores.D))), .agreement(result.agreement)] + (queues.first.map { [.queueFill($0.realShare)] } ?? []))
    }

    /// Sharper assignments, as the authors advise where the loss stays at ln K.
    public func remedies(_ report: StepReport) -> [String] {
        options[Self.epsilon] > Self.sharpEpsilon ? ["make assignments sharper (--\(Self.epsilon.name) \(Self.sharpEpsilon))"] : []
    }
    private static let sharpEpsilon = 0.03

    public mutating func takeNotes() -> [String] {
        defer { notes = [] }
        return notes
    }
}
