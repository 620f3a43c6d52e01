import ArgumentParser
import Networks
import Kernels
import Objectives
import Platform
import Ranks
import TensorStreams
import ToolSupport
import Training

@main
struct TrainStep: Tool {
    static let configuration = CommandConfiguration(
        commandName: "train-step",
        abstract: "Train a student for one epoch: forward pass, loss, backward pass and optimizer step for every batch of a stream.",
        discussion: """
            Reads a checkpoint and a stream of images, and writes the next checkpoint, which holds all that the next epoch needs.

            Example: the fourth epoch of a distillation:

              augment --data train.tar --size 64 --batch 64 --epoch 3 | embed --weights teacher.safetensors |
                train-step --student student.3.safetensors --epochs 24 -o student.4.safetensors

            The loss may be any program: --loss 'python3 my-loss.py' is given 'student' and 'teacher' of each batch and answers with 'loss' and \
            'gradient'; as long as it has no stored state, its first record also holds 'teacher.sample', the teacher's first embeddings. The loss \
            of a queue rises at first, while real embeddings replace the random ones; watch KL, not the loss. A student whose embeddings are all \
            alike, or whose KL does not fall for an epoch, is reported: its learning rate was too high at the start, or the teacher's embeddings \
            share a mean that is not subtracted.

            These methods have settings of their own, which apply where an option is not given:

            \(TrainStep.recommended)

            With --interim FILE and --checkpoint-every 10m the state in the middle of the epoch is saved every ten minutes (a number alone counts batches), and once \
            more on SIGTERM, which then ends the tool with status 75. The same command resumes from there, if augment is given --resume FILE, and ends in the same \
            bytes; batches that are already done are skipped.

            See also: initialize, which makes the first checkpoint; queue-loss, which is the loss as a program; convert-weights; evaluate.
            """,
        version: productVersion)

    /// One line per method.
    private static let recommended = Methods.all.compactMap { method in method.defaults.map { "  \(method.name): \($0.text)" } }.joined(separator: "\n")

    @Option(help: "The checkpoint to start from.") var student: String
    @Option(name: [.short, .long], help: "The checkpoint to write; it may be that of --student, which is replaced once the new one is complete.") var output: String
    @OptionGroup(title: "Training") var training: TrainingArguments
    @Option(help: ArgumentHelp("Save the state in the middle of the epoch to this file, and start from it if it exists; it is removed at the end.", valueName: "file")) var interim: String?
    @Option(help: ArgumentHelp("With --interim: save after this many batches, minutes (10m) or seconds (30s) (default: only on SIGTERM).", valueName: "n")) var checkpointEvery: CheckpointInterval?
    @Option(help: "Write a JSON line for every interval to this file.") var log: String?
    @Option(help: "Batches per interval of the log.") var logInterval = 10
    @Flag(help: "Report at the end where the time went, layer by layer.") var profile = false
    @Flag(help: "Train with the other ranks that mpirun or srun started, each on its part of every batch (augment --slice auto); rank 0 writes.") var mpi = false
    @Option(help: ArgumentHelp("With --mpi: a rank that has not been heard of for this long is lost, and all ranks end.", valueName: "seconds")) var rankTimeout = 20
    @Flag(help: "With --mpi: allow processors of different kinds, whose results differ in their last bits.") var allowMixed = false
    @OptionGroup var common: TimedOptions
    @Argument(help: "The stream of images; - is standard input.") var input = "-"

    func validate() throws {
        try checkFiles(
            outputs: ["-o": output, "--log": log, "--timing": common.timing, "--interim": interim], inputs: ["--student": student, "the input": input],
            replaceable: ["--student"])
        if interim == OutputFile.standard { throw ValidationError("--interim takes a file, found '-'") }
        if checkpointEvery != nil, interim == nil { throw ValidationError("--checkpoint-every goes with --interim, which says where; leave it out") }
        if mpi { try RankedTraining.check() }
        try checkOption("--rank-timeout", rankTimeout, in: 2...86_400)
        guard logInterval > 0 else { throw ValidationError("--log-interval takes 1 or more, found \(logInterval)") }
    }

    func run() throws {
        try common.start()
        // A launcher may forward its signal while it still starts ranks. The limit lets repeated requests end the
        // process where a rank cannot be reached.
        let signals = mpi ? [SIGUSR1] : []
        if interim != nil { StopRequest.watch(others: signals, most: mpi ? 10 : nil) }
        guard mpi else { return try train(nil) }
        let ranks = try RankedTraining.enter(timeout: rankTimeout)
        if interim != nil { StopRequest.watch(others: signals) }
        do {
            try train(ranks)
            try ranks.finish()
        } catch {
            let failure = error as? Failure ?? Failure(.software, "\(error)")
            guard failure.kind == .stopped else { RankedTraining.abort(ranks, failure) }
            // One rank reports for all, before the end of the first one makes the launcher end the others.
            if ranks.rank == 0 { TrainStep.log("\(failure)") }
            try ranks.finish()
            throw ExitCode(failure.kind.rawValue)
        }
    }

