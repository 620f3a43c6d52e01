import Losses
public import Networks
import Optimizers
public import TensorStreams
import ToolSupport

/// Lightly-train's distillation: the student's similarities to a queue of teacher features should have the same
/// distribution as the teacher's, at one temperature for both.
///
/// The queue includes the batch itself.
///
///     L = mean of KL(softmax(t̂·Mᵀ/τ) ‖ softmax(ŝ·Mᵀ/τ))        M: the batch's t̂, then earlier ones
///
/// This is `distillation` (v1) of lightly-train 0.18, and the whole-image part of its v3. It is ``AnchorLoss`` with
/// the same queue for both networks. The queue starts as rows of zeros and has as many rows as in that program for
/// the same number of images. The views are mixed (`augment --mix-up`).
public struct QueueKL: Objective {
    public static let name = "queue-kl"
    public static let summary = "match the teacher's similarities to a queue of features that includes the batch (lightly-train)"
    public static let inputs = Inputs(views: 1...64, teacher: .features, isMixed: true)
    public static let hasFixedTargets = true
    public static let head = StudentHead.linear
    public static let defaults: TrainingDefaults? = LightlyTrain.defaults(rate: 1.8)

    static let queue = MethodOption<Int?>(
        "queue-size", default: nil, defaultText: "that of the checkpoint; else 16 to 8192, a quarter to half of the data set's images", in: 1...1 << 28, valueName: "K", "Rows in the queue.")
    static let temperature = MethodOption("temperature", default: 0.07, in: Temperature.range, "The temperature of both networks' similarities.")
    public static let options: [any AnyMethodOption] = [queue, temperature]

    public static func usualQueue(images: Int) -> Int { LightlyTrain.rows(images) }
    public static func keptCount(K: Int, teacherWidth: Int, student: Network) -> Int { K * teacherWidth }

    private static let student = Pass("student", .view(0))
    public static func passes(_ options: MethodOptions) -> [Pass] { [student] }
    private static let kept = "features"

    private let anchorLoss: AnchorLoss
    private let given: Int?
    private let samples: Int?
    private var queue: EmbeddingQueue?

    public init(_ options: MethodOptions, _ facts: TrainingFacts) throws {
        anchorLoss = AnchorLoss(studentTemperature: options[Self.temperature], teacherTemperature: options[Self.temperature])
        (given, samples) = (options[Self.queue], facts.samples)
    }

    public mutating func restore(_ state: [String: Tensor]) throws {
        if !state.isEmpty { queue = try EmbeddingQueue(TensorDocument(tensors: state), Self.kept, rows: given, option: Self.queue.name) }
    }
    public mutating func finish() throws -> [String: Tensor] { queue?.kept(Self.kept) ?? [:] }

    public mutating func loss(_ outputs: Outputs, _ batch: Batch) throws -> Loss {
        let rows = NormalizedRows(outputs[Self.student]), D = rows.D
        let teacher = NormalizedRows(try batch.teacher(.features, width: (D, "make a student with initialize --head 'linear D' of the teacher's D")))
        guard rows.areFinite else { return .notFinite }
        var queue = try self.queue ?? EmbeddingQueue(ofZeros: given ?? LightlyTrain.rows(samples), dimension: D, option: Self.queue.name)
        self.queue = nil  // Keep a single owner, so that the mutation does not copy it.
        guard queue.dimension == D else {
            throw batch.record.failure("has rows of \(D) numbers where the queue has rows of \(queue.dimension)", remedy: "the queue belongs to another network; begin with the student's weights alone")
        }
        // If the batch is larger than the queue, only its first rows enter.
        let entering = teacher.values.prefix(queue.capacity * D)
        unsafe entering.withUnsafeBufferPointer { unsafe queue.enqueue($0) }
        let values = anchorLoss.evaluate(rows, anchors: queue.rows, teacher, anchors: queue.rows)
        self.queue = queue
        return Loss(
            values.mean - (values.meanFloor ?? 0), gradients: [Self.student.name: rows.backward(values.gradient)],
            metrics: [.queueFill(queue.realShare)] + [values.meanAgreement.map { .agreement($0) }, teacher.meanCosine.map { .teacherCosine($0) }].compactMap { $0 })
    }
}

/// Common parts of lightly-train's distillation methods.
enum LightlyTrain {
    /// - Parameter rate: for batches of 1536. For other sizes it scales with the square root of the number of images.
    static func defaults(rate: Double) -> TrainingDefaults {
        TrainingDefaults(
            .lars, rate: rate * (256.0 / 1536).squareRoot(), growsWithRoot: true, weightDecay: 1e-6, .warmUpCosine, epochs: 100, warmUp: 10, recipe: "swav", smallestCrop: 0.14)
    }

    /// The number of queue rows for `samples` images.
    static func rows(_ samples: Int?) -> Int {
        let steps = [(50, 16), (100, 32), (250, 64), (500, 128), (1000, 256), (2000, 512), (4000, 1024), (10_000, 2048), (20_000, 4096)]
        return steps.first { (samples ?? .max) < $0.0 }?.1 ?? 8192
    }
}
