import Losses
public import TensorStreams
import ToolSupport

/// SEED: the student's similarities to a queue of the teacher's embeddings shall be distributed as the teacher's own are.
///
/// Fang et al., "SEED: Self-supervised Distillation for Visual Representation", ICLR 2021; the loss is ``QueueLoss``. The teacher is frozen and
/// comes with the stream. Beyond the paper: the mean that all of its embeddings share is taken off (``SharedMean``), and its temperature can
/// be found from its embeddings (``TargetEntropy``).
public struct SEED: PairObjective {
    public static let name = "seed"
    public static let summary = "have the teacher's similarities to a queue (Fang et al., ICLR 2021)"
    public static let inputs = Inputs(views: 1...64, teacher: .embedding)
    public static let hasFixedTargets = true

    static let studentTemperature = MethodOption("student-temperature", default: 0.2, in: Temperature.range, "The temperature of the student's logits.")
    static let teacherTemperature = MethodOption<Temperature?>(
        "teacher-temperature", default: nil, defaultText: "that of the checkpoint or queue; else \(Temperature.published)",
        takes: "auto, or a number from 1e-05 to 1000",
        """
        The temperature of the teacher's logits: a number, or auto for the one at which the targets have two thirds of the largest \
        entropy, ln(K+1), found from the first \(TeacherSample.rows) embeddings.
        """
    ) { if case .fixed(let value)? = $0 { Temperature.range.contains(value) } else { true } }
    static let centre = MethodOption<Centring>(
        "centre", default: .auto, takes: "auto or none",
        """
        The mean that the teacher's embeddings share: auto takes it off where its length is above \(TeacherStatistics.smallestMean), and \
        keeps it with the queue; none leaves it, as published.
        """
    ) { _ in true }
    public static let lossOptions: [any AnyMethodOption] = [QueueState.size, studentTemperature, teacherTemperature, centre]

    private static let student = Pass("student", .view(0))
    public static func passes(_ options: MethodOptions) -> [Pass] { [student] }
    public var pairs: PairLossClient
    private let options: MethodOptions

    public init(_ options: MethodOptions, _ facts: TrainingFacts) throws {
        self.options = options
        pairs = try PairLossClient(Self.self, options, facts)
    }

    public static func pairLoss(_ options: MethodOptions) -> any PairLoss {
        SEEDLoss(
            studentTemperature: options[studentTemperature], givenTemperature: options[teacherTemperature], centring: options[centre])
    }

    /// A new training learns the teacher's mean and temperature from its first embeddings.
    public var sampledTensor: String? { pairs.isNew ? "teacher" : nil }
    public mutating func setSample(_ sample: Tensor) { pairs.sample = sample }

    public mutating func loss(_ outputs: Outputs, _ batch: Batch) throws -> Loss {
        let student = outputs[Self.student]
        let teacher = try batch.record.tensor("teacher", .f32, shape: [batch.N, nil])
        guard teacher.shape[1] == student.D else {
            throw batch.record.failure(
                "has teacher embeddings of \(teacher.shape[1]) numbers where the student's have \(student.D)",
                remedy: "make a student with initialize --embedding \(teacher.shape[1])")
        }
        return try pairs.loss(student, of: Self.student, teacher: teacher, batch)
    }

    public func remedies(_ report: StepReport) -> [String] {
        guard !pairs.isProgram else { return [] }
        var changes: [String] = []
        if report["centre"] == nil, let cosine = report["teacher_cosine"], cosine > TeacherStatistics.smallestMean * TeacherStatistics.smallestMean {
            changes.append("take the teacher's mean off (--centre auto)")
        }
        if options[Self.teacherTemperature] != .auto { changes.append("find the teacher's temperature (--teacher-temperature auto)") }
        return changes
    }
}

/// What SEED's loss does with a teacher's rows, and what it knows of the teacher.
struct SEEDLoss: PairLoss {
    let studentTemperature: Double
    let givenTemperature: Temperature?
    let centring: Centring
    private var statistics = TeacherStatistics()
    private var temperature = Temperature.published

    init(studentTemperature: Double, givenTemperature: Temperature?, centring: Centring) {
        (self.studentTemperature, self.givenTemperature, self.centring) = (studentTemperature, givenTemperature, centring)
    }

    mutating func restore(_ document: TensorDocument, dimension: Int) throws {
        statistics = try TeacherStatistics(document, dimension: dimension)
        if statistics.centre != nil, centring == .none {
            throw document.failure(
                "holds a queue of embeddings whose mean is taken off where --centre none asks for others",
                remedy: "leave out --centre to go on with it, or begin a new queue without it")
        }
    }

    var kept: [String: Tensor] { statistics.tensors }

    /// Of a new training the teacher's mean and temperature are found here. One that goes on keeps what it has: a queue without a mean is of
    /// rows that had none taken off.
    mutating func begin(_ sample: () throws -> TeacherRows, capacity: Int, isNew: Bool) throws -> [String] {
        let sample = try sample(), D = sample.dimension
        var rows = sample.values, notes: [String] = []
        if !sample.arePrepared {
            if isNew, centring != .none, let note = statistics.findCentre(&rows, dimension: D) {
                notes.append(note)
            } else {
                statistics.centre?.takeOff(&rows)
            }
        }
        switch givenTemperature {
        case .auto where statistics.temperature == nil:
            if let note = statistics.findTemperature(rows, dimension: D, given: nil, capacity: capacity) { notes.append(note) }
        case .auto: break
        case .fixed(let value):
            statistics.temperature = nil
            temperature = value
        case nil: break
        }
        // One that was given before has been judged then.
        if isNew, statistics.temperature == nil,
            let note = statistics.findTemperature(rows, dimension: D, given: temperature, capacity: capacity) { notes.append(note) }
        temperature = statistics.temperature ?? temperature
        return notes
    }

    func prepare(_ teacher: inout [Float]) { statistics.centre?.takeOff(&teacher) }

    func loss(_ queue: EmbeddingQueue) -> QueueLoss {
        .seed(queue: queue, studentTemperature: studentTemperature, teacherTemperature: temperature)
    }

    func metadata(teacher: [Float], dimension D: Int) -> [String: String] {
        var metadata = ["teacher_temperature": "\(temperature)"]
        metadata["teacher_cosine"] = unsafe teacher.withUnsafeBufferPointer { unsafe MeanCosine.of($0, dimension: D) }.map { "\($0)" }
        metadata["centre"] = statistics.centre.map { "\($0.length)" }
        return metadata
    }
}
