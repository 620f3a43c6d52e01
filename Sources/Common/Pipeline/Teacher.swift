import Checkpoints
import Networks
import TensorStreams
import ToolSupport

/// TEACHER, opened: its network, and what it is, as a hash of its bytes.
struct Teacher {
    let network: Network
    let hash: String

    init(_ path: String, known: inout FileHashes) throws {
        let stamp = FileStamp(path)
        guard stamp != nil else { throw Failure(.noInput, path: path, "is no regular file", remedy: "name a file of weights") }
        let document = try DocumentFile.read(path) { try WeightsDocument.names(in: $0, path: path) }
        network = try WeightsDocument.weights(in: document, path: path).network
        if let hash = known.value(of: path, stamp) {
            self.hash = hash
        } else {
            hash = try XXH64.ofFile(path)
            known.keep(hash, of: path, stamp)
        }
    }
}
