import Objectives
import TensorStreams
import ToolSupport

/// A teacher whose weights the user supplies: TEACHER, or one of TEACHERS.
struct GivenTeacher {
    /// The value as typed: a file, or a name of ``FetchedTeacher``.
    let value: String
    /// The name in its link, options and stages: `teacher` for the first, `teacher-b` for the second.
    let name: String
    /// Its name in train-step if there are several teachers; nil for a single teacher.
    let letter: String?

    static let setting = "TEACHERS"
    private static let letters = "abcdefghijklmnop".map(String.init)
    /// The possible links besides that of the first teacher.
    static let furtherLinks = letters.indices.dropFirst().map { GivenTeacher("", number: $0).link }
    /// The maximum that train-step takes.
    fileprivate static let most = letters.count

    init(_ value: String) { (self.value, name, letter) = (value, Source.teacher.rawValue, nil) }

    fileprivate init(_ value: String, number: Int) {
        (self.value, letter) = (value, GivenTeacher.letters[number])
        name = Source.teacher.rawValue + (number == 0 ? "" : "-\(GivenTeacher.letters[number])")
    }

    var file: String { FetchedTeacher.file(value) }
    /// The link to the file in the run's folder.
    var link: String { name + ".safetensors" }
    /// The name in messages: `teacher`, `teacher b`.
    var title: String { letter.map { "teacher \($0)" } ?? name }
    /// The setting that names it.
    var setting: String { letter == nil ? "TEACHER" : GivenTeacher.setting }
    /// The name of the tensor of its rows.
    var rowTensor: String { TeacherOutput.embedding.tensor + (letter.map { ".\($0)" } ?? "") }

    /// The combined identity of several teachers.
    static func identity(_ hashes: [String]) -> String { hashes.count == 1 ? hashes[0] : XXH64.of(["teachers"] + hashes) }
}

extension RunSettings {
    /// The teachers whose weights are given; empty if one is trained, or the teacher is a program.
    var givenTeachers: [GivenTeacher] {
        guard teacherOrigin == .given else { return [] }
        guard method.inputs.hasSeveralTeachers else { return [GivenTeacher(self["TEACHER"])] }
        return words(GivenTeacher.setting).prefix(GivenTeacher.most).enumerated().map { GivenTeacher($1, number: $0) }
    }

    /// The names of the networks that students learn from, as in their files and stages.
    var teacherNames: [String] { teacherOrigin == .none ? [] : teacherOrigin == .given ? givenTeachers.map(\.name) : [Source.teacher.rawValue] }

    /// The same names with their titles for messages.
    var teacherTitles: [(title: String, name: String)] {
        let given = givenTeachers
        return given.isEmpty ? teacherNames.map { ($0, $0) } : given.map { ($0.title, $0.name) }
    }

    /// - Throws: ``Failure`` `usage` if the method and TEACHERS do not match.
    func checkTeachers() throws {
        let teachers = words(GivenTeacher.setting), given = "\(GivenTeacher.setting)=\(self[GivenTeacher.setting])", method = "METHOD=\(self["METHOD"])"
        guard self.method.inputs.hasSeveralTeachers else {
            guard !typed.contains(GivenTeacher.setting) || teachers.isEmpty else {
                throw Failure(.usage, "\(given) does not apply to \(method)", remedy: "METHOD=\(SEEDTeachers.name) learns from several teachers; TEACHER names one")
            }
            return
        }
        guard let first = teachers.first else {
            throw Failure(.usage, "\(method) learns from several teachers, and \(GivenTeacher.setting) names none", remedy: "\(GivenTeacher.setting)='a.safetensors b.safetensors'")
        }
        guard teachers.count <= GivenTeacher.most else { throw Failure(.usage, "\(given) names \(teachers.count) teachers, more than the maximum of \(GivenTeacher.most)", remedy: "leave out the others") }
        if let twice = teachers.indices.first(where: { teachers[..<$0].contains(teachers[$0]) }) { throw Failure(.usage, "\(given): \(teachers[twice]) is listed twice", remedy: "name it once") }
        guard self[TeacherProgram.setting].isEmpty else {
            throw Failure(
                .usage, "\(TeacherProgram.setting)=\(self[TeacherProgram.setting]) is one teacher, but \(method) learns from those of \(GivenTeacher.setting)",
                remedy: "clear it with \(TeacherProgram.setting)=; in a shell, embed --command … --as teacher.NAME adds the rows of a program")
        }
        guard self["TEACHER"] == first else {
            throw Failure(.usage, "TEACHER=\(self["TEACHER"]) is not the first of \(given)", remedy: "leave out TEACHER")
        }
    }
}
