import Platform
import ToolSupport

/// Checkpoints in the middle of an epoch, the newest and the one before it: NAME.safetensors and
/// NAME.before.safetensors.
///
/// The newer file is replaced atomically. While the next one is written, the current one has both names.
public struct InterimCheckpoint: Sendable {
    /// The path of the newer checkpoint.
    public let path: String
    public let before: String

    /// Metadata keys of such a checkpoint: how many batches of its epoch are done, and how many it has.
    public static let key = "interim_batch", allKey = "interim_batches"
    private static let versionKey = "interim_version"

    public init(_ path: String) {
        self.path = path
        let suffix = ".safetensors"
        before = path.hasSuffix(suffix) ? path.dropLast(suffix.count) + ".before" + suffix : path + ".before"
    }

    /// The newest existing file; nil where there is none.
    public var newest: String? { [path, before].first { unsafe access($0, F_OK) == 0 } }

    /// The number of batches that are done in the newest one; 0 where there is none.
    ///
    /// - Throws: a ``Failure`` of kind `data` where the file is not an interim checkpoint.
    public func batch() throws -> Int {
        do {
            guard let metadata = try metadata() else { return 0 }
            guard let batch = metadata.count(InterimCheckpoint.key), batch > 0 else { throw Failure(.data, path: newest, "is not an interim checkpoint") }
            return batch
        } catch var failure as Failure where failure.kind == .data {
            failure.remedy = remedy
            throw failure
        }
    }

    /// The fraction of the epoch that is done, 0 to 1; nil where there is no checkpoint, or it does not say.
    public var share: Double? { done.map(\.share) }

    /// The number of batches that are done, and the fraction of the epoch.
    public var done: (batches: Int, share: Double)? {
        guard let metadata = try? metadata(), let batch = metadata.count(InterimCheckpoint.key), let all = metadata.count(InterimCheckpoint.allKey), all > 0 else { return nil }
        return (batch, min(1, Double(batch) / Double(all)))
    }

    /// The version of the tools that wrote it; nil where there is none, or it cannot be read.
    public var version: String? { (try? metadata())?[InterimCheckpoint.versionKey] }

    /// The metadata of the newest; nil where there is none.
    private func metadata() throws -> [String: String]? { try newest.map { try DocumentFile.read($0) { _ in [] }.metadata } }

    /// Writes `document` as the newer checkpoint; the current one becomes the one before.
    public func write(_ document: TensorDocument) throws {
        unsafe unlink(before)
        // Links a second name, so that a checkpoint exists at all times. Where the file system has no hard links, it is
        // renamed.
        guard unsafe link(path, before) == 0 || errno == ENOENT || rename(path, before) == 0 || errno == ENOENT else {
            throw Failure.errno(.cannotCreate, path: before, "cannot keep \(path) under this name")
        }
        var document = document
        document.metadata[InterimCheckpoint.versionKey] = productVersion
        try DocumentFile.write(document, to: path)
    }

    /// The remedy where the newer checkpoint cannot be used.
    public var remedy: String { "remove it; the epoch then resumes from \(before), or starts again if that is missing" }

    /// Removes both.
    public func remove() { for file in [path, before] { unsafe unlink(file) } }
}
