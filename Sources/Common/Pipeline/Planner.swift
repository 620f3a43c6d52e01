import Platform
import TensorStreams
public import ToolSupport

/// Turns the arguments of make into a run whose stages make can execute in order.
public struct Planner {
    public enum Goal: Sendable, Equatable {
        /// All unfinished stages.
        case distill
        /// The same for a run without a teacher.
        case pretrain
        /// The same for a run that trains a classifier on a pretrained network.
        case finetune
        /// Nothing is executed: only report what would be done.
        case check
        /// A single stage.
        case stage
        /// The command of a single stage, which is not executed.
        case show
        /// A page of the existing results, even if the run is unfinished or in progress.
        case report
        /// A comparison of several runs.
        case compare
        /// All unfinished stages, as Slurm jobs.
        case submit
        /// A shard of the missing features.
        case shard
        /// An evaluation of the newest checkpoints of all runs.
        case nightly
    }

    /// The command to execute in place of this process.
    public struct Command {
        public let words: [String]
        public let environment: [String: String]
    }

    let goal: Goal
    let flags: MakeFlags
    let environment: StageEnvironment
    private let make: String
    let say: @Sendable (String) -> Void
    private let abandon: @Sendable (Failure) -> Void
    private let progress: (String, Int, Int) -> Void

    /// - Parameters:
    ///   - goal: the goal to prepare.
    ///   - flags: the flags that make was called with.
    ///   - pipelines: the folder of make's fragments.
    ///   - tools: the folder of the tools.
    ///   - make: the program to start.
    ///   - say: receives messages for the user.
    ///   - abandon: see ``ProgramSupervision``.
    ///   - progress: receives which data is being read, the number of its images read since the last call, and their
    ///     total number.
    public init(
        _ goal: Goal, _ flags: MakeFlags, pipelines: String, tools: String, make: String, say: @escaping @Sendable (String) -> Void,
        abandon: @escaping @Sendable (Failure) -> Void, progress: @escaping (String, Int, Int) -> Void
    ) throws {
        self.goal = goal
        self.flags = flags
        environment = try StageEnvironment(tools: tools, pipelines: pipelines)
        self.make = make
        self.say = say
        self.abandon = abandon
        self.progress = progress
    }

    /// Prepares the run.
    ///
    /// - Returns: the command to execute; nil if there was only something to report.
    public func prepare() throws -> Command? {
        if goal == .nightly { return try nightly() }
        if goal == .compare { return try compare() }
        if [.distill, .pretrain, .finetune].contains(goal) { try Submission.refuse(flags) }
        let folder = try Preparation.folder(flags, goal.kind)
        switch goal {
        case .stage where !flags.onlyTells: return try prepareStage(folder)
        case .show, .stage: return try show(folder)
        case .shard: return try prepareShard(folder)
        case .submit where !flags.onlyTells: return try submit(folder)
        case .nightly, .compare: return nil
        case .report: return try report(folder)
        case .distill where !flags.onlyTells, .pretrain where !flags.onlyTells, .finetune where !flags.onlyTells: return try prepareAll(folder)
        case .distill, .pretrain, .finetune, .check, .submit:
            let preparation = try look(), work = Work(preparation)
            try tryLosses(preparation, work)
            try tryLaunch(preparation, work)
            say(try summary(preparation, work))
            preparation.keepHashes()
            return nil
        }
    }

    /// Prepares all unfinished stages.
    private func prepareAll(_ folder: RunFolder) throws -> Command {
        let preparation = try write(folder).preparation, until = Until(preparation.settings)
        return try command(preparation, goal: until.map { "until-\($0.rawValue)" } ?? "judged")
    }

