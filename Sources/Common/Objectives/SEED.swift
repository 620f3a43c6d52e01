import Losses
public import TensorStreams
import ToolSupport

/// SEED: the student's similarities to a queue of the teacher's embeddings should have the same distribution as the
/// teacher's similarities.
///
/// Fang et al., "SEED: Self-supervised Distillation for Visual Representation", ICLR 2021; the loss is ``QueueLoss``.
/// The teacher is frozen, and its embeddings come with the stream. Beyond the paper, the mean shared by all of the
/// teacher's embeddings is subtracted (``SharedMean``), and the teacher's temperature can be estimated from its
/// embeddings (``TargetEntropy``).
///
/// If the stream has small crops (group 1) with the teacher's embeddings of them, these have a second loss: the mean
/// over all of them, against a queue of the teacher's embeddings of each image's first small crop. The two losses are
/// added, as in `main_small-patch.py` of the authors' code.
public struct SEED: PairObjective {
    public static let name = "seed"
    public static let summary = "match the teacher's similarities to a queue (Fang et al., ICLR 2021)"
    public static let inputs = Inputs(views: 1...64, groups: [0...63], teacher: .embedding)
    public static let hasFixedTargets = true
    /// The small-patch crops of the authors' code. Their recipe is MoCo-v2's.
    public static let smallPatches: [TrainingDefaults.Crops] = [.init(views: 1, scale: 0.14...1), .init(views: 6, size: 96, scale: 0.05...0.14)]

    static let studentTemperature = MethodOption("student-temperature", default: 0.2, in: Temperature.range, "The temperature of the student's logits.")
    static let teacherTemperature = MethodOption<Temperature?>(
        "teacher-temperature", default: nil, defaultText: "that of the checkpoint or queue; else \(Temperature.published)",
        takes: "auto, or a number from 1e-05 to 1000",
        """
        The temperature of the teacher's logits: a number, or auto for the one at which the targets' entropy is two thirds of the largest \
        possible, ln(K+1), found from the first \(TeacherSample.rows) embeddings.
        """
    ) { if case .fixed(let value)? = $0 { Temperature.range.contains(value) } else { true } }
    static let centre = MethodOption<Centring>(
        "centre", default: .auto, takes: "auto or none",
        """
        The mean that the teacher's embeddings share: auto subtracts it if its length is above \(TeacherStatistics.smallestMean), and \
        keeps it with the queue; none leaves it, as published.
        """
    ) { _ in true }
    public static let lossOptions: [any AnyMethodOption] = [QueueState.size, studentTemperature, teacherTemperature, centre]
    public static let options: [any AnyMethodOption] = lossOptions + [StudentView.option]

    private static let smallCrops = Pass("small", .group(1))
    private static func student(_ options: MethodOptions) -> Pass { StudentView.pass("student", options) }
    public static func passes(_ options: MethodOptions) -> [Pass] { [student(options), smallCrops] }
    public var pairs: PairLossClient
    /// The loss of the small crops; created with the first of them.
    private var small: PairLossClient?
    private let options: MethodOptions
    private let facts: TrainingFacts

    public init(_ options: MethodOptions, _ facts: TrainingFacts) throws {
        (self.options, self.facts) = (options, facts)
        pairs = try PairLossClient(Self.self, options, facts)
    }

    /// A second client with its own queue, which starts with the same random rows as the first queue, and its own
    /// process where a program computes the loss.
    private func newSmall() throws -> PairLossClient { try PairLossClient(Self.self, options, facts) }

    private static let smallPrefix = "small."

    public mutating func restore(_ state: [String: Tensor]) throws {
        try pairs.restore(state.filter { !$0.key.hasPrefix(Self.smallPrefix) })
        let own = state.filter { $0.key.hasPrefix(Self.smallPrefix) }
        guard !own.isEmpty else { return }
        var small = try newSmall()
        try small.restore(Dictionary(uniqueKeysWithValues: own.map { (String($0.key.dropFirst(Self.smallPrefix.count)), $0.value) }))
        self.small = small
    }

