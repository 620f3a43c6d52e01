import Checkpoints
import Networks
import Platform
import ToolSupport

/// FROM, opened: the network that a run's student begins with, and what it is, as a hash.
struct Beginning {
    let network: Network
    let hash: String
    /// What was taken of the file, in words.
    let coverage: String

    static let setting = "FROM"
    /// In the run's folder.
    static let link = Source.from.link

    /// - Throws: ``Failure`` where the file is none that a network can go on from.
    init(_ path: String, known: inout FileHashes) throws {
        let file = try Teacher(path, as: Source.from.rawValue, known: &known)
        guard file.network.trains else {
            throw Failure(.data, path: path, "is a \(file.network.name), which can be a teacher but not be trained", remedy: "name a ResNet, RegNet, MobileNet or EfficientNet")
        }
        (network, hash, coverage) = (file.network, file.hash, file.whole)
    }

    /// - Throws: ``Failure`` where FROM is a run whose student is not done, or is another than the file by now.
    static func checkRun(_ given: String) throws {
        guard unsafe access(given + "/stages", F_OK) == 0, unsafe access(given + "/done/student", F_OK) != 0 else { return }
        throw Failure(.noInput, path: given, "is a run whose student is not done", remedy: "make distill first, or name a file of weights")
    }

    /// The file that a value of FROM means: of a run's folder its student, of what is to be fetched where that will lie.
    static func file(_ given: String) -> String {
        let student = given + "/student.safetensors", isRun = unsafe access(student, F_OK) == 0
        return isRun ? student : FetchedTeacher.file(given)
    }
}

extension RunSettings {
    /// The file of the weights that the student begins with; empty where it begins with random numbers.
    var beginningFile: String { self[Beginning.setting].isEmpty ? "" : Beginning.file(self[Beginning.setting]) }

    /// The same settings where the student begins with `beginning`, whose network it is.
    ///
    /// - Throws: ``Failure`` where another network was asked for.
    func beginning(with beginning: Beginning) throws -> RunSettings {
        let name = beginning.network.name
        guard !typed.contains("STUDENT") || self["STUDENT"] == name else {
            throw Failure(.usage, "STUDENT=\(self["STUDENT"]): \(Beginning.setting)=\(self[Beginning.setting]) is a \(name)", remedy: "leave out STUDENT")
        }
        return setting("STUDENT", to: name)
    }
}
