import ToolSupport

/// A network that a run trains as a student.
struct Student {
    /// The network, such as `resnet18`.
    let network: String
    /// The name in its stages and files: `student` for the network in STUDENT, `student-resnet50` for another. A run
    /// therefore keeps the results of its students when others are added or removed.
    let name: String

    init(_ network: String, of settings: RunSettings) {
        self.network = network
        name = network == settings["STUDENT"] ? "student" : "student-\(network)"
    }

    /// The suffix of its export stages and their files after the kind: "", "-resnet50".
    var suffix: String { String(name.dropFirst("student".count)) }

    static let setting = "STUDENTS"
}

extension RunSettings {
    /// The students, which share an epoch's images and the teacher's pass over them.
    var students: [Student] {
        let networks = self[Student.setting].split(separator: " ").map(String.init)
        return (networks.isEmpty ? [self["STUDENT"]] : networks).map { Student($0, of: self) }
    }

    /// - Throws: ``Failure`` `usage`.
    func checkStudents() throws {
        let networks = students.map(\.network), given = "\(Student.setting)=\(self[Student.setting])"
        if let twice = networks.indices.first(where: { networks[..<$0].contains(networks[$0]) }) { throw Failure(.usage, "\(given): \(networks[twice]) is listed twice", remedy: "name it once") }
        guard self[Student.setting].isEmpty || self[Beginning.setting].isEmpty else {
            throw Failure(.usage, "\(given): \(Beginning.setting)=\(self[Beginning.setting]) is one network, from which only one student can start", remedy: "leave one of them out, or give it with nothing after its =")
        }
        if typed.contains("STUDENT"), !networks.contains(self["STUDENT"]) {
            throw Failure(.usage, "STUDENT=\(self["STUDENT"]) is not among \(given)", remedy: "name it there too, or clear \(Student.setting) with \(Student.setting)=")
        }
    }

    /// The value of STUDENT. If only STUDENTS is given, it is the first of them.
    static func student(typed: [String: String], remembered: [String: String]) -> String? {
        if let student = typed["STUDENT"] ?? remembered["STUDENT"] { return student }
        return (typed[Student.setting] ?? remembered[Student.setting])?.split(separator: " ").first.map(String.init)
    }
}
