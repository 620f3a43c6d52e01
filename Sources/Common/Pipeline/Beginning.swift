import Checkpoints
import Networks
import Platform
import ToolSupport

/// The opened FROM file: the network that a run's student starts from, and its hash.
struct Beginning {
    let network: Network
    let hash: String
    /// What was taken from the file, in words.
    let coverage: String

    static let setting = "FROM"
    /// The link in the run's folder.
    static let link = Source.from.link

    /// - Throws: ``Failure`` if the file is not a network that can be trained further.
    init(_ path: String, known: inout FileHashes) throws {
        let file = try Teacher(path, as: Source.from.rawValue, known: &known)
        guard file.network.trains else {
            throw Failure(.data, path: path, "is a \(file.network.name), which can be a teacher but cannot be trained", remedy: "name a ResNet, RegNet, MobileNet or EfficientNet")
        }
        (network, hash, coverage) = (file.network, file.hash, file.whole)
    }

    /// - Throws: ``Failure`` if FROM is a run whose student is not finished, or no longer matches the file.
    static func checkRun(_ given: String) throws {
        guard unsafe access(given + "/stages", F_OK) == 0, unsafe access(given + "/done/student", F_OK) != 0 else { return }
        throw Failure(.noInput, path: given, "is a run whose student is not finished", remedy: "run make distill first, or name a file of weights")
    }

    /// The file that a value of FROM means: a run folder means its student, a fetchable name means its downloaded file.
    static func file(_ given: String) -> String {
        let student = given + "/student.safetensors", isRun = unsafe access(student, F_OK) == 0
        return isRun ? student : FetchedTeacher.file(given)
    }
}

extension RunSettings {
    /// The file of the student's initial weights; empty if they are random.
    var beginningFile: String { self[Beginning.setting].isEmpty ? "" : Beginning.file(self[Beginning.setting]) }

    /// The same settings with the student's network set to that of `beginning`.
    ///
    /// - Throws: ``Failure`` if another network was requested.
    func beginning(with beginning: Beginning) throws -> RunSettings {
        let name = beginning.network.name
        guard !typed.contains("STUDENT") || self["STUDENT"] == name else {
            throw Failure(.usage, "STUDENT=\(self["STUDENT"]): \(Beginning.setting)=\(self[Beginning.setting]) is a \(name)", remedy: "leave out STUDENT")
        }
        return setting("STUDENT", to: name)
    }
}
