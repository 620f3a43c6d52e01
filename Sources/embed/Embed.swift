import ArgumentParser
import Checkpoints
import Networks
import Objectives
import TensorStreams
import ToolSupport
import Training

@main
struct Embed: Tool {
    static let configuration = CommandConfiguration(
        commandName: "embed",
        abstract: "Add a network's embeddings or features to a stream of images.",
        discussion: """
            Every record keeps its tensors and gets one more: unit embeddings 'teacher' f32 [N, D], or pooled features 'features' f32 [N, d]. \
            Batch norm uses its running statistics and is folded into the convolutions. Of several views the first is embedded.

            Any program may stand in the network's place: --command 'python3 my-teacher.py' is given the stream and answers each record with the \
            same one and the tensor 'teacher', before it is given the next. It may leave out images, but not index and label.

            Example: the features of a test set, for evaluate:

              augment --data test.tar --recipe evaluation --size 64 | embed --weights student.safetensors --features --drop images -o test.tensors.zst

            See also: augment, which makes the images; train-step and evaluate, which read the result.
            """,
        version: productVersion)

    @Option(help: "The network's weights: a checkpoint, a safetensors file or one of torch.save.") var weights: String?
    @Option(help: "A program that gives the embeddings in a network's place, run by the shell.") var command: String?
    @Option(help: ArgumentHelp("Stop the program of --command where it gives no answer for so long (default: \(TeacherProcess.usualTimeout)).", valueName: "seconds"))
    var commandTimeout: Double?
    @OptionGroup var reading: WeightsArguments
    @Flag(help: "Add the pooled features, as they are, in place of the head's embedding, of unit length.") var features = false
    @Option(
        name: .customLong("as"),
        help: ArgumentHelp("The new tensor's name; may be given again, for the same rows once more (default: teacher for embeddings, features for features).", valueName: "name"))
    var names: [String] = []
    @Option(help: ArgumentHelp("Leave this tensor out of the output; may be given again.", valueName: "tensor")) var drop: [String] = []
    @Option(help: "The view to embed, from 0.") var view = 0
    @Option(parsing: .unconditional, help: "The zstd level of the output (default: -1 to a pipe, 3 to a file).") var level: Int?
    @Option(name: [.short, .long], help: ArgumentHelp("Where the stream goes; - is standard output.", valueName: "file")) var output = "-"
    @Flag(help: "Tell at the end where the time went, layer by layer.") var profile = false
    @OptionGroup var common: TimedOptions
    @Argument(help: "The stream of images; - is standard input.") var input = "-"

    func validate() throws {
        try checkOption("--level", level, in: -100...19)
        try checkFiles(outputs: ["-o": output, "--timing": common.timing], inputs: ["--weights": weights, "the input": input])
        guard view >= 0 else { throw ValidationError("--view counts from 0, found \(view)") }
        try checkOption("--command-timeout", commandTimeout, in: 0.01...1e9)
        guard let command else {
            if weights == nil { throw ValidationError("say what embeds: --weights names a network, --command a program") }
            if commandTimeout != nil { throw ValidationError("--command-timeout goes with --command, and --weights names a network; leave it out") }
            return
        }
        guard command.contains(where: { !$0.isWhitespace }) else { throw ValidationError("--command is empty; name a program") }
        let ofNetworks = [("--weights", weights != nil), (reading.given ?? "", reading.given != nil), ("--features", features), ("--view", view != 0), ("--profile", profile)]
        if let (option, _) = ofNetworks.first(where: { $0.1 }) { throw ValidationError("\(option) goes with a network, and --command names a program; leave one of them out") }
    }

    /// Where the rows go.
    func place(_ usual: String) -> RowPlace { RowPlace(names.isEmpty ? [usual] : names, drop: Set(drop)) }

    func empty(_ reader: ReadAhead) -> Failure { Failure(.data, path: reader.name, "has no records", remedy: "the program that wrote it had no images") }

    func run() throws {
        try common.start()
        let reader = ReadAhead(try StreamReader(input))
        if let command { return try run(command, reader) }
        guard let weights else { throw Failure(.software, "has neither weights nor a program") }
        let kind: EmbeddingStage.Kind = features ? .features : .embedding
        let file = try reading.open(weights)
        let stage = try EmbeddingStage(file.weights, path: weights, kind: kind, place(kind.name), view: view)
        stage.profile = profile ? Profile(stage.network) : nil
        var header = reader.header
        header.provenance = header.provenance.adding(Embed.self)
        header.metadata["dimension"] = "\(stage.dimension)"
        header.metadata["network"] = stage.network.name
        let writer = try StreamWriter(output, header: header, level: level)
        var progress = Progress(tool: "embed", unit: "images", total: header.imageCount, common)
        while let record = try reader.next() {
            stage.profile?.lap("input")
            let embedded = try stage.embed(record)
            try writer.write(embedded)
            // Once it is known that the images are such as the network takes.
            if writer.records == 1, !common.quiet { Embed.log("\(file.coverage); pixels: \(stage.network.pixels.text)") }
            stage.profile?.lap("output")
            progress.add(stage.lastCount)
        }
        guard writer.records > 0 else { throw empty(reader) }
        try writer.commit()
        try progress.finish("\(stage.network.name), \(kind.rawValue) of \(stage.dimension) numbers")
        if let profile = stage.profile { Embed.logTable(profile.table) }
    }
}
