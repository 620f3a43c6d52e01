/// The parts of a stage's name: `student.3`, `features.student.24.test`, `evaluation.teacher.knn`, `table`.
struct StageName {
    /// The kinds of stages that exist for each evaluated network and each of its parts.
    static let judged = ["features", "evaluation"]

    /// The kind: `student`, `features`; the whole name for a stage that is the only one of its kind.
    let kind: String
    /// For features and evaluations: the network, such as `student.24`.
    let subject: String?
    /// For features and evaluations: the part, such as `test` or `knn`.
    let part: String?
    private let number: Int?

    init(_ name: String) {
        let words = name.split(separator: ".")
        kind = String(words.first ?? "")
        number = words.count == 2 ? Int(words[1]) : nil
        let isJudged = words.count > 2 && StageName.judged.contains(kind)
        subject = isJudged ? words.dropFirst().dropLast().joined(separator: ".") : nil
        part = isJudged ? words.last.map(String.init) : nil
    }

    /// The kind of a numbered stage: `student`, `teacher`, `store`; nil for others.
    var numbered: String? { number == nil ? nil : kind }
    /// The epoch of any student that the stage makes; nil for other stages.
    var studentEpoch: Int? { kind == "student" || kind.hasPrefix("student-") ? number : nil }

    /// Whether the stage is a training epoch.
    var isTraining: Bool { (studentEpoch ?? epoch(of: "teacher") ?? 0) > 0 }

    /// The epoch of `network` that the stage makes, 0 for its initial weights; nil for other stages.
    func epoch(of network: String) -> Int? { kind == network ? number : nil }
}
