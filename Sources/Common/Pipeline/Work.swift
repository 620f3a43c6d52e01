import Platform
import ToolSupport

/// Which stages of a run are to be done now, and what is known of those that are done.
///
/// A stage is done when its record has the fingerprint that is expected now: whatever the clocks say. Its files must be there only if something reads
/// them.
struct Work {
    /// To be done, in order.
    private(set) var stages: [Stage] = []
    /// The fingerprint that each stage has or will have, with the epochs of its schedule.
    private(set) var expected: [String: (fingerprint: String, schedule: Int?)] = [:]
    /// Records of stages that are done, or whose files nothing needs.
    private(set) var done: [String: StageRecord] = [:]
    /// Files that are not as their stage made them, and the names that they are set aside as, all in the run's folder.
    private(set) var damaged: [(stage: String, file: String, aside: String)] = []
    /// Stages to be done that have been done, from other options, data or stages before them, in order.
    private(set) var outdated: [String] = []
    /// Records that do not say what is the case any more: of stages to be done.
    private(set) var stale: Set<String> = []

    /// All that a person wants of a run.
    init(_ preparation: Preparation) {
        self.init(preparation.run.stages, goals: preparation.run.goals, probes: preparation.run.probes, folder: preparation.folder.path)
    }

    /// - Parameters:
    ///   - goals: stages whose files are wanted.
    ///   - probes: likewise, but for those whose network was there and is gone.
    ///   - folder: the run's.
    init(_ list: StageList, goals: [String], probes: [Probe.Point] = [], folder: String) {
        var conditions: [String: StageRecord.Condition] = [:]
        for stage in list.stages {
            let inputs = stage.decisiveInputs.compactMap { expected[$0]?.fingerprint }
            var record = StageRecord(reading: stage.name, in: folder)
            if record?.belongs(to: stage) == false { record = nil }
            // An epoch that was done on the way to fewer epochs stays as it is when there are more; one of a longer schedule is none of a shorter.
            if let schedule = stage.schedule, let before = record?.schedule, before <= schedule,
                record?.fingerprint == stage.fingerprint(inputs: inputs, schedule: before)
            {
                expected[stage.name] = (stage.fingerprint(inputs: inputs, schedule: before), before)
            } else {
                expected[stage.name] = (stage.fingerprint(inputs: inputs, schedule: stage.schedule), stage.schedule)
            }
            guard record?.fingerprint == expected[stage.name]?.fingerprint else {
                // A record without files is of a stage whose files nothing needed.
                if let record, !record.files.isEmpty { outdated.append(stage.name) }
                continue
            }
            let condition = record?.condition(in: folder)
            conditions[stage.name] = condition
            if case .damaged(let file) = condition { damaged.append((stage.name, file, aside(file, of: stage, in: folder))) }
            done[stage.name] = record
        }
        var wanted: Set<String> = []
        func want(_ names: [String]) { wanted.formUnion(names.filter { conditions[$0] != .whole }) }
        want(goals + probes.filter { done[$0.network] == nil || conditions[$0.network] == .whole }.map(\.stage))
        // What a stage needs stands before it.
        for stage in list.stages.reversed() where wanted.contains(stage.name) { want(stage.inputs) }
        stages = list.stages.filter { wanted.contains($0.name) }
        stale = Set(stages.map(\.name))
        outdated = outdated.filter(stale.contains)
        for stage in stages { done[stage.name] = nil }
    }

    /// A name that is free for a damaged file.
    private func aside(_ file: String, of stage: Stage, in folder: String) -> String {
        // In a folder that is a stage's as a whole it would be taken for data.
        let isInFolder = stage.outputs.contains { $0.hasSuffix("/") && file.hasPrefix($0) }
        let base = (isInFolder ? file.lastPathPart ?? file : file) + ".damaged"
        var name = base, number = 1
        var status = stat()
        while unsafe damaged.contains(where: { $0.aside == name }) || lstat("\(folder)/\(name)", &status) == 0 {
            number += 1
            name = "\(base).\(number)"
        }
        return name
    }

    /// Brings the records in `folder` to what is the case: those of stages to be done go, and what nothing needs has one, so that make does not make it.
    func settle(_ list: StageList, in folder: String) throws {
        for stage in list.stages {
            guard let known = expected[stage.name] else { continue }
            if stale.contains(stage.name) {
                let path = StageRecord.path(stage.name, in: folder)
                guard unsafe unlink(path) == 0 || errno == ENOENT else { throw Failure.errno(.io, path: path, "cannot remove it") }
            } else {
                // What was lost with its record is taken for done where nothing needs it.
                let record = done[stage.name] ?? StageRecord(fingerprint: known.fingerprint, schedule: known.schedule, files: [])
                if StageRecord(reading: stage.name, in: folder) != record { try record.save(stage.name, in: folder) }
            }
        }
    }
}
