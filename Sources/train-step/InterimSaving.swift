public import ArgumentParser
import Platform
import TensorStreams
public import ToolSupport
import Training

extension CheckpointInterval: ExpressibleByArgument {
    public init?(argument: String) { self.init(argument) }
}

/// Saves the state in the middle of an epoch, and finds an existing one.
final class InterimSaving {
    /// The interim checkpoint from which the epoch resumes; nil to start at its beginning.
    let begin: String?
    private let files: InterimCheckpoint
    private let interval: CheckpointInterval?
    private let key: String
    /// Whether this process writes; only one of several ranks does.
    private let saves: Bool
    private var last = Progress.now()
    private var saved: Int?
    private var hasTold = false

    /// - Parameters:
    ///   - student: the initial checkpoint of the epoch.
    ///   - header: the header of the stream.
    ///   - saves: whether this process writes.
    init(_ path: String, every interval: CheckpointInterval?, student: String, _ header: StreamHeader, saves: Bool = true) throws {
        self.saves = saves
        guard header.metadata.count("epochs") ?? 1 == 1 else {
            throw Failure(.usage, "--interim saves the middle of one epoch, and the stream has \(header.metadata["epochs"] ?? "")", remedy: "give augment one epoch at a time, or leave out --interim")
        }
        var status = stat()
        guard unsafe stat(student, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw Failure(.usage, path: student, "is not a regular file, and --interim identifies an epoch by the checkpoint that it began with", remedy: "keep it in a file")
        }
        files = InterimCheckpoint(path)
        (begin, self.interval) = (files.newest, interval)
        // The provenance of the stream identifies its data and does not depend on its first batch.
        key = XXH64.of([try XXH64.ofFile(student), header.provenance.text, header.madeOf ?? "", header.metadata["records"] ?? "", header.metadata["epoch"] ?? ""] + Provenance.arguments(of: TrainStep.self))
    }

    /// The state from which the epoch resumes or starts.
    ///
    /// - Throws: ``Failure`` where the interim checkpoint is of another epoch.
    func state(student: String, _ read: (String) throws -> TrainingState) throws -> TrainingState {
        guard let begin else { return try read(student) }
        let state: TrainingState
        do { state = try read(begin) } catch var failure as Failure where failure.kind == .data {
            failure.remedy = files.remedy
            throw failure
        }
        guard let interim = state.interim else { throw Failure(.data, path: begin, "is not an interim checkpoint", remedy: files.remedy) }
        guard interim.key == key else {
            throw Failure(.data, path: begin, "belongs to an epoch with other options, another stream or another first checkpoint than \(student)", remedy: "remove it; the epoch then starts again")
        }
        return state
    }

    func isDue(_ trainer: Trainer) -> Bool {
        switch interval {
        case _ where !saves: false
        case nil: false
        case .batches(let count): trainer.batchesDone % count == 0
        case .seconds(let seconds): Progress.now() - last >= seconds
        }
    }

    func save(_ trainer: Trainer, _ log: TrainingLog, waited: Double) throws {
        guard saves, trainer.batchesDone != saved else { return }
        guard let state = try trainer.interim(key: key) else { return tell(trainer) }
        try log.finish(waited: waited)
        try files.write(state.document())
        (last, saved) = (Progress.now(), trainer.batchesDone)
    }

    /// Says once why there are no interim checkpoints. After the last batch none is needed.
    private func tell(_ trainer: Trainer) {
        guard trainer.batchesDone > 0, !trainer.isComplete, !hasTold else { return }
        hasTold = true
        TrainStep.log("no interim checkpoints: the program of --loss reports its state only at its end")
    }

    /// Saves the current state and returns the failure with which the tool ends.
    ///
    /// If saving fails, the previous checkpoint remains.
    func stopped(_ trainer: Trainer, _ log: TrainingLog, waited: Double) -> Failure {
        do { try save(trainer, log, waited: waited) } catch { TrainStep.log("\(error)") }
        let place = saved.map { " after batch \($0) of the epoch" } ?? (begin == nil ? " at the beginning of the epoch" : ", with nothing done since it resumed")
        return Failure(.stopped, path: files.path, "stopped on request\(place)", remedy: "the same command resumes from there")
    }

    func remove() { files.remove() }
}