    public mutating func finish() throws -> [String: Tensor] {
        let own = try small?.finish() ?? [:]
        return try pairs.finish().merging(own.map { (Self.smallPrefix + $0.key, $0.value) }) { $1 }
    }

    public mutating func interim() throws -> [String: Tensor]? {
        guard let all = try pairs.interim(), let own = try small == nil ? [:] : small?.interim() else { return nil }
        return all.merging(own.map { (Self.smallPrefix + $0.key, $0.value) }) { $1 }
    }

    public mutating func takeNotes() -> [String] { pairs.takeNotes() + (small?.takeNotes() ?? []).map { "small crops: \($0)" } }

    public static func pairLoss(_ options: MethodOptions) -> any PairLoss {
        SEEDLoss(
            studentTemperature: options[studentTemperature], givenTemperature: options[teacherTemperature], centring: options[centre])
    }

    /// A new training estimates the teacher's mean and temperature from its first embeddings.
    public var sampledTensors: [String] { pairs.isNew ? [TeacherOutput.embedding.tensor] : [] }
    public mutating func setSample(_ sample: Tensor, of tensor: String) { pairs.sample = sample }

    public mutating func loss(_ outputs: Outputs, _ batch: Batch) throws -> Loss {
        let pass = Self.student(options), student = outputs[pass]
        let teacher = try batch.teacherTensor(.embedding)
        guard teacher.shape[1] == student.D else {
            throw batch.record.failure(
                "has teacher embeddings of \(teacher.shape[1]) numbers where the student's have \(student.D)",
                remedy: "make a student with initialize --embedding \(teacher.shape[1])")
        }
        let loss = try pairs.loss(student, of: pass, teacher: teacher, batch)
        guard outputs.has(Self.smallCrops) else { return loss }
        return Self.sum(loss, try smallLoss(outputs[Self.smallCrops], batch))
    }

    private mutating func smallLoss(_ student: PassOutput, _ batch: Batch) throws -> Loss {
        let V = batch.views[1], D = student.D
        let rows = try batch.teacherRows(group: 1, remedy: "send it through embed --view 0 --group 1, or leave out the small crops", width: D)
        var own = try small ?? newSmall()
        small = nil
        let first = try rows.floats().rows(ofView: 0, among: V, dimension: D)
        let loss = try own.loss(
            student, of: Self.smallCrops, teacher: rows.reshaped([batch.N * V, D]), enqueued: Tensor(f32: first, shape: [batch.N, D]), batch)
        small = own
        return loss
    }

    /// The sum of both losses.
    ///
    /// The floor, the divergence and the uniform loss are summed; all other metrics are those of the large crops.
    private static func sum(_ large: Loss, _ small: Loss) -> Loss {
        let added = large.metrics.map { metric -> Metric in
            guard ["floor", "kl", "uniform_loss"].contains(metric.name), let other = small.metrics.first(where: { $0.name == metric.name }) else { return metric }
            return metric.adding(other.value)
        }
        return Loss(large.value + small.value, gradients: large.gradients.merging(small.gradients) { $1 }, metrics: added + [Metric("small_loss", small.value, label: "small crops")])
    }

    public func remedies(_ report: StepReport) -> [String] {
        guard !pairs.isProgram else { return [] }
        var changes: [String] = []
        if report["centre"] == nil, let cosine = report["teacher_cosine"], cosine > TeacherStatistics.smallestMean * TeacherStatistics.smallestMean {
            changes.append("subtract the teacher's mean (--centre auto)")
        }
        if options[Self.teacherTemperature] != .auto { changes.append("find the teacher's temperature (--teacher-temperature auto)") }
        return changes
    }
}

/// SEED's treatment of a teacher's rows, and its statistics of the teacher.
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
                "holds a queue of embeddings with their mean subtracted where --centre none needs them unchanged",
                remedy: "leave out --centre to keep it, or begin a new queue without it")
        }
    }

    var kept: [String: Tensor] { statistics.tensors }

    /// Estimates the teacher's mean and temperature for a new training.
    ///
    /// A resumed training keeps its values: if its queue has no mean, none was subtracted from the rows.
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
        // A resumed training has already judged its temperature.
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
