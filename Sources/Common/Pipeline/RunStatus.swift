import TensorStreams
import ToolSupport

/// The progress of a run, from the files in its folder. It is fast, because it opens no images and does not wait for
/// processes that work on the run.
public struct RunStatus {
    let name: String
    /// For example "working on student.7", "stopped before student.7", "all is done".
    let state: String
    /// For example "student 6 of 40, teacher 24 of 24".
    let epochs: String
    /// The estimated time of the remaining epochs, from the latest ones; nil if none has been timed.
    let left: String?
    /// The results of the students at their latest evaluated epoch: "k-NN 88.2 % (student.40)".
    let worth: String?

    /// - Throws: ``Failure`` if the run's list of stages is truncated or missing.
    init(_ folder: RunFolder, name: String) throws {
        self.name = name
        let lines = try StageTable(in: folder.path).lines
        // A record with another fingerprint means that the stage will be executed again.
        let done = Set(lines.filter { StageRecord(reading: $0.name, in: folder.path)?.fingerprint == $0.fingerprint }.map(\.name))
        let next = lines.first { !done.contains($0.name) }?.name, isIdle = try folder.whileIdle {} != nil
        /// The saved share of an epoch that is in progress.
        func share(_ stage: String) -> Double? { Interim.checkpoint(of: stage, in: folder.path).share }
        state = next.map { name in
            let saved = share(name).map { "\(Progress.fixed(100 * $0, 0)) % of it saved" }
            return isIdle ? saved.map { "stopped in \(name), \($0)" } ?? "stopped before \(name)" : "working on \(name)" + (saved.map { ", \($0)" } ?? "")
        } ?? (isIdle ? "all is done" : "working")
        var kinds: [String] = []
        for kind in lines.compactMap({ StageName($0.name).numbered }) where !kinds.contains(kind) { kinds.append(kind) }
        var told: [String] = [], seconds = 0.0, together = 0.0, isTimed = false
        for kind in kinds {
            let own = lines.map(\.name).filter { (StageName($0).epoch(of: kind) ?? 0) > 0 }, finished = own.filter(done.contains)
            guard !own.isEmpty else { continue }
            told.append("\(kind) \(finished.count) of \(own.count)")
            var times = finished.suffix(3).compactMap { RunStatus.seconds("\(folder.path)/log/\($0)") }
            // The first epoch is estimated from its interim checkpoint.
            if times.isEmpty, let first = own.first, let saved = Interim.checkpoint(of: first, in: folder.path).done, saved.share > 0,
                let seconds = RunStatus.seconds("\(folder.path)/log/\(first)", batches: saved.batches)
            {
                times = [seconds / saved.share]
            }
            guard !times.isEmpty, finished.count < own.count else { continue }
            let rest = times.reduce(0, +) / Double(times.count) * (Double(own.count - finished.count) - (own.first { !done.contains($0) }.flatMap(share) ?? 0))
            // Students that are trained side by side have each recorded the time of all.
            if kind.hasPrefix("student") { together = max(together, rest) } else { seconds += rest }
            isTimed = true
        }
        seconds += together
        epochs = told.joined(separator: ", ")
        left = isTimed ? "about \(Progress.duration(seconds))" : nil
        var furthest: [String: (epoch: Int, text: String)] = [:]
        for line in lines where done.contains(line.name) {
            guard let subject = StageName(line.name).subject, let epoch = StageName(subject).studentEpoch, let text = RunStatus.worth(line.name, in: folder.path) else { continue }
            let student = StageName(subject).kind
            if furthest[student].map({ $0.epoch <= epoch }) ?? true { furthest[student] = (epoch, text) }
        }
        worth = furthest.isEmpty ? nil : furthest.sorted { $0.key < $1.key }.map(\.value.text).joined(separator: ", ")
    }

    /// The time of an epoch, or of its first batches, from its log; nil if it has none.
    private static func seconds(_ path: String, batches: Int = .max) -> Double? {
        guard let bytes = [".jsonl", ".json"].lazy.compactMap({ try? TextFile.bytes(path + $0) }).first else { return nil }
        let lines = bytes.split(separator: 0x0A).compactMap { try? JSON(parsing: Array($0)) }
        let times = lines.filter { $0["step"]?.asInteger ?? 0 < batches }.compactMap { $0["seconds"]?.asNumber }
        return times.isEmpty ? nil : times.reduce(0, +)
    }

    private static func worth(_ stage: String, in folder: String) -> String? {
        let name = StageName(stage)
        guard let subject = name.subject, let part = name.part, let bytes = try? TextFile.bytes("\(folder)/evaluation/\(subject).\(part).json"), let json = try? JSON(parsing: bytes) else { return nil }
        func of(_ what: String, _ percent: Double?) -> String? { percent.map { "\(what) \(Progress.fixed($0, 1)) % (\(subject))" } }
        switch part {
        case "knn": return of("k-NN", Worth.nearest(json))
        case "quality": return of("teacher's neighbours", Worth.teachersNeighbours(json))
        default: return nil
        }
    }

    /// A table of all runs in a folder, or of one.
    ///
    /// - Throws: ``Failure`` `usage` if there is no such run.
    public static func table(_ flags: MakeFlags) throws -> String {
        try RunSettings.check(flags)
        let runs = flags.value(of: "RUNS") ?? "runs", asked = flags.value(of: "NAME"), all = RunFolder.names(in: runs)
        if let asked, !all.contains(asked) {
            throw Failure(.usage, "NAME=\(asked): there is no such run in \(runs)", remedy: all.isEmpty ? "run make distill first" : "there are \(all.prefix(20).joined(separator: ", "))")
        }
        guard !all.isEmpty else { return "there is no run in \(runs)\n" }
        var rows = [["run", "epochs", "", "left", ""]], broken: [String] = []
        for name in asked.map({ [$0] }) ?? all {
            do {
                let status = try RunStatus(RunFolder(runs: runs, name: name), name: name)
                rows.append([name, status.epochs, status.state, status.left ?? "", status.worth ?? ""])
            } catch let failure as Failure { broken.append("\(name): \(failure.what)\n") }
        }
        var table = TextTable(rows.map { $0.map(\.printable) })
        table.leftColumns = [0, 1, 2, 4]
        return (rows.count > 1 ? table.text : "") + broken.map(\.printable).joined()
    }
}
