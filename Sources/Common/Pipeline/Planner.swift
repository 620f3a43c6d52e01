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
        /// The command of one stage, which is not run.
        case show
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
        let folder = try Preparation.folder(flags), changesNothing = goal == .check || flags.onlyTells || goal == .show
        // A run that is there is looked at when nobody else changes it; for a new one nothing is made before all is known to work.
        let isNew = !folder.isRun
        if !changesNothing, !isNew { _ = try folder.lock(say) }
        var preparation = try Preparation(flags, tools: tools, progress: progress)
        if goal == .show { return try show(preparation) }
        if goal == .stage { return try prepareStage(preparation, isNew: isNew) }
        var work = Work(preparation.run.stages, goals: preparation.run.goals, folder: folder.path)
        var summary = try Summary(preparation: preparation, work: work).text
        if changesNothing {
            say(summary)
            return nil
        }
        if isNew {
            try folder.create()
            if try folder.lock(say) || folder.isRun {
                // Another make has made it in the meantime.
                preparation = try Preparation(flags, tools: tools, progress: progress)
                work = Work(preparation.run.stages, goals: preparation.run.goals, folder: folder.path)
                summary = try Summary(preparation: preparation, work: work).text
            }
        }
        try folder.create()
        say(summary)
        for (_, file) in work.damaged { try setAside(folder.file(file)) }
        try makeRoom(work.stages, preparation)
        try preparation.write()
        try StageTable(preparation.run.stages, work).save(in: folder.path)
        try work.settle(preparation.run.stages, in: folder.path)
        for network in ["student", "teacher"] { try prune(network, preparation, work) }
        return command(preparation, goal: preparation.run.isJudged ? "judged" : "unjudged")
    }

    /// Removes what killed tools have left, since nobody else works in the folder now, and the pictures of a set that is to be drawn anew: those that its
    /// record tells of. synthesize refuses to draw where there are others.
    private func makeRoom(_ stages: [Stage], _ preparation: Preparation) throws {
        let folder = preparation.folder
        folder.parts.forEach { FolderNames.remove($0) }
        guard let pictures = preparation.run.stages["pictures"], let record = StageRecord(reading: pictures.name, in: folder.path), record.belongs(to: pictures)
        else { return }
        if let other = record.others(than: pictures, in: folder.path).first {
            throw Failure(.data, path: folder.file(other), "is not of the drawn set", remedy: "move it away, or give pictures of your own as DATA")
        }
        if stages.contains(where: { $0.name == pictures.name }) { record.files.forEach { unsafe unlink(folder.file($0.name)) } }
    }

    /// Removes the checkpoints of a network that the run does not keep and no stage to be done reads.
    private func prune(_ network: String, _ preparation: Preparation, _ work: Work) throws {
        guard let keep = preparation.settings.count("KEEP") else { return }
        let epochs = network == "student" ? preparation.run.epochs : preparation.run.teacherEpochs
        let next = work.stages.compactMap { $0.name.hasPrefix(network + ".") ? Int($0.name.dropFirst(network.count + 1)) : nil }.min() ?? epochs + 1
        for n in stride(from: next - 1 - keep, to: 0, by: -1) { unsafe unlink(preparation.folder.file("\(network).\(n).safetensors")) }
    }

    /// The command of a stage, told by make. Nothing is written, so the run must have the settings.
    private func show(_ preparation: Preparation) throws -> Command {
        let name = try stage(preparation).name
        for (file, words) in preparation.run.options {
            guard let bytes = try? TextFile.bytes(preparation.folder.file("options/\(file)")), bytes == Array(words.map { $0 + "\n" }.joined().utf8) else {
                throw Failure(
                    .usage, path: preparation.folder.path, "SHOW=1 shows a stage as the run has it, and these are not its settings",
                    remedy: "leave them out, or run make distill with them first")
            }
        }
        return command(preparation, goal: "done/\(name)", alone: true)
    }

    /// The stage that STAGE names.
    private func stage(_ preparation: Preparation) throws -> Stage {
        let stages = preparation.run.stages, name = preparation.settings["STAGE"]
        if let stage = stages[name] { return stage }
        let nearest = Nearest.name(to: name, among: stages.names).map { "did you mean \($0)? " } ?? ""
        let what = name.isEmpty ? "STAGE is not given" : "STAGE=\(name): there is no such stage"
        throw Failure(.usage, what, remedy: nearest + "stages are \(kinds(stages.names))")
    }

    /// One stage alone, whether it is done or not; what it reads must be there and belong to the settings.
    private func prepareStage(_ preparation: Preparation, isNew: Bool) throws -> Command {
        let (run, folder) = (preparation.run, preparation.folder)
        let stage = try stage(preparation)
        let work = Work(run.stages, goals: stage.inputs, folder: folder.path)
        if let missing = work.stages.last {
            throw Failure(.noInput, path: folder.path, "\(stage.name) needs \(missing.name), which is not done with these settings", remedy: "run make distill, or that stage first")
        }
        try folder.create()
        if isNew { _ = try folder.lock(say) }
        try makeRoom([stage], preparation)
        try preparation.write()
        try StageTable(run.stages, work).save(in: folder.path)
        return command(preparation, goal: "done/\(stage.name)", alone: true)
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

    /// Removes what killed tools have left in all runs that nobody works on.
    public static func clean(_ flags: MakeFlags, say: (String) -> Void) throws {
        try RunSettings.check(flags)
        let runs = flags.value(of: "RUNS") ?? "runs"
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
