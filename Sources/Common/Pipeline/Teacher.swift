import Archives
import Checkpoints
import Datasets
import Networks
import TensorStreams
import ToolSupport

/// TEACHER, opened: its network, and what it is, as a hash.
struct Teacher {
    let network: Network
    let hash: String
    /// What was taken of a file of another program; nil of one that is a network alone.
    let coverage: String?

    init(_ path: String, known: inout FileHashes) throws {
        hash = try Teacher.identity(of: path, known: &known)
        let file = try WeightsFile(path)
        network = file.weights.network
        coverage = file.isPlain ? nil : file.coverage
        try WeightsDocument.checkColours(network, path: path)
    }

    /// What the file of weights at `path` is known by: its bytes, or where they were fetched, what they were fetched from.
    static func identity(of path: String, known: inout FileHashes) throws -> String {
        let hash = try hash(of: path, known: &known)
        return FetchedTeacher.published(path, bytes: hash).map { XXH64.of(["published", $0]) } ?? hash
    }

    /// The hash of the bytes of the file at `path`, read where `known` does not have it.
    static func hash(of path: String, known: inout FileHashes) throws -> String {
        let stamp = FileStamp(path), name = BytePath("teacher")
        guard stamp != nil else { throw Failure(.noInput, path: path, "is no regular file", remedy: "name a file of weights") }
        if let hash = known.hashes(of: name, stamp?.mark, count: 1)?.first { return XXH64.text(hash.value) }
        let hash = try XXH64.ofFile(path)
        if let value = UInt64(hash, radix: 16) { known.keep([ContentHash(value)], of: name, at: BytePath(path), stamp) }
        return hash
    }
}