    /// Writes the run with all inputs of its unfinished stages.
    ///
    /// - Parameter check: throws if the work cannot be executed.
    func write(_ folder: RunFolder, _ check: (Preparation, Work) throws -> Void = { _, _ in }) throws -> (preparation: Preparation, work: Work) {
        let (preparation, work, told) = try whenLocked(folder) {
            let preparation = try look(), work = Work(preparation)
            try check(preparation, work)
            try tryLosses(preparation, work)
            try tryLaunch(preparation, work)
            return (preparation, work, try summary(preparation, work))
        }
        say(told)
        for (_, file, aside) in work.damaged { try setAside(folder.file(file), as: folder.file(aside)) }
        try makeRoom(work.stages, preparation)
        try preparation.write()
        Interim.removeOutdated(work, in: folder.path)
        FeatureShards.removeOutdated(work, in: folder.path)
        try StageTable(preparation.run.stages, work).save(in: folder.path)
        try work.settle(preparation.run.stages, in: folder.path)
        // The recipe of an epoch trains the students that have no record of it. With make -B this must be all of them.
        if flags.doesAll { for stage in preparation.run.stages.names { unsafe unlink(StageRecord.path(stage, in: folder.path)) } }
        prune(preparation, work)
        return (preparation, work)
    }

    /// The command for a run's page, the same as in its last stage. If that stage has already made the page, it is left
    /// unchanged.
    private func report(_ folder: RunFolder) throws -> Command? {
        guard folder.isRun else { throw noRun(folder) }
        if let line = try StageTable(in: folder.path)["report"], var record = StageRecord(reading: line.name, in: folder.path), record.fingerprint == line.fingerprint,
            record.condition(in: folder.path) == .whole
        {
            say(folder.file("report.html"))
            return nil
        }
        // A run that an earlier version has planned lacks these options.
        let script = "cd \"$1\"; if [ -e options/report.augment ]; then augment --data data/train @options/report.augment --quiet | report --run . @options/report --views - --quiet; "
            + "else report --run . --quiet; fi; echo \"$1/report.html\" >&2"
        return Command(words: ["/bin/bash", "-euo", "pipefail", "-c", script, "report", folder.path], environment: ["PATH": environment.path])
    }

    /// Compares the runs in NAMES.
    private func compare() throws -> Command {
        try RunSettings.check(flags)
        let runs = flags.value(of: "RUNS") ?? "runs", names = (flags.value(of: "NAMES") ?? "").split(separator: " ").map(String.init)
        guard names.count > 1 else {
            if runs.contains(" ") { throw Failure(.usage, "RUNS=\(runs): is the folder of runs, not a list of them", remedy: "NAMES='\(runs)'") }
            let there = RunFolder.names(in: runs)
            throw Failure(.usage, "NAMES=\(names.joined(separator: " ")): a comparison needs several runs", remedy: "NAMES='a b'; \(there.isEmpty ? "there are none in \(runs)" : "there are \(listed(there, quote: ""))")")
        }
        for name in names where try !RunFolder(runs: runs, name: name).isRun { throw noRun(try RunFolder(runs: runs, name: name)) }
        return Command(words: ["report"] + names.map { "--run=\(runs)/\($0)" } + ["-o", runs + "/compare.html"], environment: ["PATH": environment.path])
    }

    /// The command for nightly, with the typed settings as its options.
    private func nightly() throws -> Command {
        try RunSettings.check(flags)
        let own = ["RUNS", "HISTORY", "ON_FALL", "PROMETHEUS"]
        if let other = flags.assignments.first(where: { Setting.named($0.name) != nil && !own.contains($0.name) }) {
            throw Failure(.usage, "\(other.name) does not apply to nightly, which evaluates the runs in RUNS as they are", remedy: "leave it out; nightly takes \(own.joined(separator: ", "))")
        }
        let options = [("RUNS", "--runs"), ("HISTORY", "--history"), ("ON_FALL", "--on-fall"), ("PROMETHEUS", "--prometheus")].flatMap { name, option in
            flags.value(of: name).map { $0.isEmpty ? [] : ["\(option)=\($0)"] } ?? []
        }
        return Command(words: ["nightly", "--pipelines", environment.pipelines] + options, environment: ["PATH": environment.path])
    }

