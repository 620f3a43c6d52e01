public import ArgumentParser
import Checkpoints
public import Networks
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

            Example: the features of a test set, for evaluate:

              augment --data test.tar --recipe evaluation --size 64 | embed --weights student.safetensors --features --drop images -o test.tensors.zst

            See also: augment, which makes the images; train-step and evaluate, which read the result.
            """,
        version: productVersion)

    @Option(help: "The network's weights: a checkpoint, a safetensors file or one of torch.save.") var weights: String
    @Option(help: "The network (default: what the file says or its tensors fit).") var network: String?
    @Option(help: "Whose definition of it: torchvision or seed, which has \(Network.definedBySEED.joined(separator: ", ")) of its own.") var definition: Definition?
    @Option(help: "What the names of the network begin with (default: what a known layout says).") var prefix: String?
    @Flag(help: "Add the pooled features, as they are, in place of the head's embedding, of unit length.") var features = false
    @Option(name: .customLong("as"), help: "The new tensor's name (default: teacher for embeddings, features for features).") var name: String?
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
    }

    func run() throws {
        try common.start()
        let kind: EmbeddingStage.Kind = features ? .features : .embedding
        let reader = ReadAhead(try StreamReader(input))
        let file = try WeightsFile(weights, network: try WeightsDocument.networkName(network, by: definition), prefix: prefix)
        let stage = try EmbeddingStage(file.weights, path: weights, kind: kind, name: name, view: view, drop: Set(drop))
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
            if writer.records == 1, !common.quiet { Embed.log(file.coverage) }
            stage.profile?.lap("output")
            progress.add(stage.lastCount)
        }
        guard writer.records > 0 else { throw Failure(.data, path: reader.name, "has no records", remedy: "the program that wrote it had no images") }
        try writer.commit()
        try progress.finish("\(stage.network.name), \(kind.rawValue) of \(stage.dimension) numbers")
        if let profile = stage.profile { Embed.logTable(profile.table) }
    }
}

extension Definition: ExpressibleByArgument {}
