public import Datasets
import Objectives
import Platform
import TensorStreams
import ToolSupport

/// The inputs of a run's report: everything that exists, whether the run is finished or not.
public struct ReportedRun {
    /// An evaluated network: the teacher, or a student after some epochs.
    public struct Subject: Sendable {
        /// For display: `teacher`, `student before`, `resnet18 after epoch 20`.
        public let title: String
        /// The base name of its files: `student.20`.
        public let name: String
        public let isTeacher: Bool
        /// Whether it is the latest evaluated network of its student.
        public let isLatest: Bool
        /// For a student: the name of its training curve, and the number of epochs it was trained for.
        public var network = "", epoch: Int?
    }

    /// The run's folder.
    public let folder: String
    /// The run's name.
    public let name: String
    /// Whether networks are evaluated with labels.
    public let isByLabels: Bool
    private let hasTest: Bool
    /// The make target for the run.
    private let target: String
    /// The networks with evaluation results.
    public let subjects: [Subject]
    /// The training logs with the network's name: one file per epoch, with lines of JSON.
    public let courses: [(title: String, logs: [String])]
    /// The number of finished epochs of the students, and the total.
    public let epochs: (done: Int, all: Int)
    /// The non-empty settings, in the order of `make help`.
    public let settings: [(name: String, value: String)]

    /// - Throws: ``Failure`` if `folder` is not a run.
    public init(in folder: String) throws {
        self.folder = folder
        guard unsafe access("\(folder)/\(RunSettings.file)", F_OK) == 0 else { throw Failure(.noInput, path: folder, "is not the folder of a run", remedy: "name one that make created, such as runs/shapes") }
        let run = try RunSettings(remembered: folder), stages = try StageTable(in: folder).lines.map(\.name)
        name = ReportedRun.name(of: folder)
        hasTest = !run["TEST"].isEmpty
        target = run.method.trainsClassifier ? "finetune" : run.teacherOrigin == .none ? "pretrain" : "distill"
        let isByLabels = !stages.contains { StageName($0).part == "quality" }
        self.isByLabels = isByLabels
        // Teachers that the run remembers for another method are not part of its settings.
        settings = Setting.all.filter { $0.isKept && ($0.name != GivenTeacher.setting || run.method.inputs.hasSeveralTeachers) }.map { ($0.name, run[$0.name]) }.filter { !$0.1.isEmpty }
        let students = run.students, all = run.number("EPOCHS"), isOne = students.count == 1
        func isDone(_ stage: String) -> Bool { StageRecord(reading: stage, in: folder) != nil }
        epochs = (students.map { student in (0...all).last { $0 == 0 || isDone("\(student.name).\($0)") } ?? 0 }.min() ?? 0, all)
        // A stage that nothing needs may have a record but no file.
        func isJudged(_ name: String) -> Bool {
            let kind = isByLabels ? "knn" : "quality"
            return isDone("evaluation.\(name).\(kind)") && FileStamp("\(folder)/evaluation/\(name).\(kind).json") != nil
        }
        subjects = run.teacherTitles.filter { isJudged($0.name) }.map { Subject(title: $0.title, name: $0.name, isTeacher: true, isLatest: true) }
            + students.flatMap { student in
                let known = isOne ? "student" : student.network, judged = (0...all).filter { isJudged("\(student.name).\($0)") }
                return judged.map { epoch in
                    Subject(
                        title: epoch == 0 ? "\(known) before" : epoch == all ? "\(known) after" : "\(known) after epoch \(epoch)", name: "\(student.name).\(epoch)", isTeacher: false,
                        isLatest: epoch == judged.last, network: known, epoch: epoch)
                }
            }
        courses = (run.trainsTeacher ? [("teacher", "teacher")] : []) .map { title, name in (title, ReportedRun.logs(name, run.number("TEACHER_EPOCHS"), folder)) }
            + students.map { student in (isOne ? "student" : student.network, ReportedRun.logs(student.name, all, folder)) }
    }

    /// The last part of the folder's resolved path.
    private static func name(of folder: String) -> String {
        guard let whole = unsafe realpath(folder, nil) else { return folder.lastPathPart ?? folder }
        defer { unsafe free(whole) }
        return unsafe String(cString: whole).lastPathPart ?? folder
    }

    private static func logs(_ network: String, _ epochs: Int, _ folder: String) -> [String] {
        (1...max(1, epochs)).map { "\(folder)/log/\(network).\($0).jsonl" }.filter { FileStamp($0) != nil }
    }

    /// The result of evaluate for a network and a protocol; nil if there is none.
    public func result(_ subject: Subject, _ protocolName: String) -> String? {
        let path = "\(folder)/evaluation/\(subject.name).\(protocolName).json"
        return FileStamp(path) == nil ? nil : path
    }

    /// The features of a network on `train` or `test`; nil if there are none. Without labels all features are `train`.
    public func features(_ subject: Subject, _ part: String) -> String? {
        let path = "\(folder)/features/\(subject.name).\(part).tensors.zst"
        return FileStamp(path) == nil ? nil : path
    }

    /// The images of the features, opened as by augment.
    ///
    /// - Throws: ``Failure`` if they no longer exist, or have changed.
    public func images(_ part: String) throws -> Dataset {
        let lines = String(decoding: try TextFile.bytes("\(folder)/options/features.\(part)") ?? [], as: UTF8.self).split(separator: "\n").map(String.init)
        guard let data = ShellWords.value(of: "--data", in: lines) else { throw Failure(.data, path: "\(folder)/options/features.\(part)", "has no --data") }
        // Image numbers refer to the files at the time of the features.
        if let source = Source.allCases.first(where: { $0.link == data }), FileStamp("\(folder)/\(source.list)") != nil {
            do { try SourceCheck(stage: "report", folder: folder, hasTest: hasTest, teachers: [], program: nil).check([source]) } catch let failure as Failure {
                throw Failure(.data, path: failure.path, "has changed since features were made from it")
            }
        }
        func inRun(_ path: String) -> String { path.hasPrefix("/") ? path : "\(folder)/\(path)" }
        let classes = try ShellWords.value(of: "--class-list", in: lines).map { try ClassList.read(inRun($0)) } ?? []
        return try Dataset(inRun(data), split: ShellWords.value(of: "--split", in: lines), classes: classes)
    }

    /// The commands that reproduce the run.
    public var commands: [String] {
        let words = settings.map { "\($0.name)=\(ReportedRun.quoted($0.value))" }
        return ["make \(target) NAME=\(ReportedRun.quoted(name)) " + words.joined(separator: " ")]
    }

    /// Quotes a word for the shell.
    public static func quoted(_ word: String) -> String {
        let plain = word.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-_./:,+@%".contains($0)) }
        return plain ? word : "'" + word.replacing("'", with: "'\\''") + "'"
    }
}
