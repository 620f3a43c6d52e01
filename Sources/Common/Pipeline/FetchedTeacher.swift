import Platform
import ToolSupport

/// A teacher that TEACHER names and that is not there yet: weights of others, brought by `pipelines/fetch-teacher`.
enum FetchedTeacher {
    static let names = ["efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2"]
    private static let folder = ".build/teachers"

    /// The file of weights that a value of TEACHER means. What lies under the name itself comes first.
    static func file(_ teacher: String) -> String {
        let isThere = unsafe access(teacher, F_OK) == 0
        return names.contains(teacher) && !isThere ? "\(folder)/\(teacher).safetensors" : teacher
    }

    /// Brings the file where it is one to be fetched and is not there.
    ///
    /// - Parameter pipelines: the folder with the script, which says what it does.
    static func fetch(_ teacher: String, pipelines: String) throws {
        let file = file(teacher)
        let isThere = unsafe access(file, F_OK) == 0
        guard file != teacher, !isThere else { return }
        guard let process = Spawn(["\(pipelines)/fetch-teacher", teacher, folder]).start() else {
            throw Failure.errno(.noInput, path: "TEACHER=\(teacher)", "cannot start \(pipelines)/fetch-teacher")
        }
        let status = Spawn.wait(for: process)
        guard status == 0 else {
            throw Failure(.noInput, path: "TEACHER=\(teacher)", "could not be fetched: fetch-teacher \(WaitStatus.words(status))", remedy: "give TEACHER the name of a file")
        }
    }
}

extension RunSettings {
    /// The file of the teacher's weights; empty where one is to be trained.
    var teacherFile: String { FetchedTeacher.file(self["TEACHER"]) }
}