    /// The summary for the user before anything is executed.
    ///
    /// - Throws: ``Failure`` if disk or memory are insufficient.
    private func summary(_ preparation: Preparation, _ all: Work) throws -> String {
        // With UNTIL, the work ends earlier.
        let work = Until(preparation.settings).map { until in
            let run = preparation.run, isTeacher = until == .teacher
            return Work(run.stages, goals: isTeacher ? ["teacher.\(run.teacherEpochs)"] : run.students.map(\.name), probes: isTeacher ? [] : run.probes, folder: preparation.folder.path)
        } ?? all
        guard !work.stages.isEmpty else { return Summary(preparation: preparation, work: work, room: nil).text }
        let room = Room(preparation.estimate(work), work.stages, kept: preparation.settings.count("KEEP"))
        try preparation.checkRoom(room)
        return Summary(preparation: preparation, work: work, room: room).text
    }

    /// Tests the loss programs of networks that are to be trained.
    private func tryLosses(_ preparation: Preparation, _ work: Work) throws {
        let check = LossCheck(environment)
        let networks = [("student", "STUDENT_OPTIONS", "BATCH", preparation.counts.student), ("teacher", "TEACHER_OPTIONS", "TEACHER_BATCH", preparation.counts.teacher)]
        for (network, setting, batch, images) in networks where work.stages.contains(where: { stage in
            let name = StageName(stage.name)
            return (network == "student" ? name.studentEpoch : name.epoch(of: network)) ?? 0 > 0
        }) {
            try check.run(setting, preparation, batch: preparation.settings.number(batch), images: images, ProgramSupervision(warn: say, abandon: abandon))
        }
    }

    /// Tests the launcher if epochs are to be trained, and reports its remarks.
    private func tryLaunch(_ preparation: Preparation, _ work: Work) throws {
        guard let launch = try Launch(preparation.settings), work.stages.contains(where: { StageName($0.name).isTraining }) else { return }
        for remark in try launch.trial(environment, groups: Launch.groups(preparation.settings)) { say(remark) }
    }

    /// Prepares the run as a whole.
    ///
    /// A teacher program is tested in two cases: the run does not remember its rows, or one of the stages to be
    /// executed uses it.
    ///
    /// - Parameter stages: the stages of a prepared run that are to be executed.
    func look(_ stages: (Preparation) throws -> [Stage]) throws -> Preparation {
        let supervision = ProgramSupervision(warn: say, abandon: abandon)
        let preparation = try Preparation(flags, environment, goal.kind, supervision, progress: progress)
        guard let program = preparation.program, program.isRemembered, try stages(preparation).contains(where: { $0.sources.contains(.teacher) }) else { return preparation }
        var hashes = preparation.hashes
        let tried = try TeacherProgram(preparation.settings, environment, in: preparation.folder, isToBeTried: true, known: &hashes, supervision)
        guard tried.isSame(as: program) else {
            return try Preparation(flags, environment, goal.kind, tried: (tried, hashes), supervision, progress: progress)
        }
        return preparation.with(tried, hashes)
    }

    /// Prepares the run as a whole, with all unfinished stages to be executed.
    private func look() throws -> Preparation { try look { Work($0).stages } }

    /// The result of `look`, once no other process can change the run.
    ///
    /// An existing run is locked before it is looked at. For a new run nothing is created until everything is known to
    /// work. If another make was faster, it is looked at again.
    func whenLocked<Found>(_ folder: RunFolder, _ look: () throws -> Found) throws -> Found {
        if folder.isRun {
            _ = try folder.lock(say)
            let found = try look()
            try folder.create()
            return found
        }
        let found = try look()
        try folder.create()
        let wasWaiting = try folder.lock(say)
        return wasWaiting || folder.isRun ? try look() : found
    }

    /// Removes the leftovers of killed tools, since no other process works in the folder now. If synthetic images are
    /// to be made again, it also removes the recorded ones, because synthesize refuses to write into a folder that has
    /// other files.
    func makeRoom(_ stages: [Stage], _ preparation: Preparation) throws {
        let folder = preparation.folder
        folder.parts.forEach { FolderNames.remove($0) }
        guard let images = preparation.run.stages["pictures"], let record = StageRecord(reading: images.name, in: folder.path), record.belongs(to: images)
        else { return }
        if let other = record.unrecorded(of: images, in: folder.path).first {
            throw Failure(.data, path: folder.file(other), "is not part of the drawn set", remedy: "move it away, or give images of your own as DATA")
        }
        if stages.contains(where: { $0.name == images.name }) { record.files.forEach { unsafe unlink(folder.file($0.name)) } }
    }

