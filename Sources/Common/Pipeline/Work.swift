import Platform
import ToolSupport

/// The stages of a run that remain to be executed, and the records of those that are finished.
///
/// A stage is finished if its record has the expected fingerprint; file times do not matter. Its files must exist only
/// if something reads them.
struct Work {
    /// The stages to be executed, in order.
    private(set) var stages: [Stage] = []
    /// The fingerprint that each stage has or will have, and the number of epochs of its schedule.
    private(set) var expected: [String: (fingerprint: String, schedule: Int?)] = [:]
    /// Records of finished stages, including those whose files nothing needs.
    private(set) var done: [String: StageRecord] = [:]
    /// Files that differ from what their stage made, and the names that they are moved to, all in the run's folder.
    private(set) var damaged: [(stage: String, file: String, aside: String)] = []
    /// Stages to be executed that were finished with other options, data or input stages, in order.
    private(set) var outdated: [String] = []
    /// Stages to be executed, whose records are no longer valid.
    private(set) var stale: Set<String> = []

    /// The work for everything that the user wants of a run.
    init(_ preparation: Preparation) {
        self.init(preparation.run.stages, goals: preparation.run.goals, probes: preparation.run.probes, folder: preparation.folder.path)
    }

    /// - Parameters:
    ///   - goals: stages whose files are wanted.
    ///   - probes: evaluations that are wanted too, except those whose network was finished and is gone.
    ///   - folder: the run's folder.
    init(_ list: StageList, goals: [String], probes: [Probe.Point] = [], folder: String) {
        var conditions: [String: StageRecord.Condition] = [:]
        for stage in list.stages {
            let inputs = stage.decisiveInputs.compactMap { expected[$0]?.fingerprint }
            var record = StageRecord(reading: stage.name, in: folder)
            if record?.belongs(to: stage) == false { record = nil }
            // A finished epoch remains valid if the total number of epochs is raised, but not if it is lowered.
            if let schedule = stage.schedule, let before = record?.schedule, before <= schedule,
                record?.fingerprint == stage.fingerprint(inputs: inputs, schedule: before)
            {
                expected[stage.name] = (stage.fingerprint(inputs: inputs, schedule: before), before)
            } else {
                expected[stage.name] = (stage.fingerprint(inputs: inputs, schedule: stage.schedule), stage.schedule)
            }
            guard record?.fingerprint == expected[stage.name]?.fingerprint else {
                // A record without files belongs to a stage whose files nothing needed.
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
        // A stage comes after those it needs.
        for stage in list.stages.reversed() where wanted.contains(stage.name) { want(stage.inputs) }
        stages = list.stages.filter { wanted.contains($0.name) }
        stale = Set(stages.map(\.name))
        outdated = outdated.filter(stale.contains)
        for stage in stages { done[stage.name] = nil }
    }

    /// An unused name for a damaged file.
    private func aside(_ file: String, of stage: Stage, in folder: String) -> String {
        // In a folder that is a stage's output as a whole, it would be taken for data.
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

    /// Updates the records in `folder`: removes those of stages to be executed, and adds records for stages that
    /// nothing needs, so that make does not execute them.
    func settle(_ list: StageList, in folder: String) throws {
        for stage in list.stages {
            guard let known = expected[stage.name] else { continue }
            if stale.contains(stage.name) {
                let path = StageRecord.path(stage.name, in: folder)
                guard unsafe unlink(path) == 0 || errno == ENOENT else { throw Failure.errno(.io, path: path, "cannot remove it") }
            } else {
                // A stage that was lost with its record counts as finished if nothing needs it.
                let record = done[stage.name] ?? StageRecord(fingerprint: known.fingerprint, schedule: known.schedule, files: [])
                if StageRecord(reading: stage.name, in: folder) != record { try record.save(stage.name, in: folder) }
            }
        }
    }
}
