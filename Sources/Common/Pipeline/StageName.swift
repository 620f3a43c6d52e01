/// What the name of a stage says: `student.3`, `features.student.24.test`, `evaluation.teacher.knn`, `table`.
struct StageName {
    /// The stages of which there is one for each network that is judged, and for each of its parts.
    static let judged = ["features", "evaluation"]

    /// `student`, `features`; the whole name of a stage that is the only one of its kind.
    let kind: String
    /// Of features and evaluations: `student.24`, whose they are.
    let subject: String?
    /// Of features and evaluations: `test`, `knn`.
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

    /// Of a stage of which there are several with numbers: `student`, `teacher`, `store`; nil of others.
    var numbered: String? { number == nil ? nil : kind }
    /// The epoch of the student, whichever, that the stage makes; nil where it makes none's.
    var studentEpoch: Int? { kind == "student" || kind.hasPrefix("student-") ? number : nil }

    /// Whether the stage is an epoch of a network that learns.
    var isTraining: Bool { (studentEpoch ?? epoch(of: "teacher") ?? 0) > 0 }

    /// The epoch after which `network` is what the stage makes, 0 for its beginning; nil where the stage trains another or none.
    func epoch(of network: String) -> Int? { kind == network ? number : nil }
}
