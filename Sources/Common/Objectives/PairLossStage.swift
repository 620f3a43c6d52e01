public import Losses
public import TensorStreams
import ToolSupport

/// The loss of a stream of (student, teacher) embeddings, record by record, as `queue-loss` computes it.
///
/// | tensor of a record    | shape      |                                                        |
/// |-----------------------|------------|--------------------------------------------------------|
/// | in: `student`         | f32 [N, D] | L2-normalized rows                                     |
/// | in: `teacher`         | f32 [N, D] | L2-normalized rows                                     |
/// | in: `enqueued`        | f32 [M, D] | optional: the L2-normalized rows that enter the queue instead of all of the teacher's |
/// | out: `loss`           | f32 [N]    | the loss of each row                                   |
/// | out: `gradient`       | f32 [N, D] | of the mean loss, with respect to the student's rows   |
/// | out: `floor`          | f32 [N]    | the smallest possible loss: the targets' entropy       |
/// | out: `agreement`      | f32 [N]    | 1 where the largest logit is the right one, else 0     |
///
/// An answer has the metadata of its record and adds values for the log: `queue_size` is K, and `queue_filled` is the
/// number of queue rows that are embeddings after this batch has entered. SEED adds `teacher_temperature`,
/// `teacher_cosine` (the mean cosine of two of the teacher's rows as they were used) and `centre` (the length of the
/// subtracted mean, if any).
///
/// A record without tensors that asks for the state is answered with it (``LossProcess``). A first record with the
/// metadata `state` sets the queue instead (see ``QueueState``). The first record with embeddings may contain a
/// ``TeacherSample``, from which a new training estimates the teacher's mean and temperature. Without a sample it
/// uses the embeddings of that record.
public struct PairLossStage {
    /// The loss, its options and the settings of its queue.
    public struct Settings: Sendable {
        public let method: any PairObjective.Type
        public let options: MethodOptions
        /// The seed of the random directions in a new queue.
        public let seed: UInt64
        /// The number of images in the data set, if known.
        public let samples: Int?

        public init(_ method: any PairObjective.Type, _ options: MethodOptions = MethodOptions(), seed: UInt64 = 0, samples: Int? = nil) {
            (self.method, self.options, self.seed, self.samples) = (method, options, seed, samples)
        }

        /// The key in an answer's header under which a program describes its loss, for the provenance of the trained
        /// network.
        public static let key = "loss"

        /// The loss in one line, as an argument of `train-step --loss`.
        ///
        /// It is equal for equal losses, whichever program computes them.
        public var command: String {
            let words = method.lossOptions.flatMap { option in option.valueText(options.text(option.name)).map { ["--" + option.name, $0] } ?? [] }
            return (["queue-loss", "--objective", method.name] + words + ["--seed", "\(seed)"]).joined(separator: " ")
        }
    }

    /// The tensor of the rows that enter the queue, where these are not all of the teacher's.
    public static let enqueuedName = "enqueued"

    public let settings: Settings
    /// The summary of all records so far.
    public private(set) var summary = LossSummary()
    /// Notes for the user about the loss, each once; complete after the first record with embeddings.
    public private(set) var notes: [String] = []
    private var own: any PairLoss
    /// Created by the first record with embeddings; owns the queue from then on.
    private var loss: QueueLoss?
    /// The queue that was set, until the loss exists.
    private var given: EmbeddingQueue?
    private var records = 0

    public init(_ settings: Settings) {
        self.settings = settings
        own = settings.method.pairLoss(settings.options)
    }

    /// The queue; nil until one is set or the first record gives its dimension.
    public var queue: EmbeddingQueue? { loss?.queue ?? given }

    /// The state that the loss keeps from epoch to epoch: the queue, and what the loss knows of the teacher.
    ///
    /// Empty before the first record.
    public var state: [String: Tensor] { queue.map { QueueState.tensors($0).merging(own.kept) { $1 } } ?? [:] }

    /// Sets the queue and the state kept with it from a checkpoint, a queue file or a record.
    ///
    /// - Throws: ``Failure`` when `document` holds no valid queue, or one that does not match the settings.
    public mutating func setQueue(_ document: TensorDocument) throws {
        let queue = try QueueState.queue(document)
        if let capacity = settings.options[QueueState.size], capacity != queue.capacity {
            throw document.failure(
                "holds a queue of \(queue.capacity) rows where --queue-size asks for \(capacity)",
                remedy: "leave out --queue-size to keep it, or begin with weights alone, without their queue")
        }
        try own.restore(document, dimension: queue.dimension)
        given = queue
    }

