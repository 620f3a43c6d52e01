public import Losses
public import TensorStreams
import ToolSupport

/// A method whose loss takes pairs of L2-normalized rows (student, teacher) and a queue.
///
/// `queue-loss` computes the loss as a separate program, and any other program may replace it.
public protocol PairObjective: Objective {
    /// The options that belong to the loss.
    static var lossOptions: [any AnyMethodOption] { get }
    static func pairLoss(_ options: MethodOptions) -> any PairLoss
    var pairs: PairLossClient { get set }
}

extension PairObjective {
    public static var options: [any AnyMethodOption] { lossOptions }
    public static var takesLossProgram: Bool { true }
    public mutating func restore(_ state: [String: Tensor]) throws { try pairs.restore(state) }
    public mutating func finish() throws -> [String: Tensor] { try pairs.finish() }
    public mutating func interim() throws -> [String: Tensor]? { try pairs.interim() }
    public mutating func takeNotes() -> [String] { pairs.takeNotes() }
    public var lossCommand: String? { pairs.command }
}

/// The part that is specific to one loss of pairs; ``PairLossStage`` does the rest.
public protocol PairLoss: Sendable {
    /// Restores the state kept beside a queue of rows of `dimension` numbers.
    ///
    /// - Throws: ``Failure`` where the state does not match this loss.
    mutating func restore(_ document: TensorDocument, dimension: Int) throws
    /// The state to keep beside the queue.
    var kept: [String: Tensor] { get }
    /// Called once, before the first pairs.
    ///
    /// - Parameters:
    ///   - sample: returns some of the teacher's rows.
    ///   - capacity: K.
    ///   - isNew: whether no queue was given.
    /// - Returns: notes for the user.
    mutating func begin(_ sample: () throws -> TeacherRows, capacity: Int, isNew: Bool) throws -> [String]
    /// Converts the teacher's rows (N, D) to the form that the loss uses and the queue stores.
    func prepare(_ teacher: inout [Float])
    func loss(_ queue: EmbeddingQueue) -> QueueLoss
    /// Additional metadata of an answer.
    ///
    /// - Parameter teacher: the teacher's rows as the loss used them (N, D).
    func metadata(teacher: [Float], dimension: Int) -> [String: String]
}

extension PairLoss {
    public mutating func restore(_ document: TensorDocument, dimension: Int) throws {}
    public var kept: [String: Tensor] { [:] }
    public mutating func begin(_ sample: () throws -> TeacherRows, capacity: Int, isNew: Bool) throws -> [String] { [] }
    public func prepare(_ teacher: inout [Float]) {}
    public func metadata(teacher: [Float], dimension: Int) -> [String: String] { [:] }
}

/// Some of a teacher's rows, (n, D).
public struct TeacherRows: Sendable {
    public let values: [Float]
    public let dimension: Int
    /// Whether ``PairLoss/prepare(_:)`` has already been applied.
    public let arePrepared: Bool
}

/// The loss of pairs as an objective uses it, computed in this process or by a program.
public struct PairLossClient {
    private var source: any LossSource
    /// Whether there is no state of an earlier epoch.
    private(set) var isNew = true
    /// The teacher's embeddings of the first images, sent with the first pairs.
    var sample: Tensor?
    /// Whether a program computes the loss.
    let isProgram: Bool
    private var hasTold = false

    init(_ method: any PairObjective.Type, _ options: MethodOptions, _ facts: TrainingFacts) throws {
        isProgram = facts.lossProgram != nil
        if let command = facts.lossProgram {
            var header = StreamHeader(provenance: facts.header.provenance, metadata: facts.header.metadata)
            header.metadata[QueueState.key] = QueueState.wanted
            source = try LossProcess(command, header: header, facts.lossSupervision)
        } else {
            source = BuiltInLoss(PairLossStage.Settings(method, options, seed: facts.seed, samples: facts.samples))
        }
    }

    mutating func restore(_ state: [String: Tensor]) throws {
        isNew = state.isEmpty
        try source.restore(state)
    }

    mutating func finish() throws -> [String: Tensor] { try source.finish() }
    mutating func interim() throws -> [String: Tensor]? { try source.interim() }

    /// The loss as an argument of `--loss`.
    var command: String { source.command }

    mutating func takeNotes() -> [String] {
        defer { hasTold = true }
        return hasTold ? [] : source.notes
    }

    /// The loss of a student's output, normalised to unit length, against rows of a teacher, f32 [N, D].
    ///
    /// - Parameter enqueued: the rows, f32 [M, D], that enter the queue; nil for all of the teacher's.
    mutating func loss(_ output: PassOutput, of pass: Pass, teacher: Tensor, enqueued: Tensor? = nil, _ batch: Batch) throws -> Loss {
        let rows = NormalizedRows(output)
        guard rows.areFinite else { return .notFinite }
        var question = TensorDocument(
            metadata: batch.record.metadata.filter { $0.key == "epoch" || $0.key == "step" },
            tensors: ["student": Tensor(f32: rows.values, shape: [rows.N, rows.D]), "teacher": teacher])
        question.tensors[TeacherSample.name] = sample
        question.tensors[PairLossStage.enqueuedName] = enqueued
        sample = nil
        let answer = try answer(question, to: batch.record)
        func mean(_ name: String) throws -> Double? {
            guard answer.tensors[name] != nil else { return nil }
            let values = try answer.tensor(name, .f32, shape: [rows.N]).floats()
            return values.reduce(0.0) { $0 + Double($1) } / Double(max(1, values.count))
        }
        _ = try answer.tensor("loss", .f32, shape: [rows.N])
        let gradient = try answer.tensor("gradient", .f32, shape: [rows.N, rows.D]).floats(), loss = try mean("loss") ?? .nan
        let floor = try mean("floor"), agreement = try mean("agreement")
        func number(_ key: String) -> Double? { answer.metadata[key].flatMap { Double($0) }.flatMap { $0.isFinite ? $0 : nil } }
        let used = unsafe teacher.withFloats { unsafe MeanCosine.of($0, dimension: rows.D) }
        let divergence = floor.map { Metric.divergence(loss - $0) }
        let fill = source.fill.map { [Metric.uniformLoss($0.uniformLoss), .queueFill(Double($0.real) / Double($0.capacity))] } ?? []
        let others = [
            agreement.map { Metric.agreement($0) }, rows.meanCosine.map { .studentCosine($0) }, (number("teacher_cosine") ?? used).map { .teacherCosine($0) },
            number("teacher_temperature").map { .teacherTemperature($0) }, number("centre").map { .centre($0) },
        ]
        return Loss(
            loss, gradients: [pass.name: rows.backward(gradient)],
            metrics: [floor.map { Metric.floor($0) }, divergence].compactMap { $0 } + fill + others.compactMap { $0 })
    }

    /// The answer of the loss. Errors in the rows are attributed to `record`, which brought them.
    private mutating func answer(_ question: TensorDocument, to record: TensorDocument) throws -> TensorDocument {
        do {
            return try source.answer(question)
        } catch let failure as Failure where failure.kind == .data && failure.path == nil {
            throw record.failure(failure.what, remedy: failure.remedy)
        }
    }
}
