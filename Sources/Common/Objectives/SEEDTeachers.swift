import Networks
public import TensorStreams
import ToolSupport

/// SEED from several teachers: the student's embedding is split into one part per teacher, and each part learns that
/// teacher's similarities to a separate queue as in ``SEED``.
///
///     L = Σᵢ wᵢ·SEED(part i, teacher i, queue i)
///
/// Each part is normalised to unit length separately. The teachers may differ in width. Each has its own queue, mean
/// and temperature. There is no paper on this method: its loss is the weighted sum of the losses with each single
/// teacher.
public struct SEEDTeachers: Objective {
    public static let name = "seed-teachers"
    public static let summary = "match the similarities of several teachers, each with a part of the embedding (SEED's loss, summed over teachers)"
    public static let inputs = Inputs(views: 1...64, teacher: .embedding, hasSeveralTeachers: true)
    public static let hasFixedTargets = true

    static let teachers = MethodOption(
        "teachers", default: NameList(names: ["a", "b"]), takes: "names with commas between them, of letters, digits and -, a letter first",
        "The teachers, whose rows are the tensors teacher.NAME (embed --as teacher.NAME), in the order of their parts of the embedding.") { $0.isValid }
    static let weights = MethodOption(
        "teacher-weights", default: NumberList(numbers: []), defaultText: "1 each", takes: "numbers of 0 to 1e6 with commas between them", "The weights of the teachers' losses, not all 0.") { $0.isValid && ($0.numbers.isEmpty || $0.numbers.contains { $0 > 0 }) }
    public static let options: [any AnyMethodOption] = [teachers, weights] + SEED.lossOptions

    public static func conflict(_ options: MethodOptions) -> String? {
        let names = options[teachers].names, weights = options[weights].numbers
        return weights.isEmpty || weights.count == names.count ? nil : "--\(Self.weights.name) has \(weights.count) numbers where --\(teachers.name) has \(names.count) names; give one for each"
    }

    private static let student = Pass("student", .view(0))
    public static func passes(_ options: MethodOptions) -> [Pass] { [student] }

    private struct Teacher {
        let name: String
        let weight: Double
        var pairs: PairLossClient
        var tensor: String { SEEDTeachers.tensor(name) }
    }

    private static func tensor(_ name: String) -> String { TeacherOutput.embedding.tensor + "." + name }
    private var teachers: [Teacher]
    /// The name of the tensor that holds the index of a teacher's part.
    private static let part = "part"

    public init(_ options: MethodOptions, _ facts: TrainingFacts) throws {
        let weights = options[Self.weights].numbers
        teachers = try options[Self.teachers].names.enumerated().map { Teacher(name: $1, weight: weights.indices.contains($0) ? weights[$0] : 1, pairs: try PairLossClient(SEED.self, options, facts)) }
    }

    public mutating func restore(_ state: [String: Tensor]) throws {
        guard !state.isEmpty else { return }
        let kept = Set(state.keys.compactMap { $0.split(separator: ".", maxSplits: 1).first.map(String.init) })
        guard kept == Set(teachers.map(\.name)) else {
            throw TensorDocument(tensors: state).failure(
                "holds queues of the teachers \(kept.sorted().joined(separator: ",")) where --\(Self.teachers.name) has \(teachers.map(\.name).joined(separator: ","))",
                remedy: "name the same, or begin with the student's weights alone")
        }
        for i in teachers.indices {
            let start = teachers[i].name + ".", part = try TensorDocument(tensors: state).number(start + Self.part, in: 0...teachers.count - 1)
            guard part == i else {
                throw TensorDocument(tensors: state).failure(
                    "has the teacher \(teachers[i].name) for part \(part) of the embedding where --\(Self.teachers.name) has it for part \(i)", remedy: "name them in the order that they had")
            }
            try teachers[i].pairs.restore(Dictionary(uniqueKeysWithValues: state.filter { $0.key.hasPrefix(start) && $0.key != start + Self.part }.map { (String($0.key.dropFirst(start.count)), $0.value) }))
        }
    }

    public mutating func finish() throws -> [String: Tensor] {
        var state: [String: Tensor] = [:]
        for i in teachers.indices {
            for (name, tensor) in try teachers[i].pairs.finish() { state["\(teachers[i].name).\(name)"] = tensor }
            state["\(teachers[i].name).\(Self.part)"] = Tensor(i64: [Int64(i)], shape: [1])
        }
        return state
    }

