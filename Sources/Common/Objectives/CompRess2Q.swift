import Losses
public import Networks
import Optimizers
public import TensorStreams

/// CompRess with two queues: the student's pooled features are compared with a memory of student features, the
/// teacher's with a memory of teacher features.
///
/// Their widths may differ. The student's memory takes the features of its moving average or, without `key-memory`,
/// the student's own. See ``CompRess``.
public struct CompRess2Q: Objective {
    public static let name = "compress-2q"
    public static let summary = "match the teacher's similarities to a memory, each network with one of its own features (Koohpayegani et al., NeurIPS 2020)"
    public static let inputs = Inputs(views: 1...64, teacher: .features)
    public static let hasFixedTargets = true
    public static let head = StudentHead.none
    public static let defaults: TrainingDefaults? = CompRess.defaults

    static let keyMomentum = MethodOption("key-momentum", default: 0.999, in: 0...1, "The momentum of the key encoder.")
    static let usesKey = MethodOption("key-memory", default: true, "Whether the student's memory holds features of the key encoder; off: the student's own.")
    public static let options: [any AnyMethodOption] = [CompRess.anchors, CompRess.temperature, keyMomentum, usesKey]

    public static func models(_ options: MethodOptions) -> [Model] {
        [.student] + (options[usesKey] ? [.average("key", momentum: .constant(options[keyMomentum]), when: .afterStep)] : [])
    }

    public static func usualQueue(images: Int) -> Int { CompRess.rows(images: images) }
    public static let sizedOptions = [CompRess.size]
    public static func keptCount(K: Int, teacherWidth: Int, student: Network) -> Int { K * (teacherWidth + student.featureWidth) }

    private static let key = Pass("key", model: "key", .view(0), output: .features, hasGradient: false)
    private static let student = Pass("student", .view(0), output: .features)
    public static func passes(_ options: MethodOptions) -> [Pass] { (options[usesKey] ? [key] : []) + [student] }
    private let anchorLoss: AnchorLoss
    private let usesKey: Bool
    private var memory: AnchorMemory

    public init(_ options: MethodOptions, _ facts: TrainingFacts) throws {
        let temperature = options[CompRess.temperature]
        anchorLoss = AnchorLoss(studentTemperature: temperature, teacherTemperature: temperature)
        usesKey = options[Self.usesKey]
        memory = AnchorMemory(options[CompRess.anchors], facts)
    }

    public mutating func restore(_ state: [String: Tensor]) throws { try memory.restore(state, ["teacher", "student"]) }
    public mutating func finish() throws -> [String: Tensor] { memory.state }
    public mutating func takeNotes() -> [String] { memory.takeNotes() }

    public mutating func loss(_ outputs: Outputs, _ batch: Batch) throws -> Loss {
        let rows = NormalizedRows(outputs[Self.student]), keys = usesKey ? NormalizedRows(outputs[Self.key]) : rows
        let teacher = NormalizedRows(try batch.teacher(.features))
        guard rows.areFinite, keys.areFinite else { return .notFinite }
        return try memory.loss(anchorLoss, of: Self.student, rows, teacher, keys: keys, batch)
    }
}
