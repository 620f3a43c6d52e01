import Losses
import Optimizers
import Platform
import Randomness
import TensorStreams
import ToolSupport

/// Common parts of both forms of CompRess: the student's similarities to a memory of anchors should have the same
/// distribution as the teacher's similarities to its own memory.
///
///     L = mean of KL(softmax(t̂·M_tᵀ/T) ‖ softmax(ŝ·M_sᵀ/T))
///
/// Koohpayegani, Tejankar and Pirsiavash, "CompRess: Self-Supervised Learning by Compressing Representations",
/// NeurIPS 2020; settings of UMBCvision/CompRess. The loss uses the memory before the batch enters it.
enum CompRess {
    static let anchors = MethodOption<Int?>(
        "queue-size", default: nil, defaultText: "that of the checkpoint; else 128000, or the data set's images if these are fewer", in: 1...1 << 28, valueName: "K",
        "Rows in the queue.")
    static let temperature = MethodOption("student-temperature", default: 0.04, in: Temperature.range, "The temperature of the student's logits.")
    static let usual = 128_000
    /// Default number of rows of a queue.
    static func rows(images: Int) -> Int { min(usual, images) }
    static let size = SizedOption(name: anchors.name, what: "anchors", published: usual, share: "one for each", usual: rows, tooMany: "some are in the queue more than once")
    static let defaults = TrainingDefaults(
        .sgd, rate: 0.01, weightDecay: 1e-4, .steps, epochs: 130, milestones: [90, 120], factor: 0.2, recipe: "linear-train", smallestCrop: 0.08)
}

/// CompRess's memory: one queue, or two that are filled in parallel.
struct AnchorMemory {
    /// Queues by name: the teacher's rows and, with two queues, the student's.
    private var queues: [String: EmbeddingQueue] = [:]
    private let given: Int?
    private let samples: Int?
    private let seed: UInt64
    private(set) var notes: [String] = []

    init(_ given: Int?, _ facts: TrainingFacts) {
        self.given = given
        (samples, seed) = (facts.samples, facts.seed)
        if let note = samples.flatMap({ CompRess.size.remark(given: given, images: $0, as: "--\(CompRess.anchors.name)") }) { notes.append(note) }
    }

    private static func name(_ queue: String) -> String { "anchors.\(queue)" }

    /// - Parameter names: the queues of the method, all of one length.
    mutating func restore(_ state: [String: Tensor], _ names: [String]) throws {
        guard !state.isEmpty else { return }
        if given == nil { notes = [] }
        let document = TensorDocument(tensors: state)
        for queue in names { queues[queue] = try EmbeddingQueue(document, Self.name(queue), rows: given, option: CompRess.anchors.name) }
        guard Set(queues.values.map(\.capacity)).count == 1 else { throw document.failure("has queues of different lengths") }
    }

    var state: [String: Tensor] { queues.reduce(into: [:]) { $0.merge($1.value.kept(Self.name($1.key))) { $1 } } }

    /// Creates a queue if it does not exist yet.
    ///
    /// Its values are uniform with variance 1/D and not normalised, as in the authors' code.
    ///
    /// - Parameter all: the widths of all queues. Together they must fit into a checkpoint.
    private mutating func begin(_ queue: String, dimension D: Int, all: [Int], _ batch: Batch) throws {
        if let there = queues[queue] {
            guard there.dimension == D else {
                throw batch.record.failure(
                    "has rows of \(D) numbers where the queue has rows of \(there.dimension)", remedy: "the queue belongs to another network; begin with the student's weights alone")
            }
            return
        }
        let K = given ?? min(CompRess.usual, max(1, samples ?? .max))
        let (bytes, limit) = (4 * K * all.reduce(0, +), Limits.standard.documentBytes - (1 << 20))
        guard bytes <= limit else {
            throw Failure(.usage, "queues of \(K) rows have \(bytes) bytes, above the limit of \(limit)", remedy: "choose a smaller --queue-size")
        }
        let bound = (3 / Double(D)).squareRoot(), key = seed ^ FNV1a.of(queue)
        var rows = [Float](repeating: 0, count: K * D)
        for k in 0..<K {
            var random = CounterRandom(seed: key, .queue, item: k)
            for d in k * D..<(k + 1) * D { rows[d] = Float(random.uniform(-bound, bound)) }
        }
        queues[queue] = EmbeddingQueue(rows: rows, dimension: D, position: 0, filled: 0)
    }

    /// Computes the loss of a batch against the memory, then adds the batch to the memory.
    ///
    /// - Parameter keys: the rows that enter the student's queue; nil where there is only the teacher's queue.
    mutating func loss(_ anchorLoss: AnchorLoss, of pass: Pass, _ rows: NormalizedRows, _ teacher: NormalizedRows, keys: NormalizedRows?, _ batch: Batch) throws -> Loss {
        let own = keys == nil ? "teacher" : "student", widths = [teacher.D] + (keys.map { [$0.D] } ?? [])
        try begin("teacher", dimension: teacher.D, all: widths, batch)
        if let keys { try begin(own, dimension: keys.D, all: widths, batch) }
        let values = anchorLoss.evaluate(rows, anchors: queues[own]?.rows ?? [], teacher, anchors: queues["teacher"]?.rows ?? [])
        enqueue("teacher", teacher)
        if let keys { enqueue(own, keys) }
        let floor = values.meanFloor ?? 0
        return Loss(
            values.mean - floor, gradients: [pass.name: rows.backward(values.gradient)],
            metrics: [.queueFill(realShare)] + [values.meanAgreement.map { .agreement($0) }, teacher.meanCosine.map { .teacherCosine($0) }].compactMap { $0 })
    }

    private mutating func enqueue(_ queue: String, _ rows: NormalizedRows) {
        // Keep a single owner, so that the mutation does not copy the queue.
        guard var own = queues.removeValue(forKey: queue) else { return }
        unsafe rows.values.withUnsafeBufferPointer { unsafe own.enqueue($0) }
        queues[queue] = own
    }

    /// The share of rows that are embeddings.
    private var realShare: Double { queues.values.first?.realShare ?? 0 }

    mutating func takeNotes() -> [String] {
        defer { notes = [] }
        return notes
    }
}
