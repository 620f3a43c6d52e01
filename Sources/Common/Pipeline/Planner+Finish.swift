import Platform
import ToolSupport

extension Planner {
    /// Notes that a stage is done, in the run's folder `folder`: its files are on the disk and its record tells which they are. Then removes the
    /// checkpoints that the run does not keep.
    ///
    /// - Throws: ``Failure`` `data` where what the stage has read is not what plan saw: then it is not done.
    public static func finish(_ stage: String, in folder: String) throws {
        guard let line = try StageTable(in: folder)[stage] else { throw Failure(.usage, "\(stage) is no stage of this run") }
        let settings = try RunSettings(remembered: folder)
        let command = settings[TeacherProgram.setting]
        // What a command names is seen from where make was called.
        let caller = unsafe getenv(ShellProgram.folderVariable).map { unsafe String(cString: $0) } ?? "."
        let program = command.isEmpty ? nil : TeacherProgram.Definition(command, folder: caller, run: folder)
        try SourceCheck(stage: stage, folder: folder, hasTest: !settings["TEST"].isEmpty, teachers: settings.givenTeachers, program: program).check(line.sources)
        // What the closing table reads of it.
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

    /// Removes what killed tools have left in all runs that nobody works on.
    public static func clean(_ flags: MakeFlags, say: (String) -> Void) throws {
        try RunSettings.check(flags)
        let runs = flags.value(of: "RUNS") ?? "runs"
        for name in FolderNames.all(in: runs).sorted() {
            guard let folder = try? RunFolder(runs: runs, name: name), folder.isRun, !folder.parts.isEmpty else { continue }
            // Nobody may begin to work on it while they go.
            let removed: Void? = try folder.whileIdle {
                for part in folder.parts where FolderNames.remove(part) { say("removed \(part)") }
            }
            if removed == nil { say("\(folder.path): a make is at work on it; left as it is") }
        }
    }
}