    /// - Parameter ranks: the ranks that train together. The first of them writes and reports.
    private func train(_ ranks: Ranks?) throws {
        let writes = (ranks?.rank ?? 0) == 0
        var common = common
        if !writes { (common.common.quiet, common.timing) = (true, nil) }
        if writes { try OutputFile.check(output) }
        let reader: ReadAhead
        do { reader = ReadAhead(try StreamReader(input)) } catch {
            guard StopRequest.isMade else { throw error }
            let stopped = Failure(.stopped, path: output, "stopped on request before the epoch began", remedy: "the same command trains it")
            // The other ranks may be further ahead and would wait for this one.
            if let ranks { RankedTraining.abort(ranks, stopped) }
            throw stopped
        }
        var options = try training.options(header: reader.header, of: reader.name)
        options.ranks = ranks
        let saving = try interim.map { try InterimSaving($0, every: checkpointEvery, student: student, reader.header, saves: writes) }
        if let ranks {
            try agree(ranks, reader.header, saving)
            // All ranks wait for it, and none of the others can tell which one they wait for.
            reader.tellWaiting = { TrainStep.log("rank \(ranks.rank): has waited \(Progress.duration($0)) for its next batch; check the programs on its machine that make its images or its teacher's rows") }
        }
        func read(_ path: String) throws -> TrainingState { try TrainingState(reading: path, for: options.method, options.methodOptions, optimizer: options.optimizer) }
        var state = try saving?.state(student: student, read) ?? read(student)
        if saving?.begin == nil, state.interim != nil {
            throw Failure(.data, path: student, "is an interim checkpoint, from the middle of an epoch", remedy: "give it to --interim, and give --student the checkpoint that the epoch began with")
        }
        try state.takeClasses(options.method, options.methodOptions, reader.header, path: student, stream: reader.name)
        options.lossSupervision.warn = { TrainStep.log($0) }
        options.lossSupervision.abandon = { stop($0) }
        options.lossSupervision.ignoresTermination = interim != nil
        let trainer: Trainer
        do { trainer = try Trainer(state, options, header: reader.header, checkpoint: saving?.begin ?? student) } catch var failure as Failure {
            failure.path = failure.path ?? reader.name
            throw failure
        }
        // Several students may train side by side and log to the same place.
        let network = state.weights.network.name
        trainer.profile = profile && writes ? Profile(state.weights.network) : nil
        let log = try TrainingLog(writes ? log : nil, interval: logInterval, epoch: trainer.epoch, after: trainer.batchesDone)
        if trainer.batchesDone > 0, !common.quiet { TrainStep.log("\(network): resumes after batch \(trainer.batchesDone) of the epoch") }
        if let before = state.interim?.processor, before != MachineKind.name, writes {
            TrainStep.log("\(network): the epoch began on a processor that computes as \(before) and resumes on one that computes as \(MachineKind.name): its last bits will match neither")
        }
        var progress = Progress(
            tool: "train-step", unit: "images", total: reader.header.imageCount, common)
        let gathered = ranks.map { GatheredRecords(reader, $0) { saving != nil && StopRequest.isMade } }
        let records = TeacherSample.Reader(gathered ?? reader)
        /// Reads records. Ends the tool if it, or another rank, was asked to stop.
        func reading<Result>(_ read: () throws -> Result) throws -> Result {
            // A completed epoch ends normally.
            if gathered == nil, StopRequest.isMade, !trainer.isComplete, let saving { throw saving.stopped(trainer, log, waited: reader.waited) }
            do {
                let result = try read()
                if gathered?.isStopped == true, !trainer.isComplete, let saving { throw saving.stopped(trainer, log, waited: reader.waited) }
                return result
            } catch {
                // The preceding tools of the pipeline are asked to stop too, so the stream ends early.
                guard gathered == nil, StopRequest.isMade, let saving else { throw error }
                throw saving.stopped(trainer, log, waited: reader.waited)
            }
        }
        // A stream that ends early has no sample.
        for (tensor, sample) in try reading({ try records.samples(trainer.sampledTensors) { gathered == nil && saving != nil && StopRequest.isMade } }) { trainer.setSample(sample, of: tensor) }
        while let record = try reading(records.next) {
            trainer.profile?.lap("input")
            if trainer.isDone(record) { continue }
            let report = try trainer.step(record)
            try log.add(report, waited: reader.waited)
            if !common.quiet { trainer.takeNotes().forEach { TrainStep.log("\(network): \($0)") } }
            progress.add(report.images, waited: reader.waited, note: "loss \(Progress.short(report.loss))")
            if saving?.isDue(trainer) == true { try saving?.save(trainer, log, waited: reader.waited) }
        }
        guard log.steps > 0 || trainer.batchesDone > 0 else { throw Failure(.data, path: reader.name, "has no records", remedy: "the program that wrote it had no images") }
        var trained = try trainer.finish()
        guard writes else { return }
        if !common.quiet { trainer.takeNotes().forEach { TrainStep.log("\(network): \($0)") } }
        trained.provenance = trained.provenance.followed(by: reader.header.provenance, TrainingArguments.provenanceLine(loss: trainer.lossCommand))
        try log.finish(waited: reader.waited)
        try DocumentFile.write(trained.document(), to: output)
        saving?.remove()
        trainer.profile?.lap("checkpoint")
        try progress.finish("\(network), \(log.summary)")
        if let profile = trainer.profile { TrainStep.logTable(profile.table) }
    }

    /// Checks that all ranks train the same student on the same stream with the same version.
    private func agree(_ ranks: Ranks, _ header: StreamHeader, _ saving: InterimSaving?) throws {
        try RankedTraining.agree(ranks, [
            "the version": productVersion, "the options": Provenance.arguments(of: TrainStep.self).joined(separator: " "), "the student": try XXH64.ofFile(student),
            "the stream": header.provenance.text, "what its images, its teacher and its stored rows are known by": header.madeOf ?? "none", "records in the stream": header.metadata["records"] ?? "unknown", "the epoch": header.metadata["epoch"] ?? "unknown",
            "the interim checkpoint": try saving?.begin.map(XXH64.ofFile) ?? "none", RankedTraining.processor: allowMixed ? "any" : MachineKind.name,
        ])
    }
}
