import Losses
public import Networks
public import TensorStreams

/// CompRess with one queue: student and teacher are both compared with the teacher's memory.
///
/// The student's embedding therefore has the width of the teacher's features (`initialize --head 'linear 2048'`). See
/// ``CompRess``.
public struct CompRess1Q: Objective {
    public static let name = "compress-1q"
    public static let summary = "match the teacher's similarities to a memory of its features (Koohpayegani et al., NeurIPS 2020)"
    public static let inputs = Inputs(views: 1...64, teacher: .features)
    public static let hasFixedTargets = true
    public static let head = StudentHead.linear
    public static let defaults: TrainingDefaults? = CompRess.defaults
    public static let options: [any AnyMethodOption] = [CompRess.anchors, CompRess.temperature]

    public static func usualQueue(images: Int) -> Int { CompRess.rows(images: images) }
    public static let sizedOptions = [CompRess.size]
    public static func keptCount(K: Int, teacherWidth: Int, student: Network) -> Int { K * teacherWidth }

    private static let student = Pass("student", .view(0))
    public static func passes(_ options: MethodOptions) -> [Pass] { [student] }
    private let anchorLoss: AnchorLoss
    private var memory: AnchorMemory

    public init(_ options: MethodOptions, _ facts: TrainingFacts) throws {
        let temperature = options[CompRess.temperature]
        anchorLoss = AnchorLoss(studentTemperature: temperature, teacherTemperature: temperature)
        memory = AnchorMemory(options[CompRess.anchors], facts)
    }

    public mutating func restore(_ state: [String: Tensor]) throws { try memory.restore(state, ["teacher"]) }
    public mutating func finish() throws -> [String: Tensor] { memory.state }
    public mutating func takeNotes() -> [String] { memory.takeNotes() }

    public mutating func loss(_ outputs: Outputs, _ batch: Batch) throws -> Loss {
        let rows = NormalizedRows(outputs[Self.student])
        let teacher = NormalizedRows(try batch.teacher(.features, width: (rows.D, "make a student with initialize --head 'linear D' of the teacher's D")))
        guard rows.areFinite else { return .notFinite }
        return try memory.loss(anchorLoss, of: Self.student, rows, teacher, keys: nil, batch)
    }
}
