import Platform
import TensorStreams
import ToolSupport

/// Interim checkpoints, from which an epoch resumes in its middle: `student.3.interim.safetensors` and the previous
/// one.
enum Interim {
    static let setting = "CHECKPOINT_EVERY"
    /// The default interval, and thus the most work that a kill loses.
    static let usual = "10m"
    /// The number of interim checkpoints per network.
    static let kept = 2
    private static let suffixes = [".interim.safetensors", ".interim.before.safetensors"]

    static func checkpoint(of stage: String, in folder: String) -> InterimCheckpoint { InterimCheckpoint("\(folder)/\(stage)\(suffixes[0])") }

    /// Removes interim checkpoints that no stage will resume from.
    ///
    /// These are checkpoints of finished stages, of stages whose options, data or networks have changed since they were
    /// last listed, and those of another version of the tools.
    ///
    /// - Parameter work: the current work. The run's list of stages is still that of the previous plan.
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