    public mutating func takeNotes() -> [String] { teachers.indices.flatMap { i in teachers[i].pairs.takeNotes().map { "teacher \(teachers[i].name): \($0)" } } }

    public var sampledTensors: [String] { teachers.filter(\.pairs.isNew).map(\.tensor) }
    public mutating func setSample(_ sample: Tensor, of tensor: String) {
        for i in teachers.indices where teachers[i].tensor == tensor { teachers[i].pairs.sample = sample }
    }

    public mutating func loss(_ outputs: Outputs, _ batch: Batch) throws -> Loss {
        let student = outputs[Self.student], D = student.D
        let rows = try teachers.map { teacher -> Tensor in
            guard batch.record.tensors[teacher.tensor] != nil else {
                throw batch.record.failure("has no tensor '\(teacher.tensor)'", remedy: "send it through embed --as \(teacher.tensor), or name the teachers with --\(Self.teachers.name)")
            }
            let rows = try batch.record.tensor(teacher.tensor, .f32, shape: [batch.N, nil])
            guard rows.shape[1] > 0 else { throw batch.record.failure("has rows without numbers in '\(teacher.tensor)'") }
            return rows
        }
        let width = rows.reduce(0) { $0 + $1.shape[1] }
        guard width == D else {
            throw batch.record.failure(
                "has teacher embeddings of \(rows.map { "\($0.shape[1])" }.joined(separator: " + ")) numbers where the student's have \(D)",
                remedy: "make a student with initialize --embedding \(width)")
        }
        var value = 0.0, gradient = [Float](repeating: 0, count: student.values.count), metrics: [Metric] = [], start = 0
        for i in teachers.indices {
            let part = start..<start + rows[i].shape[1], weight = teachers[i].weight
            let own = PassOutput((0..<student.N).flatMap { student.values[$0 * D + part.lowerBound..<$0 * D + part.upperBound] }, N: student.N, D: part.count)
            let loss = try teachers[i].pairs.loss(own, of: Self.student, teacher: rows[i], batch)
            guard loss.value.isFinite, let partGradient = loss.gradients[Self.student.name] else { return .notFinite }
            value += weight * loss.value
            for n in 0..<student.N { for d in 0..<part.count { gradient[n * D + part.lowerBound + d] = Float(weight) * partGradient[n * part.count + d] } }
            metrics = Self.sum(metrics, loss.metrics, weight)
            metrics.append(Metric("loss_\(teachers[i].name)", loss.value, label: "teacher \(teachers[i].name)"))
            start = part.upperBound
        }
        return Loss(value, gradients: [Self.student.name: gradient], metrics: metrics)
    }

    /// The floor, the divergence and the uniform loss are weighted sums; all other metrics are those of the first
    /// teacher.
    private static func sum(_ all: [Metric], _ own: [Metric], _ weight: Double) -> [Metric] {
        let summed = ["floor", "kl", "uniform_loss"]
        guard !all.isEmpty else { return own.map { summed.contains($0.name) ? $0.adding((weight - 1) * $0.value) : $0 } }
        return all.map { metric in
            guard summed.contains(metric.name), let other = own.first(where: { $0.name == metric.name }) else { return metric }
            return metric.adding(weight * other.value)
        }
    }
}

/// Names separated by commas.
struct NameList: MethodOptionValue {
    let names: [String]

    init(names: [String]) { self.names = names }
    init?(optionText text: String) { names = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init) }
    var optionText: String? { names.joined(separator: ",") }

    /// Whether the names are distinct and cannot be confused with those of crop groups.
    fileprivate var isValid: Bool {
        let letters = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"), all = letters.union("0123456789-")
        return (1...16).contains(names.count) && Set(names).count == names.count && !names.contains("sample")
            && names.allSatisfy { $0.first.map(letters.contains) == true && $0.count <= 32 && $0.allSatisfy(all.contains) }
    }
}

/// Numbers separated by commas.
struct NumberList: MethodOptionValue {
    let numbers: [Double]

    init(numbers: [Double]) { self.numbers = numbers }
    init?(optionText text: String) {
        let parts = text.split(separator: ",", omittingEmptySubsequences: false).map { Double($0) }
        numbers = parts.compactMap { $0 }
        guard numbers.count == parts.count else { return nil }
    }
    var optionText: String? { numbers.isEmpty ? nil : numbers.map { "\($0)" }.joined(separator: ",") }

    fileprivate var isValid: Bool { numbers.allSatisfy { (0...1e6).contains($0) } }
}