    /// A queue of random rows. It must fit into one record of a stream, since it may have to travel in one.
    private func newQueue(_ D: Int) throws -> EmbeddingQueue {
        let capacity = settings.options[QueueState.size] ?? QueueState.capacity(samples: settings.samples)
        let (bytes, limit) = (4 * capacity * D, Limits.standard.documentBytes - (1 << 20))
        guard bytes <= limit else {
            throw Failure(
                .usage, "a queue of \(capacity) rows of \(D) numbers has \(bytes) bytes, above the limit of \(limit)", remedy: "choose a smaller --queue-size")
        }
        return EmbeddingQueue(capacity: capacity, dimension: D, seed: settings.seed)
    }

    /// The answer to one record; nil for a record that carries the queue.
    ///
    /// - Throws: ``Failure`` when the record does not match the table, a row is not finite or not of unit length, or
    ///   the queue has rows of another length.
    public mutating func answer(_ record: TensorDocument) throws -> TensorDocument? {
        if QueueState.isQuestion(record), !state.isEmpty { return QueueState.record(state) }
        let isFirst = records == 0
        records += 1
        if QueueState.isState(record) {
            guard isFirst, queue == nil else {
                throw record.failure(
                    "carries a second queue", remedy: isFirst ? "leave out --queue" : "a queue can only come first")
            }
            try setQueue(record)
            return nil
        }
        let student = try record.tensor("student", .f32, shape: [nil, nil])
        let teacher = try record.tensor("teacher", .f32, shape: [student.shape[0], student.shape[1]])
        let (N, D) = (student.shape[0], student.shape[1])
        guard D > 0 else { throw record.failure("has rows without numbers") }
        if let dimension = queue?.dimension, dimension != D {
            throw record.failure(
                "has rows of \(D) numbers where the queue has rows of \(dimension)", remedy: "the queue belongs to another teacher; begin a new one")
        }
        try NormalizedRowCheck.check(student, "student", in: record)
        try NormalizedRowCheck.check(teacher, "teacher", in: record)
        var loss = try loss ?? begin(record, teacher)
        self.loss = nil  // Keep a single owner, so that the mutation does not copy the queue.
        var rows = try teacher.floats()
        own.prepare(&rows)
        var entering: [Float]?
        if record.tensors[Self.enqueuedName] != nil {
            let given = try record.tensor(Self.enqueuedName, .f32, shape: [nil, D])
            try NormalizedRowCheck.check(given, Self.enqueuedName, in: record)
            var values = try given.floats()
            own.prepare(&values)
            entering = values
        }
        let values = unsafe student.withFloats { student in
            unsafe rows.withUnsafeBufferPointer { teacher in unsafe loss.evaluate(student: student, teacher: teacher, count: N, enqueuing: entering) }
        }
        self.loss = loss
        summary.add(values)
        var answer = TensorDocument(
            metadata: record.metadata,
            tensors: ["loss": Tensor(f32: values.loss, shape: [N]), "gradient": Tensor(f32: values.gradient, shape: [N, D])])
        answer.metadata["queue_size"] = "\(loss.queue.capacity)"
        answer.metadata["queue_filled"] = "\(loss.queue.filled)"
        answer.metadata.merge(own.metadata(teacher: rows, dimension: D)) { $1 }
        if let floor = values.floor { answer.tensors["floor"] = Tensor(f32: floor, shape: [N]) }
        if let agreement = values.agreement { answer.tensors["agreement"] = Tensor(f32: agreement, shape: [N]) }
        return answer
    }

    /// Creates the loss with its queue and what it must know of the teacher.
    private mutating func begin(_ record: TensorDocument, _ teacher: Tensor) throws -> QueueLoss {
        let D = teacher.shape[1]
        let queue = try given ?? newQueue(D)
        if let samples = settings.samples, queue.capacity >= samples {
            notes.append(
                "the queue of \(queue.capacity) rows is not smaller than the data set of \(samples) images, "
                    + "so images meet their own embeddings from an epoch ago; choose a smaller --queue-size")
        }
        var own = own
        notes += try own.begin({ try sample(record, teacher, queue) }, capacity: queue.capacity, isNew: given == nil)
        self.own = own
        given = nil
        return own.loss(queue)
    }

    /// Some of the teacher's rows: from the queue, or the sample of the first record, or else that record's own rows.
    private func sample(_ record: TensorDocument, _ teacher: Tensor, _ queue: EmbeddingQueue) throws -> TeacherRows {
        let D = queue.dimension
        if given != nil, queue.filled >= TeacherSample.fewest {
            // The initial random rows are overwritten in order, starting with the first.
            return TeacherRows(values: Array(queue.rows.prefix(min(queue.filled, TeacherSample.rows) * D)), dimension: D, arePrepared: true)
        }
        let sample = record.tensors[TeacherSample.name] == nil ? teacher : try record.tensor(TeacherSample.name, .f32, shape: [nil, D])
        try NormalizedRowCheck.check(sample, TeacherSample.name, in: record)
        return TeacherRows(values: try sample.floats(), dimension: D, arePrepared: false)
    }
}
