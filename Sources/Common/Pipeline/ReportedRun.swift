public import Datasets
import Objectives
import Platform
import TensorStreams
import ToolSupport

/// What a report of a run is made of: what is there, whether it is at its end or not.
public struct ReportedRun {
    /// A network that has been judged: the teacher, or a student after some epochs.
    public struct Subject: Sendable {
        /// `teacher`, `student before`, `resnet18 after epoch 20`.
        public let title: String
        /// `student.20`: what its files are named by.
        public let name: String
        public let isTeacher: Bool
        /// Whether it is the furthest of its student.
        public let isLatest: Bool
        /// Of a student, as its course is called, and the epochs that it has learnt for.
        public var network = "", epoch: Int?
    }

    /// The run's folder.
    public let folder: String
    /// The run's name.
    public let name: String
    /// Whether networks are judged by labels.
    public let isByLabels: Bool
    private let hasTest: Bool
    /// The target of make that it is a run of.
    private let target: String
    /// Networks of which there are evaluations.
    public let subjects: [Subject]
    /// The logs of what has been trained, a line of JSON for an epoch, each with the network's name.
    public let courses: [(title: String, logs: [String])]
    /// Epochs of the students that are done, of those there shall be.
    public let epochs: (done: Int, all: Int)
    /// The values of settings that are not empty, in the order of their help.
    public let settings: [(name: String, value: String)]

    /// - Throws: ``Failure`` where `folder` is no run.
    public init(in folder: String) throws {
        self.folder = folder
        guard unsafe access("\(folder)/\(RunSettings.file)", F_OK) == 0 else { throw Failure(.noInput, path: folder, "is no run's folder", remedy: "name one that make has made, such as runs/shapes") }
        let run = try RunSettings(remembered: folder), stages = try StageTable(in: folder).lines.map(\.name)
        name = ReportedRun.name(of: folder)
        hasTest = !run["TEST"].isEmpty
        target = run.method.trainsClassifier ? "finetune" : run.teacherOrigin == .none ? "pretrain" : "distill"
        let isByLabels = !stages.contains { StageName($0).part == "quality" }
        self.isByLabels = isByLabels
        // What the run remembers for another method alone is none of its settings.
        settings = Setting.all.filter { $0.isKept && ($0.name != GivenTeacher.setting || run.method.inputs.hasSeveralTeachers) }.map { ($0.name, run[$0.name]) }.filter { !$0.1.isEmpty }
        let students = run.students, all = run.number("EPOCHS"), isOne = students.count == 1
        func isDone(_ stage: String) -> Bool { StageRecord(reading: stage, in: folder) != nil }
        epochs = (students.map { student in (0...all).last { $0 == 0 || isDone("\(student.name).\($0)") } ?? 0 }.min() ?? 0, all)
        // What nothing needs has a record too, and no file.
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

    /// The last part of the folder's path, however it was named.
    private static func name(of folder: String) -> String {
        guard let whole = unsafe realpath(folder, nil) else { return folder.lastPathPart ?? folder }
        defer { unsafe free(whole) }
        return unsafe String(cString: whole).lastPathPart ?? folder
    }

    private static func logs(_ network: String, _ epochs: Int, _ folder: String) -> [String] {
        (1...max(1, epochs)).map { "\(folder)/log/\(network).\($0).jsonl" }.filter { FileStamp($0) != nil }
    }

    /// What evaluate has written of a network by a protocol; nil where it has not.
    public func result(_ subject: Subject, _ protocolName: String) -> String? {
        let path = "\(folder)/evaluation/\(subject.name).\(protocolName).json"
        return FileStamp(path) == nil ? nil : path
    }

    /// The features of a network on `train` or `test`; nil where there are none. Without labels all are judged, and are train.
    public func features(_ subject: Subject, _ part: String) -> String? {
        let path = "\(folder)/features/\(subject.name).\(part).tensors.zst"
        return FileStamp(path) == nil ? nil : path
    }

    /// The images of which features are made, as augment opened them.
    ///
    /// - Throws: ``Failure`` where they are not there any more, or are others.
    public func images(_ part: String) throws -> Dataset {
        let lines = String(decoding: try TextFile.bytes("\(folder)/options/features.\(part)") ?? [], as: UTF8.self).split(separator: "\n").map(String.init)
        guard let data = ShellWords.value(of: "--data", in: lines) else { throw Failure(.data, path: "\(folder)/options/features.\(part)", "names no --data") }
        // Numbers of images are those of the files that there were.
        if let source = Source.allCases.first(where: { $0.link == data }), FileStamp("\(folder)/\(source.list)") != nil {
            do { try SourceCheck(stage: "report", folder: folder, hasTest: hasTest, teachers: [], program: nil).check([source]) } catch let failure as Failure {
                throw Failure(.data, path: failure.path, "has changed since features were made of it")
            }
        }
        func inRun(_ path: String) -> String { path.hasPrefix("/") ? path : "\(folder)/\(path)" }
        let classes = try ShellWords.value(of: "--class-list", in: lines).map { try ClassList.read(inRun($0)) } ?? []
        return try Dataset(inRun(data), split: ShellWords.value(of: "--split", in: lines), classes: classes)
    }

    /// The commands that make the run again.
    public var commands: [String] {
        let words = settings.map { "\($0.name)=\(ReportedRun.quoted($0.value))" }
        return ["make \(target) NAME=\(ReportedRun.quoted(name)) " + words.joined(separator: " ")]
    }

    /// A word for the shell.
    public static func quoted(_ word: String) -> String {
        let plain = word.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-_./:,+@%".contains($0)) }
        return plain ? word : "'" + word.replacing("'", with: "'\\''") + "'"
    }
}
