import ArgumentParser
import Objectives
import Platform
import TensorStreams
import ToolSupport
import Training

@main
struct QueueLoss: Tool {
    static let configuration = CommandConfiguration(
        commandName: "queue-loss",
        abstract: "Compute the loss and its gradient for a stream of student and teacher embeddings.",
        discussion: """
            Every record holds 'student' and 'teacher', f32 [N, D] with L2-normalized rows. Its answer, written at once, holds 'loss' [N], 'gradient' \
            [N, D] of the mean loss with respect to the student's rows, 'floor' [N] (the entropy of the targets: the smallest possible \
            loss) and 'agreement' [N]; its metadata is that of the record, with queue_size and queue_filled (rows that are already \
            embeddings). The logits are computed before the teacher's rows enter the queue.

            A first record with the metadata state=1 and the tensors 'queue', 'queue.position' and 'queue.filled' sets the queue; its \
            'centre' and 'temperature' set what was found for the teacher. If the input's header has state=wanted, such a record follows \
            the last answer; it is also the answer to a record without tensors and with the metadata state=wanted. If they are not set, \
            the teacher's mean and temperature are found from the tensor 'teacher.sample' [n, D] of the first record, or else from its \
            'teacher'.

            Example: keep the loss of stored embeddings, and the queue for the next epoch:

              queue-loss --queue queue.safetensors pairs.tensors.zst -o loss.tensors.zst

            See also: train-step --loss, which runs this as a co-process; inspect, which shows the answers.
            """,
        version: productVersion)

    @OptionGroup
    var method: MethodArguments<PairMethods>
    @Option(name: .customLong("queue"), help: ArgumentHelp("Read the queue from this file if it exists, and write it there at the end.", valueName: "file"))
    var queueFile: String?
    @Option(help: "The seed of a new queue's random rows.")
    var seed: UInt64 = 0
    @Option(parsing: .unconditional, help: "The zstd level of the output (default: -1 to a pipe, 3 to a file).")
    var level: Int?
    @Option(name: [.short, .long], help: "The stream to write; - is standard output.")
    var output = "-"
    @OptionGroup var common: TimedOptions
    @Argument(help: "The stream of embeddings; - is standard input.")
    var input = "-"

    func validate() throws {
        try checkFiles(outputs: ["-o": output, "--queue": queueFile, "--timing": common.timing], inputs: ["the input": input])
        try checkOption("--level", level, in: -100...19)
    }

    func run() throws {
        try common.start()
        let reader = try StreamReader(input)
        guard let pairs = method.method as? any PairObjective.Type else { throw Failure(.software, "\(method.method.name) has no loss of pairs") }
        let settings = PairLossStage.Settings(pairs, method.options, seed: seed, samples: reader.header.metadata.count("samples"))
        var stage = PairLossStage(settings)
        if let queueFile, unsafe access(queueFile, F_OK) == 0 { try stage.setQueue(DocumentFile.read(queueFile, selecting: QueueState.names)) }
        var header = reader.header
        header.provenance = header.provenance.adding(QueueLoss.self)
        let isWanted = reader.header.metadata[QueueState.key] == QueueState.wanted
        header.metadata[QueueState.key] = isWanted ? QueueState.anyTime : nil
        header.metadata[PairLossStage.Settings.key] = settings.command
        let writer = try StreamWriter(output, header: header, level: level)
        var progress = Progress(tool: "queue-loss", unit: "records", total: reader.header.metadata.count("records"), common)
        while let record = try reader.next() {
            guard let answer = try stage.answer(record) else { continue }
            try writer.write(answer)
            if writer.records == 1, !common.quiet { stage.notes.forEach(QueueLoss.log) }
            progress.add(1)
        }
        guard let queue = stage.queue, writer.records > 0 else {
            throw Failure(.data, path: reader.name, "has no records with embeddings", remedy: "the program that wrote it had no images")
        }
        if isWanted { try writer.write(QueueState.record(stage.state)) }
        try writer.commit()
        if let queueFile { try DocumentFile.write(TensorDocument(metadata: ["provenance": header.provenance.text], tensors: stage.state), to: queueFile) }
        try progress.finish(stage.summary.text(queue))
    }
}
