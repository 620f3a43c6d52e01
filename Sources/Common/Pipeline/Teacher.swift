import Archives
import Checkpoints
import Datasets
import Networks
import TensorStreams
import ToolSupport

/// The opened TEACHER: its network and its hash.
struct Teacher {
    let network: Network
    let hash: String
    /// What was taken from a file of another program; nil for a file that contains only a network.
    let coverage: String?
    /// What was taken from the file, whatever its format.
    let whole: String
    /// The names of its classes, if it is a classifier and they are known.
    let classes: [String]?

    /// - Parameter name: the name under which the hash of the file is kept.
    init(_ path: String, as name: String = Source.teacher.rawValue, known: inout FileHashes) throws {
        hash = try Teacher.identity(of: path, as: name, known: &known)
        let file = try WeightsFile(path)
        network = file.weights.network
        (coverage, whole) = (file.isPlain ? nil : file.coverage, file.coverage)
        let names = file.metadata.names("classes")
        classes = names?.count == network.head.dimension ? names : nil
        try WeightsDocument.checkColours(network, path: path)
    }

    /// The identity of the file of weights at `path`: a hash of its bytes, or if it was fetched, of the published file.
    static func identity(of path: String, as name: String = Source.teacher.rawValue, known: inout FileHashes) throws -> String {
        let hash = try hash(of: path, as: name, known: &known)
        return FetchedTeacher.published(path, bytes: hash).map { XXH64.of(["published", $0]) } ?? hash
    }

    /// The hash of the bytes of the file at `path`. The file is read if `known` lacks it.
    static func hash(of path: String, as name: String = Source.teacher.rawValue, known: inout FileHashes) throws -> String {
        let stamp = FileStamp(path), name = BytePath(name)
        guard stamp != nil else { throw Failure(.noInput, path: path, "is not a regular file", remedy: "name a file of weights") }
        if let hash = known.hashes(of: name, stamp?.mark, count: 1)?.first { return XXH64.text(hash.value) }
        let hash = try XXH64.ofFile(path)
        if let value = UInt64(hash, radix: 16) { known.keep([ContentHash(value)], of: name, at: BytePath(path), stamp) }
        return hash
    }
}
