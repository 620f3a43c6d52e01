import ToolSupport

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// From what a person typed behind make to a run whose stages make can do one after the other.
public struct Planner {
    public enum Goal: Sendable, Equatable {
        /// All stages that are not done.
        case distill
        /// Nothing: only tells what would be done.
        case check
        /// One stage alone.
        case stage
    }

    /// What is to be started in this process's place.
    public struct Command {
        public let words: [String]
        public let environment: [String: String]
    }

    private let flags: MakeFlags
    private let pipelines: String
    private let tools: String
    private let make: String
    private let say: (String) -> Void
    private let progress: (String, Int, Int) -> Void

    /// - Parameters:
    ///   - flags: what make was called with.
    ///   - pipelines: the folder of the fragments that make reads.
    ///   - tools: the folder of the tools.
    ///   - make: the program to start.
    ///   - say: is told what a person should know.
    ///   - progress: is told which data is read, how many of its pictures have been read since the last time, and how many there are.
    public init(
        _ flags: MakeFlags, pipelines: String, tools: String, make: String, say: @escaping (String) -> Void,
        progress: @escaping (String, Int, Int) -> Void
    ) throws {
        self.flags = flags
        self.pipelines = try RunFolder.resolved(pipelines)
        self.tools = tools
        self.make = make
        self.say = say
        self.progress = progress
    }

    /// Makes the run ready for `goal`.
    ///
    /// - Returns: make for the run's stages; nil where only something was to be told.
    public func prepare(_ goal: Goal) throws -> Command? {
        var preparation = try Preparation(flags, tools: tools, progress: progress)
        let folder = preparation.folder
        var work = Work(preparation.run.stages, goals: preparation.run.goals, folder: folder.path)
        if goal == .check || flags.onlyTells {
            say(try Summary(preparation: preparation, work: work).text)
            return nil
        }
        if goal == .stage { return try prepareStage(preparation) }
        // What cannot be kept on the disk is said before a folder is made.
        var summary = try Summary(preparation: preparation, work: work).text
        try folder.create()
        if try folder.lock(say) {
            // Another make has been at work in the meantime.
            preparation = try Preparation(flags, tools: tools, progress: progress)
            work = Work(preparation.run.stages, goals: preparation.run.goals, folder: folder.path)
            summary = try Summary(preparation: preparation, work: work).text
        }
        say(summary)
        for (_, file) in work.damaged { try setAside(folder.file(file)) }
        try removeParts(folder)
        // Drawn by other options, whose files synthesize would not replace.
        if work.stages.contains(where: { $0.name == "pictures" }) { FolderNames.remove(folder.file("pictures")) }
        try preparation.write()
        try StageTable(preparation.run.stages, work).save(in: folder.path)
        try work.settle(preparation.run.stages, in: folder.path)
        return command(preparation, goal: preparation.run.isJudged ? "judged" : "unjudged")
    }

    /// One stage alone, whether it is done or not; what it reads must be there and belong to the settings.
    private func prepareStage(_ preparation: Preparation) throws -> Command {
        let (run, folder) = (preparation.run, preparation.folder)
        let stages = run.stages, name = preparation.settings["STAGE"]
        guard let stage = stages[name] else {
            let nearest = Nearest.name(to: name, among: stages.names).map { "did you mean \($0)? " } ?? ""
            let what = name.isEmpty ? "STAGE is not given" : "STAGE=\(name): there is no such stage"
            throw Failure(.usage, what, remedy: nearest + "stages are \(kinds(stages.names))")
        }
        let shows = !preparation.settings["SHOW"].isEmpty
        try folder.create()
        if !shows { _ = try folder.lock(say) }
        let work = Work(stages, goals: stage.inputs, folder: folder.path)
        if !shows, let missing = work.stages.last {
            throw Failure(.noInput, path: folder.path, "\(name) needs \(missing.name), which is not done with these settings", remedy: "run make distill, or that stage first")
        }
        try preparation.write()
        try StageTable(stages, work).save(in: folder.path)
        return command(preparation, goal: "done/\(name)", alone: true)
    }

