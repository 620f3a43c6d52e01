import ArgumentParser
import TensorStreams
import ToolSupport
import Training

/// "200", "10m", "30s".
enum CheckpointInterval: ExpressibleByArgument {
    case batches(Int)
    case seconds(Double)

    init?(argument: String) {
        let unit: Double? = argument.hasSuffix("m") ? 60 : argument.hasSuffix("s") ? 1 : nil, digits = unit == nil ? argument : String(argument.dropLast())
        guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(digits), 1...1_000_000_000 ~= number else { return nil }
        self = unit.map { .seconds(Double(number) * $0) } ?? .batches(number)
    }
}

/// Saves the state of an epoch in its middle, and finds the one that is there.
final class InterimSaving {
    /// The interim checkpoint that the epoch goes on with; nil for its beginning.
    let begin: String?
    private let files: InterimCheckpoint
    private let interval: CheckpointInterval?
    private let key: String
    private var last = Progress.now()
    private var saved: Int?
    private var hasTold = false

    /// - Parameters:
    ///   - student: the checkpoint that the epoch began with.
    ///   - header: of the stream.
    init(_ path: String, every interval: CheckpointInterval?, student: String, _ header: StreamHeader) throws {
        files = InterimCheckpoint(path)
        (begin, self.interval) = (files.newest, interval)
        // The stream's own line tells what it is of; where it begins is not in it.
        key = XXH64.of([try XXH64.ofFile(student), header.provenance.text, header.metadata["records"] ?? "", header.metadata["epoch"] ?? ""] + Provenance.arguments(of: TrainStep.self))
    }

    /// - Throws: ``Failure`` where what goes on is of another epoch than this one.
    func check(_ state: TrainingState, student: String) throws {
        guard let begin else { return }
        guard let interim = state.interim else { throw Failure(.data, path: begin, "is no interim checkpoint", remedy: "remove it; the epoch begins anew without it") }
        guard interim.key == key else {
            throw Failure(.data, path: begin, "is of an epoch with other options, another stream or another beginning than \(student)", remedy: "remove it; the epoch begins anew without it")
        }
    }

    func isDue(_ trainer: Trainer) -> Bool {
        switch interval {
        case nil: false
        case .batches(let count): trainer.batchesDone % count == 0
        case .seconds(let seconds): Progress.now() - last >= seconds
        }
    }

    func save(_ trainer: Trainer, _ log: TrainingLog, waited: Double) throws {
        guard trainer.batchesDone != saved else { return }
        guard let state = try trainer.interim(key: key) else { return tell(trainer) }
        try log.finish(waited: waited)
        try files.write(state.document())
        (last, saved) = (Progress.now(), trainer.batchesDone)
    }

    /// Why there is none, once. Behind the last batch none is needed.
    private func tell(_ trainer: Trainer) {
        guard trainer.batchesDone > 0, !trainer.isComplete, !hasTold else { return }
        hasTold = true
        TrainStep.log("no interim checkpoints: the program of --loss keeps a state that it tells at its end alone")
    }

    /// Behind "stopped on request".
    var savedText: String { saved.map { " behind batch \($0) of the epoch" } ?? (begin == nil ? " at the beginning of the epoch" : "") }

    func remove() { files.remove() }
}
