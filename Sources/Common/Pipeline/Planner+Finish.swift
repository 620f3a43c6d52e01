import Platform
import ToolSupport

extension Planner {
    /// Records in the run's folder `folder` that a stage is finished: its files are flushed to disk, and its record
    /// lists them. Then removes the checkpoints that the run does not keep.
    ///
    /// - Throws: ``Failure`` `data` if the inputs of the stage are not those that plan saw. The stage is then not
    ///   finished.
    public static func finish(_ stage: String, in folder: String) throws {
        guard let line = try StageTable(in: folder)[stage] else { throw Failure(.usage, "\(stage) is not a stage of this run") }
        let settings = try RunSettings(remembered: folder)
        let command = settings[TeacherProgram.setting]
        // The command's paths are relative to the folder in which make was called.
        let caller = unsafe getenv(ShellProgram.folderVariable).map { unsafe String(cString: $0) } ?? "."
        let program = command.isEmpty ? nil : TeacherProgram.Definition(command, folder: caller, run: folder)
        try SourceCheck(stage: stage, folder: folder, hasTest: !settings["TEST"].isEmpty, teachers: settings.givenTeachers, program: program).check(line.sources)
        // The closing table reads these logs.
        for log in [".jsonl", ".json"].map({ "\(folder)/log/\(stage)\($0)" }) { flush(log) }
        try StageRecord(fingerprint: line.fingerprint, schedule: line.schedule, outputs: line.outputs, in: folder).save(stage, in: folder)
        let name = StageName(stage)
        for network in settings.students.map(\.name) + ["teacher"] {
            if let epoch = name.epoch(of: network) { KeptCheckpoints(settings, in: folder).prune(network, after: epoch) }
        }
    }

    private static func flush(_ path: String) {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        fsync(descriptor)
        close(descriptor)
    }

    /// Removes the leftovers of killed tools in all idle runs.
    public static func clean(_ flags: MakeFlags, say: (String) -> Void) throws {
        try RunSettings.check(flags)
        let runs = flags.value(of: "RUNS") ?? "runs"
        for name in FolderNames.all(in: runs).sorted() {
            guard let folder = try? RunFolder(runs: runs, name: name), folder.isRun, !folder.parts.isEmpty else { continue }
            // Prevents that another process starts to work on the run meanwhile.
            let removed: Void? = try folder.whileIdle {
                for part in folder.parts where FolderNames.remove(part) { say("removed \(part)") }
            }
            if removed == nil { say("\(folder.path): a make is working on it; left unchanged") }
        }
    }
}
