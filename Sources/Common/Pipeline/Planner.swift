import Platform
import TensorStreams
public import ToolSupport

/// From what a person typed behind make to a run whose stages make can do one after the other.
public struct Planner {
    public enum Goal: Sendable, Equatable {
        /// All stages that are not done.
        case distill
        /// The same of a run without a teacher.
        case pretrain
        /// The same of a run that gives a network that has learnt a classifier.
        case finetune
        /// Nothing: only tells what would be done.
        case check
        /// One stage alone.
        case stage
        /// The command of one stage, which is not run.
        case show
        /// A page of what there is, whether the run is at its end or not, and whoever works on it.
        case report
        /// Several runs beside each other.
        case compare
        /// All stages that are not done, by jobs of Slurm.
        case submit
        /// A part of the features that are not done.
        case shard
        /// An evaluation of the newest checkpoints of all runs.
        case nightly
    }

    /// What is to be started in this process's place.
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
    ///   - goal: what is to be prepared.
    ///   - flags: what make was called with.
    ///   - pipelines: the folder of the fragments that make reads.
    ///   - tools: the folder of the tools.
    ///   - make: the program to start.
    ///   - say: is told what a person should know.
    ///   - abandon: see ``ProgramSupervision``.
    ///   - progress: is told which data is read, how many of its images have been read since the last time, and how many there are.
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

    /// Makes the run ready.
    ///
    /// - Returns: make for the run's stages; nil where only something was to be told.
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

    /// All stages that are not done.
    private func prepareAll(_ folder: RunFolder) throws -> Command {
        let preparation = try write(folder).preparation, until = Until(preparation.settings)
        return try command(preparation, goal: until.map { "until-\($0.rawValue)" } ?? "judged")
    }

