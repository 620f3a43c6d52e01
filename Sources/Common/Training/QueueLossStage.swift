public import Objectives
public import TensorStreams
import ToolSupport

/// The loss of a stream of (student, teacher) embeddings, record by record, as `queue-loss` gives it.
///
/// | tensor of a record    | shape      |                                                        |
/// |-----------------------|------------|--------------------------------------------------------|
/// | in: `student`         | f32 [N, D] | unit rows                                              |
/// | in: `teacher`         | f32 [N, D] | unit rows                                              |
/// | out: `loss`           | f32 [N]    | each row's loss                                        |
/// | out: `gradient`       | f32 [N, D] | of the mean loss, with respect to the student's rows   |
/// | out: `floor`          | f32 [N]    | the least loss there can be: the targets' entropy      |
/// | out: `agreement`      | f32 [N]    | 1 where the largest logit is the right one, else 0     |
///
/// An answer has the record's metadata and two of its own, which a log can show: `queue_size` is K, `queue_filled` how many of the
/// queue's rows are embeddings once this batch has entered.
/// A first record with the metadata `state` sets the queue instead (see ``QueueState``).
public struct QueueLossStage {
    /// Which loss, at which temperatures, on which queue.
    public struct Settings: Sendable {
        public enum Objective: String, Sendable, CaseIterable {
            case seed
            case mocoV2 = "moco-v2"
        }

        public var objective = Objective.seed
        public var studentTemperature = 0.2
        /// SEED's only.
        public var teacherTemperature = 0.01
        /// K; nil for that of the queue that is given, or for ``QueueState/capacity(samples:)``.
        public var capacity: Int?
        /// Of the random directions that a new queue holds.
        public var seed: UInt64 = 0
        /// How many pictures the data set has, where that is known.
        public var samples: Int?

        public init() {}

        /// The key of an answer's header under which a program says what loss it gives, for the provenance of what is trained with it.
        public static let key = "loss"

        /// The loss in one line, as one gives it to `train-step --loss`: equal for equal losses, whoever gives them.
        public var command: String {
            var words = ["queue-loss", "--objective", objective.rawValue]
            if let capacity { words += ["--queue-size", "\(capacity)"] }
            words += ["--student-temperature", "\(studentTemperature)"]
            if objective == .seed { words += ["--teacher-temperature", "\(teacherTemperature)"] }
            return (words + ["--seed", "\(seed)"]).joined(separator: " ")
        }

        func objective(_ queue: EmbeddingQueue) -> any QueueObjective {
            switch objective {
            case .seed: SEEDObjective(queue: queue, studentTemperature: studentTemperature, teacherTemperature: teacherTemperature)
            case .mocoV2: InfoNCEObjective(queue: queue, temperature: studentTemperature)
            }
        }
    }

    public let settings: Settings
    /// What all records so far had.
    public private(set) var summary = LossSummary()
    private var objective: (any QueueObjective)?
    private var records = 0

    public init(_ settings: Settings) {
        self.settings = settings
    }

    /// The queue; nil until one is set or the first record has told its dimension.
    public var queue: EmbeddingQueue? { objective?.queue }

    /// What is unwise about the queue's size, if anything is. To be asked after the first record.
    public var warning: String? {
        guard let capacity = objective?.queue.capacity, let samples = settings.samples, capacity >= samples else { return nil }
        return "the queue of \(capacity) rows is not smaller than the data set of \(samples) pictures, "
            + "which so meet their own embeddings of an epoch ago; choose a smaller --queue-size"
    }

    /// Sets the queue from a checkpoint, a queue file or a record.
    ///
    /// - Throws: ``Failure`` when `document` holds no valid queue, or one of another K than the settings ask for.
    public mutating func setQueue(_ document: TensorDocument) throws {
        let queue = try QueueState.queue(document)
        if let capacity = settings.capacity, capacity != queue.capacity {
            throw document.failure(
                "holds a queue of \(queue.capacity) rows where --queue-size asks for \(capacity)",
                remedy: "leave out --queue-size to go on with it, or begin a new queue without it")
        }
        objective = settings.objective(queue)
    }

    /// A queue of random rows, no larger than a record of a stream may be, since it may have to travel in one.
    private func newQueue(_ D: Int) throws -> EmbeddingQueue {
        let capacity = settings.capacity ?? QueueState.capacity(samples: settings.samples)
        let (bytes, limit) = (4 * capacity * D, Limits.standard.documentBytes - (1 << 20))
        guard bytes <= limit else {
            throw Failure(
                .usage, "a queue of \(capacity) rows of \(D) numbers has \(bytes) bytes, above the limit of \(limit)", remedy: "choose a smaller --queue-size")
        }
        return EmbeddingQueue(capacity: capacity, dimension: D, seed: settings.seed)
    }

    /// The answer to one record; nil to a record that carries the queue.
    ///
    /// - Throws: ``Failure`` when the record is not as the table says, a row is not finite or not of unit length, or
    ///   the queue has rows of another length.
    public mutating func answer(_ record: TensorDocument) throws -> TensorDocument? {
        let isFirst = records == 0
        records += 1
        if QueueState.isState(record) {
            guard isFirst, objective == nil else {
                throw record.failure(
                    "carries a queue where there is one already", remedy: isFirst ? "leave out --queue" : "a queue can only come first")
            }
            try setQueue(record)
            return nil
        }
        let student = try record.tensor("student", .f32, shape: [nil, nil])
        let teacher = try record.tensor("teacher", .f32, shape: [student.shape[0], student.shape[1]])
        let (N, D) = (student.shape[0], student.shape[1])
        guard D > 0 else { throw record.failure("has rows without numbers") }
        var objective = try objective ?? settings.objective(newQueue(D))
        self.objective = nil  // One owner, so that the queue is not copied to be changed.
        guard objective.queue.dimension == D else {
            throw record.failure(
                "has rows of \(D) numbers where the queue has rows of \(objective.queue.dimension)",
                remedy: "the queue belongs to another teacher; begin a new one")
        }
        try UnitRowCheck.check(student, "student", in: record)
        try UnitRowCheck.check(teacher, "teacher", in: record)
        let values = unsafe student.withFloats { student in
            unsafe teacher.withFloats { teacher in unsafe objective.evaluate(student: student, teacher: teacher, count: N) }
        }
        self.objective = objective
        summary.add(values)
        var answer = TensorDocument(
            metadata: record.metadata,
            tensors: ["loss": Tensor(f32: values.loss, shape: [N]), "gradient": Tensor(f32: values.gradient, shape: [N, D])])
        answer.metadata["queue_size"] = "\(objective.queue.capacity)"
        answer.metadata["queue_filled"] = "\(objective.queue.filled)"
        if let floor = values.floor { answer.tensors["floor"] = Tensor(f32: floor, shape: [N]) }
        if let agreement = values.agreement { answer.tensors["agreement"] = Tensor(f32: agreement, shape: [N]) }
        return answer
    }
}
