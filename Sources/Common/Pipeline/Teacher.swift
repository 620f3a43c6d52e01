import Archives
import Checkpoints
import Datasets
import Networks
import TensorStreams
import ToolSupport

/// TEACHER, opened: its network, and what it is, as a hash of its bytes.
struct Teacher {
    let network: Network
    let hash: String
    /// What was taken of a file of another program; nil of one that is a network alone.
    let coverage: String?

    init(_ path: String, known: inout FileHashes) throws {
        hash = try Teacher.hash(of: path, known: &known)
        let file = try WeightsFile(path)
        network = file.weights.network
        coverage = file.isPlain ? nil : file.coverage
        try WeightsDocument.checkColours(network, path: path)
    }

    /// The hash of the file at `path`, read where `known` does not have it.
    static func hash(of path: String, known: inout FileHashes) throws -> String {
        let stamp = FileStamp(path), name = BytePath("teacher")
        guard stamp != nil else { throw Failure(.noInput, path: path, "is no regular file", remedy: "name a file of weights") }
        if let hash = known.hashes(of: name, stamp?.mark, count: 1)?.first { return XXH64.text(hash.value) }
        let hash = try XXH64.ofFile(path)
        if let value = UInt64(hash, radix: 16) { known.keep([ContentHash(value)], of: name, at: BytePath(path), stamp) }
        return hash
    }
}
