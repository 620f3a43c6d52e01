import Platform
import ToolSupport

/// The state of a training in the middle of an epoch, in a file, and the one before it: NAME.safetensors and NAME.before.safetensors.
///
/// The newer one is replaced whole; while the next is written it has both names.
public struct InterimCheckpoint: Sendable {
    /// Of the newer one.
    public let path: String
    public let before: String

    /// In the metadata of such a checkpoint, how many batches of its epoch are done, and how many it has.
    public static let key = "interim_batch", allKey = "interim_batches"
    private static let versionKey = "interim_version"

    public init(_ path: String) {
        self.path = path
        let suffix = ".safetensors"
        before = path.hasSuffix(suffix) ? path.dropLast(suffix.count) + ".before" + suffix : path + ".before"
    }

    /// The newest of both; nil where there is none.
    public var newest: String? { [path, before].first { unsafe access($0, F_OK) == 0 } }

    /// The batches that are done in it; 0 where there is none.
    ///
    /// - Throws: ``Failure`` `data` where it is none.
    public func batch() throws -> Int {
        do {
            guard let metadata = try metadata() else { return 0 }
            guard let batch = metadata.count(InterimCheckpoint.key), batch > 0 else { throw Failure(.data, path: newest, "is no interim checkpoint") }
            return batch
        } catch var failure as Failure where failure.kind == .data {
            failure.remedy = remedy
            throw failure
        }
    }

    /// The share of the epoch that is done in it, 0 to 1; nil where there is none, or one that does not tell it.
    public var share: Double? { done.map(\.share) }

    /// The batches that are done in it too.
    public var done: (batches: Int, share: Double)? {
        guard let metadata = try? metadata(), let batch = metadata.count(InterimCheckpoint.key), let all = metadata.count(InterimCheckpoint.allKey), all > 0 else { return nil }
        return (batch, min(1, Double(batch) / Double(all)))
    }

    /// The version of the tools that made it; nil where there is none, or it cannot be read.
    public var version: String? { (try? metadata())?[InterimCheckpoint.versionKey] }

    /// What the newest says of itself; nil where there is none.
    private func metadata() throws -> [String: String]? { try newest.map { try DocumentFile.read($0) { _ in [] }.metadata } }

    /// Puts `document` in the newer one's place, which becomes the one before.
    public func write(_ document: TensorDocument) throws {
        unsafe unlink(before)
        // A second name, so that there is one all the time; where the file system has no such names, not.
        guard unsafe link(path, before) == 0 || errno == ENOENT || rename(path, before) == 0 || errno == ENOENT else {
            throw Failure.errno(.cannotCreate, path: before, "cannot keep \(path) there")
        }
        var document = document
        document.metadata[InterimCheckpoint.versionKey] = productVersion
        try DocumentFile.write(document, to: path)
    }

    /// What to do where the newer one cannot be used.
    public var remedy: String { "remove it; the epoch goes on from \(before), or begins anew where that is not there" }

    /// Removes both.
    public func remove() { for file in [path, before] { unsafe unlink(file) } }
}
