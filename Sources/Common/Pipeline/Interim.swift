import Platform
import TensorStreams
import ToolSupport

/// The state of an epoch in its middle, from which the epoch goes on: `student.3.interim.safetensors` and the one before it.
enum Interim {
    static let setting = "CHECKPOINT_EVERY"
    /// A kill costs no more than that.
    static let usual = "10m"
    /// So many of a network.
    static let kept = 2
    private static let suffixes = [".interim.safetensors", ".interim.before.safetensors"]

    static func checkpoint(of stage: String, in folder: String) -> InterimCheckpoint { InterimCheckpoint("\(folder)/\(stage)\(suffixes[0])") }

    /// Removes those that no stage goes on from: of stages that are done, or that are made of other options, data or networks now than when they were listed last, or of another
    /// version of the tools.
    ///
    /// - Parameter work: what is to be done now; the run's list of stages is still that of the last time.
    static func removeOutdated(_ work: Work, in folder: String) {
        let listed = (try? StageTable(in: folder).lines) ?? [], before = Dictionary(listed.map { ($0.name, $0.fingerprint) }) { first, _ in first }
        for name in FolderNames.all(in: folder) {
            guard let suffix = suffixes.first(where: name.hasSuffix) else { continue }
            let stage = String(name.dropLast(suffix.count))
            if work.done[stage] == nil, let now = work.expected[stage]?.fingerprint, now == before[stage], checkpoint(of: stage, in: folder).version ?? productVersion == productVersion { continue }
            unsafe unlink("\(folder)/\(name)")
        }
    }
}
