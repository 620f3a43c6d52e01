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
/// An answer has the record's metadata and some of its own, which a log can show: `queue_size` is K, `queue_filled` how many of the
/// queue's rows are embeddings once this batch has entered; of SEED also `teacher_temperature`, `teacher_cosine` (the mean cosine of two
/// of the teacher's rows as they were used) and `centre` (the length of the mean that was taken off them, if one was).
/// A first record with the metadata `state` sets the queue instead (see ``QueueState``). The first record with embeddings may have a
/// ``TeacherSample``, from which a new training learns the teacher's mean and temperature; without one it learns them from that record's.
public struct QueueLossStage {
    /// Which loss, at which temperatures, on which queue.
    public struct Settings: Sendable {
        public enum Objective: String, Sendable, CaseIterable {
            case seed
            case mocoV2 = "moco-v2"
        }

        public var objective = Objective.seed
        public var studentTemperature = 0.2
        /// SEED's only; nil for that of the queue that is given, or the published one.
        public var teacherTemperature: Temperature?
        /// SEED's only; nil for `auto`, or what the queue that is given was made with.
        public var centre: Centring?
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
            if objective == .seed, let teacherTemperature { words += ["--teacher-temperature", "\(teacherTemperature)"] }
            if objective == .seed, let centre { words += ["--centre", centre.rawValue] }
            return (words + ["--seed", "\(seed)"]).joined(separator: " ")
        }

    }

    public let settings: Settings
    /// What all records so far had.
    public private(set) var summary = LossSummary()
    /// What a person should know of the loss, once each; complete after the first record with embeddings.
    public private(set) var notes: [String] = []
    /// Made with the first record with embeddings; has the queue from then on.
    private var objective: (any QueueObjective)?
    /// The queue that was set, until there is an objective.
    private var given: EmbeddingQueue?
    private var statistics = TeacherStatistics()
    private var teacherTemperature = Temperature.published
    private var records = 0

    public init(_ settings: Settings) {
        self.settings = settings
    }

    /// The queue; nil until one is set or the first record has told its dimension.
    public var queue: EmbeddingQueue? { objective?.queue ?? given }

    /// All that the loss keeps from epoch to epoch: the queue, and what it knows of the teacher. Empty before the first record.
    public var state: [String: Tensor] { queue.map { QueueState.tensors($0).merging(statistics.tensors) { $1 } } ?? [:] }

    /// Sets the queue, and what goes with it, from a checkpoint, a queue file or a record.
    ///
    /// - Throws: ``Failure`` when `document` holds no valid queue, or one that does not go with the settings.
    public mutating func setQueue(_ document: TensorDocument) throws {
        let queue = try QueueState.queue(document)
        if let capacity = settings.capacity, capacity != queue.capacity {
            throw document.failure(
                "holds a queue of \(queue.capacity) rows where --queue-size asks for \(capacity)",
                remedy: "leave out --queue-size to go on with it, or begin a new queue without it")
        }
        statistics = try TeacherStatistics(document, dimension: queue.dimension)
        if statistics.centre != nil, settings.objective != .seed || settings.centre == Centring.none {
            throw document.failure(
                "holds a queue of embeddings whose mean is taken off where \(settings.objective == .seed ? "--centre none" : "--objective moco-v2") asks for others",
                remedy: settings.objective == .seed ? "leave out --centre to go on with it, or begin a new queue without it" : "begin a new queue without it")
        }
        given = queue
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
            guard isFirst, queue == nil else {
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
        if let dimension = objective?.queue.dimension ?? given?.dimension, dimension != D {
            throw record.failure(
                "has rows of \(D) numbers where the queue has rows of \(dimension)", remedy: "the queue belongs to another teacher; begin a new one")
        }
        try UnitRowCheck.check(student, "student", in: record)
        try UnitRowCheck.check(teacher, "teacher", in: record)
        var objective = try objective ?? begin(record, teacher)
        self.objective = nil  // One owner, so that the queue is not copied to be changed.
        var rows = try teacher.floats()
        statistics.centre?.takeOff(&rows)
        let cosine = unsafe rows.withUnsafeBufferPointer { unsafe MeanCosine.of($0, dimension: D) }
        let values = unsafe student.withFloats { student in
            unsafe rows.withUnsafeBufferPointer { teacher in unsafe objective.evaluate(student: student, teacher: teacher, count: N) }
        }
        self.objective = objective
        summary.add(values)
        var answer = TensorDocument(
            metadata: record.metadata,
            tensors: ["loss": Tensor(f32: values.loss, shape: [N]), "gradient": Tensor(f32: values.gradient, shape: [N, D])])
        answer.metadata["queue_size"] = "\(objective.queue.capacity)"
        answer.metadata["queue_filled"] = "\(objective.queue.filled)"
        if settings.objective == .seed {
            answer.metadata["teacher_temperature"] = "\(teacherTemperature)"
            answer.metadata["teacher_cosine"] = cosine.map { "\($0)" }
            answer.metadata["centre"] = statistics.centre.map { "\($0.length)" }
        }
        if let floor = values.floor { answer.tensors["floor"] = Tensor(f32: floor, shape: [N]) }
        if let agreement = values.agreement { answer.tensors["agreement"] = Tensor(f32: agreement, shape: [N]) }
        return answer
    }

    /// The objective, once its queue and what it must know of the teacher are there.
    ///
    /// Of a new training the teacher's mean and temperature are found here. One that goes on keeps what it has: a queue without a mean is of
    /// rows that had none taken off.
    private mutating func begin(_ record: TensorDocument, _ teacher: Tensor) throws -> any QueueObjective {
        let D = teacher.shape[1]
        let queue = try given ?? newQueue(D)
        if let samples = settings.samples, queue.capacity >= samples {
            notes.append(
                "the queue of \(queue.capacity) rows is not smaller than the data set of \(samples) pictures, "
                    + "which so meet their own embeddings of an epoch ago; choose a smaller --queue-size")
        }
        guard settings.objective == .seed else {
            given = nil
            return InfoNCEObjective(queue: queue, temperature: settings.studentTemperature)
        }
        var rows: [Float]
        if given != nil, queue.filled >= TeacherSample.fewest {
            // Without a mean already. The random rows of the beginning are overwritten from the first on.
            rows = Array(queue.rows.prefix(min(queue.filled, TeacherSample.rows) * D))
        } else {
            let sample = record.tensors[TeacherSample.name] == nil ? teacher : try record.tensor(TeacherSample.name, .f32, shape: [nil, D])
            try UnitRowCheck.check(sample, TeacherSample.name, in: record)
            rows = try sample.floats()
            if given == nil, settings.centre != Centring.none, let note = statistics.findCentre(&rows, dimension: D) {
                notes.append(note)
            } else {
                statistics.centre?.takeOff(&rows)
            }
        }
        switch settings.teacherTemperature {
        case .auto where statistics.temperature == nil:
            if let note = statistics.findTemperature(rows, dimension: D, given: nil, capacity: queue.capacity) { notes.append(note) }
        case .auto: break
        case .fixed(let value):
            statistics.temperature = nil
            teacherTemperature = value
        case nil: break
        }
        // One that was given before has been judged then.
        if given == nil, statistics.temperature == nil,
            let note = statistics.findTemperature(rows, dimension: D, given: teacherTemperature, capacity: queue.capacity) { notes.append(note) }
        teacherTemperature = statistics.temperature ?? teacherTemperature
        given = nil
        return SEEDObjective(queue: queue, studentTemperature: settings.studentTemperature, teacherTemperature: teacherTemperature)
    }
}
