import Objectives
import Platform
import ToolSupport

/// The files for a run's closing table: results, timings and outputs, as paths.
public struct RunResults {
    /// The rows: their name, their results, and separately the result of the embedding if it is evaluated.
    public let rows: [(name: String, results: [String], embedding: String?)]
    /// The stages with their existing logs. A kill between a stage's result and its timing loses the timing.
    public let timings: [(name: String, logs: [String])]
    /// The existing results of students during training, in order.
    public let probes: [(name: String, epoch: Int, path: String)]
    /// The names and paths of output files in the folder.
    public let files: [(name: String, path: String)]
    /// Notes on how the networks were trained.
    public let notes: [String]

    /// - Throws: ``Failure`` if `folder` is not a run.
    public init(in folder: String) throws {
        let stages = try StageTable(in: folder).lines.map(\.name)
        func last(_ network: String) -> Int? { stages.compactMap { StageName($0).epoch(of: network) }.max() }
        guard let epochs = stages.compactMap({ StageName($0).studentEpoch }).max() else { throw Failure(.data, path: folder, "is not a run of make distill") }
        let settings = try RunSettings(remembered: folder), command = settings[TeacherProgram.setting], hasTeacher = settings.teacherOrigin != .none
        // A single student is called "student"; several are named by their networks.
        let students = settings.students, isOne = students.count == 1
        let subjects = settings.teacherTitles.map { ($0.title, $0.name) }
            + students.flatMap { student in [("before", 0), ("after", epochs)].map { ("\(isOne ? "student" : student.network) \($0)", "\(student.name).\($1)") } }
        let isByLabels = !stages.contains { StageName($0).part == "quality" }
        func result(_ subject: String, _ kind: String) -> String { "\(folder)/evaluation/\(subject).\(kind).json" }
        rows = subjects.map { name, subject in
            guard isByLabels else { return (name, [result(subject, "quality")], nil) }
            let usual = [result(subject, "knn"), result(subject, "linear")]
            return settings.method.trainsClassifier ? (name, [result(subject, "classifier")] + usual, nil) : (name, usual, result(subject, "embedding"))
        }
        probes = students.flatMap { student in
            (settings.probe?.epochs(of: epochs) ?? []).map { (isOne ? "student" : student.network, $0, result("\(student.name).\($0)", isByLabels ? "knn" : "quality")) }
        }.filter { FileStamp($0.2) != nil }
        func logs(_ names: [String]) -> [String] {
            names.map { "\(folder)/log/\($0)" }.filter { path in FileStamp(path).map { $0.size > 0 } ?? false }
        }
        /// The stages of a network's epochs, in order.
        func numbered(_ network: String) -> [String] { stages.filter { (StageName($0).epoch(of: network) ?? 0) > 0 } }
        func epochLogs(_ network: String) -> [String] { logs(numbered(network).map { $0 + ".jsonl" }) }
        func all(_ kind: String) -> [String] { logs(stages.filter { StageName($0).kind == kind }.map { $0 + ".json" }) }
        let learning = students.map { student in ((hasTeacher ? "distillation" : settings[Beginning.setting].isEmpty ? "training" : "fine-tuning") + (isOne ? "" : ", \(student.network)"), epochLogs(student.name)) }
        let before = [
            ("drawing images", stages.contains("pictures") ? logs(["pictures.json"]) : []),
            ("training the teacher", last("teacher") == nil ? [] : epochLogs("teacher")), ("teacher's embeddings", all("store")),
        ]
        timings = (before + learning + [("features", all("features")), ("evaluation", all("evaluation"))]).filter { !$0.1.isEmpty }
        // A teacher program has no file.
        let teachers = settings.teacherOrigin == .program ? [] : settings.teacherTitles.map { ($0.title, "\($0.name).safetensors") }
        let trained = students.flatMap { student in
            [(isOne ? "student" : student.network, "\(student.name).safetensors"), ("checkpoint", "\(student.name).\(epochs).safetensors")]
        }
        files = teachers + trained + [("report", "report.html"), ("results", "evaluation"), ("logs", "log")]
        let ofProgram = settings.teacherOrigin != .program ? [] : ["teacher: the rows of '\(command)' are both its features and its embedding"]
        let together = isOne ? [] : ["times: students trained side by side share the images, the teacher and the machine; each shows the time of all"]
        notes = ofProgram + together + (["teacher"] + students.map(\.name)).compactMap { network in
            let schedules = numbered(network).compactMap { StageRecord(reading: $0, in: folder)?.schedule }
            let distinct = Set(schedules).sorted()
            guard distinct.count > 1 else { return nil }
            return "\(network): trained with a schedule of \(distinct.map { "\($0)" }.joined(separator: " epochs, then of ")) epochs"
        }
    }
}
