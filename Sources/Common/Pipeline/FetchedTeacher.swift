import Objectives
import Platform
import TensorStreams
import ToolSupport

/// A teacher that TEACHER names and that is not there yet: weights of others, brought by `pipelines/fetch-teacher`.
enum FetchedTeacher {
    static let names = ["efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2"]
    /// The teacher of a person's own images, where none is named.
    static let usual = names[0]
    /// What TEACHER is where one is to be trained.
    static let none = "none"
    /// What says how a teacher is trained.
    static let training = ["TEACHER_NETWORK", "TEACHER_OBJECTIVE", "TEACHER_EPOCHS", "TEACHER_BATCH", "TEACHER_OPTIONS"]
    private static let folder = ".build/teachers"

    /// What TEACHER is, empty where one is trained or a program is one, and what the run remembers where the method needs none: as it was typed, or as the run remembers it, or the usual one. Who says how to train one,
    /// or names a program, wants no other.
    static func value(typed: [String: String], remembered: [String: String], isDemonstration: Bool, method: String?) -> String {
        if let given = typed["TEACHER"] { return given == none ? "" : given }
        if let method = method.flatMap(Methods.named), method.inputs.hasSeveralTeachers {
            return (typed[GivenTeacher.setting] ?? remembered[GivenTeacher.setting]).flatMap { ShellWords.split($0)?.first } ?? ""
        }
        // The usual one is no classifier.
        if let method = method.flatMap(Methods.named), method.inputs.teacher == nil || method.inputs.teacher == .logits { return remembered["TEACHER"] ?? "" }
        let program = typed[TeacherProgram.setting] ?? remembered[TeacherProgram.setting] ?? ""
        // Empty beside a program, it did not mean that a teacher is trained.
        let meantProgram = remembered["TEACHER"] == "" && !(remembered[TeacherProgram.setting] ?? "").isEmpty && program.isEmpty
        if let before = remembered["TEACHER"], !meantProgram, before != usual || program.isEmpty { return before }
        return isDemonstration || !program.isEmpty || training.contains { typed[$0] != nil } ? "" : usual
    }

    /// The file of weights that a value of TEACHER means. What lies under the name itself comes first.
    static func file(_ teacher: String) -> String {
        let isThere = unsafe access(teacher, F_OK) == 0
        return names.contains(teacher) && !isThere ? "\(folder)/\(teacher).safetensors" : teacher
    }

    /// Brings the file where it is one to be fetched and is not there.
    ///
    /// - Parameters:
    ///   - setting: that names it.
    ///   - pipelines: the folder with the script, which says what it does.
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
                remedy: "give \(setting) the name of a file of weights" + (setting == "TEACHER" ? ", or TEACHER=none to train a teacher" : ""))
        }
        guard let published = try TextFile.read("\(folder)/\(teacher).published", end: "end of published")?.first else { return }
        try TextFile.write([published, try XXH64.ofFile(file)], end: originEnd, to: file + originSuffix)
    }

    /// The SHA-256 of the published file that the weights at `path` were taken out of; nil where they were not fetched, or are others since.
    ///
    /// A run knows a fetched teacher by it: what is fetched again, or taken out by another version of the tools, is the same teacher.
    ///
    /// - Parameter bytes: the hash of the file as it is now.
    static func published(_ path: String, bytes: String) -> String? {
        guard let file = try? RunFolder.resolved(path), let lines = try? TextFile.read(file + originSuffix, end: originEnd), lines.count == 2, lines[1] == bytes else { return nil }
        return lines[0]
    }

    /// Beside a file that was fetched: the SHA-256 of what was published, and the hash of the file.
    private static let originSuffix = ".origin"
    private static let originEnd = "end of origin"
}