    /// Removes the checkpoints that the run does not keep and that no remaining stage reads.
    private func prune(_ preparation: Preparation, _ work: Work) {
        let kept = KeptCheckpoints(preparation.settings, in: preparation.folder.path)
        for (network, epochs) in preparation.run.students.map({ ($0.name, preparation.run.epochs) }) + [("teacher", preparation.run.teacherEpochs)] {
            let next = work.stages.compactMap { StageName($0.name).epoch(of: network) }.min() ?? epochs + 1
            kept.prune(network, after: next - 1)
        }
    }

    /// The make command for a goal.
    ///
    /// - Parameter stage: a single stage to execute, and its expected schedule: an epoch that was trained for a lower
    ///   total of epochs keeps that schedule.
    func command(_ preparation: Preparation, goal: String, alone stage: (name: String, schedule: Int?)? = nil) throws -> Command {
        try command(preparation, goals: [goal], alone: stage)
    }

    /// The same for several goals, without make checking their inputs.
    ///
    /// - Parameter shard: the shard of the features.
    func command(_ preparation: Preparation, goals: [String], alone stage: (name: String, schedule: Int?)? = nil, shard: StreamShard? = nil) throws -> Command {
        let (settings, run) = (preparation.settings, preparation.run)
        func epochs(_ epoch: (StageName) -> Int?, _ all: Int) -> Int {
            stage.flatMap { stage in epoch(StageName(stage.name)).flatMap { _ in stage.schedule } } ?? all
        }
        var words = [make, "--no-print-directory", "--no-builtin-rules", "-C", preparation.folder.path]
        words += ["settings", "teacher", "student", "evaluation"].flatMap { ["-f", "\(environment.pipelines)/\($0).mk"] }
        words += ["EPOCHS=\(epochs(\.studentEpoch, run.epochs))", "TEACHER_EPOCHS=\(epochs({ $0.epoch(of: "teacher") }, run.teacherEpochs))"]
        words += ["STUDENTS=\(run.students.map(\.name).joined(separator: " "))", "STORE=\(settings.store.map { "\($0.epochs)" } ?? "")"]
        words += ["PICTURES=\(settings.isDemonstration ? "drawn" : "given")", "TEACHER=\(settings.teacherOrigin.rawValue)"]
        words += ["PARTS=\(run.judgement.parts.joined(separator: " "))", "PROTOCOLS=\(run.protocols.joined(separator: " "))", "HEAD=\(run.judgedHead)"]
        words += ["TEACHERS=\(settings.teacherNames.joined(separator: " "))"]
        let launch = try Launch(settings)
        words += ["RANKS=\(launch == nil ? "" : "yes")", "GROUPS=\(Launch.groups(settings))"]
        words += ["BAGS=\(settings.hasBags ? "bags" : "")"]
        words += ["PROBE=\(settings.probe.map { "\($0.every)" } ?? "")"]
        words += ["EXPORT=\(settings.exports.map(\.rawValue).joined(separator: " "))"]
        words += ["SHARD=\(shard?.text ?? "")"]
        words += (stage != nil ? ["ALONE=yes", "--always-make"] : ["ALONE="]) + goals
        return Command(
            words: words,
            environment: [
                ShellProgram.folderVariable: environment.folder, "MAKEFLAGS": flags.options, "SEED_RUN": preparation.folder.path, "SEED_TAP": settings["TAP"],
                "SEED_SHOW": settings["SHOW"], Launch.variable: launch?.words.joined(separator: "\n") ?? "", "PATH": environment.path,
            ])
    }

    private func setAside(_ path: String, as aside: String) throws {
        guard unsafe rename(path, aside) == 0 || errno == ENOENT else { throw Failure.errno(.io, path: path, "cannot set it aside") }
    }
}

extension Planner.Goal {
    var kind: RunKind {
        switch self {
        case .pretrain: .pretraining
        case .finetune: .fineTuning
        case .distill, .check, .stage, .show, .report, .compare, .submit, .shard, .nightly: .any
        }
    }
}
