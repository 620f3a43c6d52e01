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
            Every record keeps its tensors and gets one more: embeddings of unit length 'teacher' f32 [N, D], pooled features 'features' f32 [N, d], or a \
            classifier's 'logits' f32 [N, C]. \
            Batch norm uses its running statistics and is folded into the convolutions (but see --batch-statistics). If there are several views, the first is \
            embedded; --group 1 embeds all V views of the second group of augment --crops as 'teacher.1' f32 [N, V, D].

            Any program can replace the network: --command 'python3 my-teacher.py' is given the stream and answers each record, before it is given the next, \
            with the same record and the tensor 'teacher'. It may leave out images, but not index and label.

            With --rows the output holds only the new rows (and those that --keep names), with what identifies their images, but no images. Later, --stored FILE \
            joins them to the same views in place of the teacher's pass: every image's number and views are compared, and rows of others are refused. With \
            --by-image, a file with one view of each image gives its rows to all views of that image, as SimReg caches its teacher's features.

            Example: the features of a test set, for evaluate:

              augment --data test.tar --recipe evaluation --size 64 | embed --weights student.safetensors --features --drop images -o test.tensors.zst

            See also: augment, which makes the images; train-step and evaluate, which read the result.
            """,
        version: productVersion)

    @Option(help: "The network's weights: a checkpoint, a safetensors file or a torch.save file.") var weights: String?
    @Option(help: "A program that gives the embeddings in place of a network, run by the shell.") var command: String?
    @Option(help: ArgumentHelp("Stop the program of --command if it gives no answer for this long (default: \(TeacherProcess.usualTimeout)).", valueName: "seconds"))
    var commandTimeout: Double?
    @Option(help: ArgumentHelp("Rows that embed --rows stored for the same views, joined to the stream in place of a network's.", valueName: "file")) var stored: String?
    @Flag(help: "Join the rows of --stored by the images' numbers alone, whatever the views; the file has one view of each image and is held in memory.") var byImage = false
    @OptionGroup var reading: WeightsArguments
    @Flag(help: "Add the pooled features as they are, in place of the head's embeddings of unit length.") var features = false
    @Flag(help: "Add the head's output as it is: a classifier's logits, for train-step --objective kd.") var logits = false
    @Flag(help: """
        Normalize each view of a record by its own mean and deviation, as in training, not by those that the network has learnt; the teachers in DisCo's and BINGO's code do so.
        """)
    var batchStatistics = false
    @Option(
        name: .customLong("as"),
        help: ArgumentHelp("The new tensor's name (repeatable, to add the same rows under several names; default: teacher for embeddings, features for features, logits for logits).", valueName: "name"))
    var names: [String] = []
    @Option(help: ArgumentHelp("Leave this tensor out of the output (repeatable).", valueName: "tensor")) var drop: [String] = []
    @Option(help: "The view to embed, counted from 0 over all groups of crops (default: 0).") var view: Int?
    @Option(help: ArgumentHelp(
        "Embed all views of this group of crops, counted from 0, into a tensor of its own (repeatable, also with --view).", valueName: "group"))
    var group: [Int] = []
    @Flag(help: "Write the rows without the images, for --stored.") var rows = false
    @Option(help: ArgumentHelp("With --rows: also keep these rows, which an earlier embed added (repeatable).", valueName: "tensor")) var keep: [String] = []
    @Flag(help: "Write the rows as CSV in place of a stream: index, label, path (augment --paths) and the numbers.") var csv = false
    @Flag(help: "Round the rows of --rows to half precision, which takes half the space.") var half = false
    @Option(parsing: .unconditional, help: "The zstd level of the output (default: -1 to a pipe, 3 to a file).") var level: Int?
    @Option(name: [.short, .long], help: ArgumentHelp("The stream to write; - is standard output.", valueName: "file")) var output = "-"
    @Flag(help: "Report at the end where the time went, layer by layer.") var profile = false
    @OptionGroup var common: TimedOptions
    @Argument(help: "The stream of images; - is standard input.") var input = "-"

    func validate() throws {
        try checkOption("--level", level, in: -100...19)
        try checkFiles(outputs: ["-o": output, "--timing": common.timing], inputs: ["--weights": weights, "--stored": stored, "the input": input])
        if let view, view < 0 { throw ValidationError("--view counts from 0, found \(view)") }
        for (place, number) in group.enumerated() {
            try checkOption("--group", number, in: 0...1000)
            if group[..<place].contains(number) { throw ValidationError("--group \(number) is given twice") }
        }
        if !names.isEmpty, sources.count > 1 { throw ValidationError("--as names the rows of one --view or one --group; leave it out, or run embed once for each") }
        try checkOption("--command-timeout", commandTimeout, in: 0.01...1e9)
        if features, logits { throw ValidationError("--features and --logits ask for different rows; give one of them, and send the stream through embed again for the other") }
        if byImage, stored == nil { throw ValidationError("--by-image goes with --stored; leave it out") }
        if half, !rows { throw ValidationError("--half goes with --rows; leave it out") }
        if !keep.isEmpty, !rows { throw ValidationError("--keep goes with --rows, without which all tensors are kept; leave it out") }
        if let twice = keep.indices.first(where: { keep[..<$0].contains(keep[$0]) }) { throw ValidationError("--keep \(keep[twice]) is given twice") }
        if csv {
            let others = [("--rows", rows), ("--stored", stored != nil), ("--drop", !drop.isEmpty), ("--group", !group.isEmpty), ("--level", level != nil)]
            if let (option, _) = others.first(where: { $0.1 }) { throw ValidationError("\(option) applies to streams, and --csv writes none; leave one of them out") }
        }
        if rows, !drop.isEmpty { throw ValidationError("--rows leaves out all tensors of the stream; leave out --drop") }
        let ofNetworks = [
            ("--weights", weights != nil), (reading.given ?? "", reading.given != nil), ("--features", features), ("--logits", logits), ("--batch-statistics", batchStatistics), ("--view", view != nil && view != 0),
            ("--group", !group.isEmpty), ("--profile", profile),
        ]
        let ofMaking = [("--command", command != nil), ("--command-timeout", commandTimeout != nil), ("--as", !names.isEmpty), ("--rows", rows)]
        if stored != nil {
            if let (option, _) = (ofNetworks + ofMaking).first(where: { $0.1 }) { throw ValidationError("\(option) makes rows, and --stored names rows that exist already; leave one of them out") }
            return
        }
        guard let command else {
            if weights == nil { throw ValidationError("say what embeds: --weights names a network, --command a program, --stored rows that exist already") }
            if commandTimeout != nil { throw ValidationError("--command-timeout goes with --command, and --weights names a network; leave it out") }
            return
        }
        guard command.contains(where: { !$0.isWhitespace }) else { throw ValidationError("--command is empty; name a program") }
        if let (option, _) = ofNetworks.first(where: { $0.1 }) { throw ValidationError("\(option) goes with a network, and --command names a program; leave one of them out") }
    }

    /// The views to embed.
    private var sources: [EmbeddingStage.Source] {
        (view.map { [.view($0)] } ?? (group.isEmpty ? [.view(0)] : [])) + group.map { .group($0) }
    }

    /// Where the rows go.
    func place(_ usual: String) -> RowPlace { RowPlace(names.isEmpty ? [usual] : names, drop: Set(drop)) }

    /// The header of the output.
    func header(_ header: StreamHeader, dimension: Int?, network: String?) -> StreamHeader {
        var header = header
        header.provenance = header.provenance.adding(Embed.self)
        header.metadata["dimension"] = dimension.map { "\($0)" }
        header.metadata["network"] = network
        if rows { header.metadata["rows"] = half ? "f16" : "f32" }
        if !keep.isEmpty { header.metadata[StoredRows.makers] = "\(header.provenance.lines.reversed().prefix { $0.hasPrefix("embed ") }.count)" }
        return header
    }

    /// The output record for an embedded record.
    func written(_ embedded: TensorDocument, of record: TensorDocument) throws -> TensorDocument {
        rows ? try StoredRows.kept(of: embedded, record, and: keep, isHalf: half) : embedded
    }

    func empty(_ reader: ReadAhead) -> Failure { Failure(.data, path: reader.name, "has no records", remedy: "the program that wrote it had no images") }

    func run() throws {
        try common.start()
        let reader = ReadAhead(try StreamReader(input))
        if let stored { return try run(stored: stored, reader) }
        if let command { return try run(command, reader) }
        guard let weights else { throw Failure(.software, "has neither weights nor a program") }
        if batchStatistics, BatchSlice.isTold(by: reader.header) {
            throw Failure(.usage, path: reader.name, "has only a part of each batch, and --batch-statistics would use the statistics of that part", remedy: "leave out augment's --slice, or --batch-statistics")
        }
        let kind: EmbeddingStage.Kind = features ? .features : logits ? .logits : .embedding
        let file = try reading.open(weights, needsNoHead: kind == .features)
        if kind == .logits, file.weights.network.head == .none {
            throw Failure(.data, path: weights, "has no head that gives logits", remedy: "name a classifier, such as make finetune trains")
        }
        let stage = try EmbeddingStage(file.weights, path: weights, kind: kind, sources.map { ($0, place(kind.name(of: $0))) }, statistics: batchStatistics ? .batch : .learnt)
        stage.profile = profile ? Profile(stage.network) : nil
        var header = self.header(reader.header, dimension: stage.dimension, network: stage.network.name)
        header.addSource(stage.weightsHash)
        // The names of the columns, whatever the classes of the images are.
        if kind == .logits { header.metadata["logit_classes"] = file.metadata.names("classes").flatMap { $0.count == stage.dimension ? file.metadata["classes"] : nil } }
        let writer = try RowOutput(output, header: header, level: level, csv: csv ? place(kind.name).first : nil)
        var progress = Progress(tool: "embed", unit: "images", total: reader.header.imageCount, common)
        while let record = try reader.next() {
            stage.profile?.lap("input")
            let embedded = try stage.embed(record)
            try writer.write(written(embedded, of: record))
            // Logged once the images are known to fit the network.
            if writer.records == 1, !common.quiet { Embed.log("\(file.coverage); pixels: \(stage.network.pixels.text)") }
            stage.profile?.lap("output")
            progress.add(stage.lastCount, waited: reader.waited)
        }
        guard writer.records > 0 || reader.header.mayBeEmpty else { throw empty(reader) }
        try writer.commit()
        try progress.finish("\(stage.network.name), \(kind.rawValue) of \(stage.dimension) numbers")
        if let profile = stage.profile { Embed.logTable(profile.table) }
    }
}