    private func command(_ preparation: Preparation, goal: String, alone: Bool = false) -> Command {
        let (settings, run) = (preparation.settings, preparation.run)
        var words = [make, "--no-print-directory", "--no-builtin-rules", "-C", preparation.folder.path]
        words += ["settings", "teacher", "student", "evaluation"].flatMap { ["-f", "\(pipelines)/\($0).mk"] }
        words += ["EPOCHS=\(run.epochs)", "TEACHER_EPOCHS=\(run.teacherEpochs)"]
        words += ["PICTURES=\(settings.isDemonstration ? "drawn" : "given")", "TEACHER=\(run.teacher == nil ? "trained" : "given")"]
        words += alone ? ["ALONE=yes", "--always-make", goal] : ["ALONE=", goal]
        return Command(
            words: words,
            environment: [
                "SEED_LOSS_FOLDER": (try? RunFolder.resolved(".")) ?? ".",
                "MAKEFLAGS": flags.options, "SEED_RUN": preparation.folder.path, "SEED_TAP": settings["TAP"], "SEED_SHOW": settings["SHOW"],
                "PATH": "\(tools):\(pipelines):\(unsafe getenv("PATH").map { unsafe String(cString: $0) } ?? "/usr/bin:/bin")",
            ])
    }

    /// The names of stages in a few words: "student.0 to student.24, student, features.{teacher,student.0,student.24}.{train,test}, …, table".
    private func kinds(_ names: [String]) -> String {
        var parts: [String] = []
        for network in ["student", "teacher"] {
            let epochs = names.count { $0.hasPrefix(network + ".") }
            if epochs > 0 { parts.append("\(network).0 to \(network).\(epochs - 1)") }
        }
        for kind in ["features", "evaluation"] {
            let own = names.filter { $0.hasPrefix(kind + ".") }.map { $0.dropFirst(kind.count + 1) }
            func list(_ words: [Substring]) -> String {
                "{" + words.reduce(into: [Substring]()) { if !$0.contains($1) { $0.append($1) } }.joined(separator: ",") + "}"
            }
            let ends = own.compactMap { $0.split(separator: ".").last }
            if !own.isEmpty { parts.append("\(kind).\(list(zip(own, ends).map { $0.dropLast($1.count + 1) })).\(list(ends))") }
        }
        return (parts + names.filter { !$0.contains(".") }).joined(separator: ", ")
    }

    private func setAside(_ path: String) throws {
        guard unsafe rename(path, path + ".damaged") == 0 || errno == ENOENT else { throw Failure.errno(.io, path: path, "cannot set it aside") }
    }

    /// Removes what killed tools have left. Nobody else works in the folder now.
    private func removeParts(_ folder: RunFolder) throws { folder.parts.forEach { FolderNames.remove($0) } }

    /// Removes what killed tools have left in all runs that nobody works on.
    public static func clean(_ flags: MakeFlags, say: (String) -> Void) throws {
        try RunSettings.check(flags)
        let runs = flags.assignments.first { $0.name == "RUNS" }?.value ?? "runs"
        for name in FolderNames.all(in: runs).sorted() {
            guard let folder = try? RunFolder(runs: runs, name: name) else { continue }
            let parts = folder.parts
            if parts.isEmpty { continue }
            guard folder.isIdle else {
                say("\(folder.path): a make is at work on it; left as it is")
                continue
            }
            for part in parts where FolderNames.remove(part) { say("removed \(part)") }
        }
    }

    /// Notes that a stage is done, in the run's folder `folder`: its files are on the disk and its record tells which they are. Then removes the
    /// checkpoints that the run does not keep.
    public static func finish(_ stage: String, in folder: String) throws {
        guard let line = try StageTable(in: folder)[stage] else { throw Failure(.usage, "\(stage) is no stage of this run") }
        // What the closing table reads of it.
        for log in [".jsonl", ".json"].map({ "\(folder)/log/\(stage)\($0)" }) { flush(log) }
        try StageRecord(fingerprint: line.fingerprint, schedule: line.schedule, outputs: line.outputs, in: folder).save(stage, in: folder)
        try prune(stage, in: folder)
    }

    /// Of the network whose epoch `stage` is, keeps the last KEEP checkpoints, and the first, which is judged too.
    private static func prune(_ stage: String, in folder: String) throws {
        let parts = stage.split(separator: ".").map(String.init)
        guard parts.count == 2, ["student", "teacher"].contains(parts[0]), let epoch = Int(parts[1]),
            let keep = try RunSettings(typed: [], folder: folder).count("KEEP"), epoch - keep >= 1
        else { return }
        for n in 1...(epoch - keep) { unsafe unlink("\(folder)/\(parts[0]).\(n).safetensors") }
    }

    private static func flush(_ path: String) {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        fsync(descriptor)
        close(descriptor)
    }
}
