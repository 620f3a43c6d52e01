import Objectives
import Platform
import TensorStreams
import ToolSupport

/// A TEACHER that is downloaded by `pipelines/fetch-teacher`: published weights of third parties.
enum FetchedTeacher {
    static let names = ["efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2"]
    /// The default teacher for a user's own images.
    static let usual = names[0]
    /// The value of TEACHER that requests training a teacher.
    static let none = "none"
    /// The settings of the teacher's training.
    static let training = ["TEACHER_NETWORK", "TEACHER_OBJECTIVE", "TEACHER_EPOCHS", "TEACHER_BATCH", "TEACHER_OPTIONS"]
    private static let folder = ".build/teachers"

    /// The value of TEACHER: as typed, else as the run remembers it, else the default.
    ///
    /// It is empty if a teacher is trained or a program is the teacher. For a method with several teachers it is the
    /// first of them. There is no default for a method that needs no teacher or learns logits, for synthetic images, or
    /// if settings of a teacher's training or a program are given.
    static func value(typed: [String: String], remembered: [String: String], isDemonstration: Bool, method: String?) -> String {
        if let given = typed["TEACHER"] { return given == none ? "" : given }
        if let method = method.flatMap(Methods.named), method.inputs.hasSeveralTeachers {
            return (typed[GivenTeacher.setting] ?? remembered[GivenTeacher.setting]).flatMap { ShellWords.split($0)?.first } ?? ""
        }
        // The default teacher is not a classifier.
        if let method = method.flatMap(Methods.named), method.inputs.teacher == nil || method.inputs.teacher == .logits { return remembered["TEACHER"] ?? "" }
        let program = typed[TeacherProgram.setting] ?? remembered[TeacherProgram.setting] ?? ""
        // If TEACHER was empty because a program was the teacher, this did not request training a teacher.
        let meantProgram = remembered["TEACHER"] == "" && !(remembered[TeacherProgram.setting] ?? "").isEmpty && program.isEmpty
        if let before = remembered["TEACHER"], !meantProgram, before != usual || program.isEmpty { return before }
        return isDemonstration || !program.isEmpty || training.contains { typed[$0] != nil } ? "" : usual
    }

    /// The file of weights that a value of TEACHER means. An existing file of that name has precedence.
    static func file(_ teacher: String) -> String {
        let isThere = unsafe access(teacher, F_OK) == 0
        return names.contains(teacher) && !isThere ? "\(folder)/\(teacher).safetensors" : teacher
    }

    /// Downloads the file if the value is a fetchable name and the file does not exist.
    ///
    /// - Parameters:
    ///   - setting: the setting with that value.
    ///   - pipelines: the folder of the script, which reports what it does.
    static func fetch(_ teacher: String, setting: String = "TEACHER", pipelines: String) throws {
        let file = file(teacher)
        let isThere = unsafe access(file, F_OK) == 0
        guard file != teacher, !isThere else { return }
        guard let process = Spawn(["\(pipelines)/fetch-teacher", teacher, folder]).start() else {
            throw Failure.errno(.noInput, path: "\(setting)=\(teacher)", "cannot start \(pipelines)/fetch-teacher")
        }
        let status = Spawn.wait(for: process)
        guard status == 0 else {
            throw Failure(
                .noInput, path: "\(setting)=\(teacher)", "could not be fetched: fetch-teacher \(WaitStatus.words(status))",
                remedy: "set \(setting) to a file of weights" + (setting == "TEACHER" ? ", or TEACHER=none to train a teacher" : ""))
        }
        guard let published = try TextFile.read("\(folder)/\(teacher).published", end: "end of published")?.first else { return }
        try TextFile.write([published, try XXH64.ofFile(file)], end: originEnd, to: file + originSuffix)
    }

    /// The SHA-256 of the published file from which the weights at `path` were extracted; nil if they were not fetched,
    /// or have changed since.
    ///
    /// It identifies a fetched teacher in a run: the same teacher may be fetched again or extracted by another version
    /// of the tools.
    ///
    /// - Parameter bytes: the hash of the current file.
    static func published(_ path: String, bytes: String) -> String? {
        guard let file = try? RunFolder.resolved(path), let lines = try? TextFile.read(file + originSuffix, end: originEnd), lines.count == 2, lines[1] == bytes else { return nil }
        return lines[0]
    }

    /// The file beside fetched weights: the SHA-256 of the published file, and the hash of the weights.
    private static let originSuffix = ".origin"
    private static let originEnd = "end of origin"
}