    /// Writes the run, with all that its stages need that are not done.
    ///
    /// - Parameter check: throws where what is to do them cannot.
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
        // An epoch's recipe does what has no record: with make -B all of it.
        if flags.doesAll { for stage in preparation.run.stages.names { unsafe unlink(StageRecord.path(stage, in: folder.path)) } }
        prune(preparation, work)
        return (preparation, work)
    }

    /// The page of a run as its last stage makes it. One that this stage has made is there, and is left as it is.
    private func report(_ folder: RunFolder) throws -> Command? {
        guard folder.isRun else { throw noRun(folder) }
        if let line = try StageTable(in: folder.path)["report"], var record = StageRecord(reading: line.name, in: folder.path), record.fingerprint == line.fingerprint,
            record.condition(in: folder.path) == .whole
        {
            say(folder.file("report.html"))
            return nil
        }
        // A run that an earlier version has planned has no such options.
        let script = "cd \"$1\"; if [ -e options/report.augment ]; then augment --data data/train @options/report.augment --quiet | report --run . @options/report --views - --quiet; "
            + "else report --run . --quiet; fi; echo \"$1/report.html\" >&2"
        return Command(words: ["/bin/bash", "-euo", "pipefail", "-c", script, "report", folder.path], environment: ["PATH": environment.path])
    }

    /// The runs that NAMES names.
    private func compare() throws -> Command {
        try RunSettings.check(flags)
        let runs = flags.value(of: "RUNS") ?? "runs", names = (flags.value(of: "NAMES") ?? "").split(separator: " ").map(String.init)
        guard names.count > 1 else {
            if runs.contains(" ") { throw Failure(.usage, "RUNS=\(runs): is the folder of runs, and no list of them", remedy: "NAMES='\(runs)'") }
            let there = RunFolder.names(in: runs)
            throw Failure(.usage, "NAMES=\(names.joined(separator: " ")): several runs are compared", remedy: "NAMES='a b'; \(there.isEmpty ? "there are none in \(runs)" : "there are \(listed(there, quote: ""))")")
        }
        for name in names where try !RunFolder(runs: runs, name: name).isRun { throw noRun(try RunFolder(runs: runs, name: name)) }
        return Command(words: ["report"] + names.map { "--run=\(runs)/\($0)" } + ["-o", runs + "/compare.html"], environment: ["PATH": environment.path])
    }

    /// What was typed for it becomes the program's options.
    private func nightly() throws -> Command {
        try RunSettings.check(flags)
        let own = ["RUNS", "HISTORY", "ON_FALL", "PROMETHEUS"]
        if let other = flags.assignments.first(where: { Setting.named($0.name) != nil && !own.contains($0.name) }) {
            throw Failure(.usage, "\(other.name) is not for nightly, which judges the runs in RUNS as they are", remedy: "leave it out; nightly takes \(own.joined(separator: ", "))")
        }
        let options = [("RUNS", "--runs"), ("HISTORY", "--history"), ("ON_FALL", "--on-fall"), ("PROMETHEUS", "--prometheus")].flatMap { name, option in
            flags.value(of: name).map { $0.isEmpty ? [] : ["\(option)=\($0)"] } ?? []
        }
        return Command(words: ["nightly", "--pipelines", environment.pipelines] + options, environment: ["PATH": environment.path])
    }

    /// What a person is told before anything is done.
    ///
    /// - Throws: ``Failure`` where there is no room for it.
    private func summary(_ preparation: Preparation, _ all: Work) throws -> String {
        // Where UNTIL ends it before, that is what is to be done.
        let work = Until(preparation.settings).map { until in
            let run = preparation.run, isTeacher = until == .teacher
            return Work(run.stages, goals: isTeacher ? ["teacher.\(run.teacherEpochs)"] : run.students.map(\.name), probes: isTeacher ? [] : run.probes, folder: preparation.folder.path)
        } ?? all
        guard !work.stages.isEmpty else { return Summary(preparation: preparation, work: work, room: nil).text }
        let room = Room(preparation.estimate(work), work.stages, kept: preparation.settings.count("KEEP"))
        try preparation.checkRoom(room)
        return Summary(preparation: preparation, work: work, room: room).text
    }

    /// Tries the programs that are to give a loss, of networks that are to be trained.
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

    /// Tries what is to start epochs, where any are to be done, and tells what a person should know of it.
    private func tryLaunch(_ preparation: Preparation, _ work: Work) throws {
        guard let launch = try Launch(preparation.settings), work.stages.contains(where: { StageName($0.name).isTraining }) else { return }
        for remark in try launch.trial(environment, groups: Launch.groups(preparation.settings)) { say(remark) }
    }

    /// The run, looked at as a whole. A program that is the teacher is tried where the run does not remember what its rows are, and where one of the stages
    /// that are to be done uses it.
    ///
    /// - Parameter stages: those that are to be done, of a run that has been looked at.
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

    /// The run as a whole, all stages of which are to be done that are not.
    private func look() throws -> Preparation { try look { Work($0).stages } }

    /// What `look` has found, once nobody else can change the run.
    ///
    /// A run that is there is locked before it is looked at. For a new one nothing is made before all is known to work, and if another make was quicker it is
    /// looked at once more.
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

    /// Removes what killed tools have left, since nobody else works in the folder now, and the images of a set that is to be drawn anew: those that its
    /// record tells of. synthesize refuses to draw where there are others.
    func makeRoom(_ stages: [Stage], _ preparation: Preparation) throws {
        let folder = preparation.folder
        folder.parts.forEach { FolderNames.remove($0) }
        guard let images = preparation.run.stages["pictures"], let record = StageRecord(reading: images.name, in: folder.path), record.belongs(to: images)
        else { return }
        if let other = record.unrecorded(of: images, in: folder.path).first {
            throw Failure(.data, path: folder.file(other), "is not of the drawn set", remedy: "move it away, or give images of your own as DATA")
        }
        if stages.contains(where: { $0.name == images.name }) { record.files.forEach { unsafe unlink(folder.file($0.name)) } }
    }

    /// Removes the checkpoints that the run does not keep and no stage to be done reads.
    private func prune(_ preparation: Preparation, _ work: Work) {
        let kept = KeptCheckpoints(preparation.settings, in: preparation.folder.path)
        for (network, epochs) in preparation.run.students.map({ ($0.name, preparation.run.epochs) }) + [("teacher", preparation.run.teacherEpochs)] {
            let next = work.stages.compactMap { StageName($0.name).epoch(of: network) }.min() ?? epochs + 1
            kept.prune(network, after: next - 1)
        }
    }

    /// - Parameter stage: one that is to be done alone, with the schedule that it is expected to have: an epoch that was done when there were to be fewer keeps theirs.
    func command(_ preparation: Preparation, goal: String, alone stage: (name: String, schedule: Int?)? = nil) throws -> Command {
        try command(preparation, goals: [goal], alone: stage)
    }

    /// The same for several, which make need not look into.
    ///
    /// - Parameter shard: the part of them.
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
