import ArgumentParser
import Evaluation
import TensorStreams
import ToolSupport

@main
struct Evaluate: Tool {
    static let configuration = CommandConfiguration(
        commandName: "evaluate",
        abstract: "Evaluate networks by nearest neighbours, a linear classifier, their own classes or measures without labels; show nearest images and the table of a run.",
        discussion: """
            Example:
              augment --data train.tar --recipe evaluation | \\
                embed --weights student.safetensors --features --drop images \\
                -o train.tensors.zst
              augment --data test.tar --recipe evaluation | \\
                embed --weights student.safetensors --features --drop images \\
                -o test.tensors.zst
              evaluate knn --train train.tensors.zst --test test.tensors.zst

            These findings are reported and kept in the result: collapsed features, test images that are also in the training set, classes \
            without training samples, a top-5 of five classes or fewer.

            See also: augment (images in the evaluation view), embed (features of them), inspect.
            """,
        version: productVersion,
        subcommands: [KNN.self, Linear.self, AccuracyCommand.self, Quality.self, Neighbours.self, Predict.self, Table.self])

    func run() throws { throw ValidationError("say what to evaluate: knn, linear, accuracy, quality, neighbours, predict or table") }
}

/// The common options of `knn` and `linear`.
struct EvaluationOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Features and labels to learn from; - is standard input.", valueName: "file"))
    var train: String

    @Option(help: ArgumentHelp("Features and labels to evaluate on; - is standard input.", valueName: "file"))
    var test: String

    @Option(help: "The tensor that holds the features.")
    var tensor = "features"

    @OptionGroup var output: ResultOutput

    /// - Parameters: see ``ResultOutput/checkFiles(timing:state:inputs:)``.
    func checkFiles(timing: String?, state: String? = nil) throws {
        try output.checkFiles(timing: timing, state: state, inputs: ["--train": train, "--test": test])
    }
}

/// The option for the result file.
struct ResultOutput: ParsableArguments {
    @Option(
        name: [.short, .long, .customLong("json")],
        help: ArgumentHelp("Write the result to this file as JSON; - writes it to standard output instead of the text.", valueName: "file"))
    var output: String?

    /// - Parameters:
    ///   - timing: the timing file. Standard output has the text, or with `-o -` the JSON.
    ///   - state: a file that is read and written.
    func checkFiles(timing: String?, state: String? = nil, sheet: String? = nil, inputs: KeyValuePairs<String, String?>) throws {
        let json = output == OutputFile.standard ? nil : output
        try ToolSupport.checkFiles(outputs: ["standard output": OutputFile.standard, "-o": json, "--timing": timing, "--state": state, "--sheet": sheet], inputs: inputs)
    }

    /// Opens the outputs before the work, so that an unwritable one is reported early.
    func open() throws -> ResultWriter { try ResultWriter(json: output) }
}

/// Writes a result as text and as JSON.
struct ResultWriter: ~Copyable {
    private var standard: OutputFile
    private var file: OutputFile?
    private let jsonOnly: Bool

    init(json path: String?) throws {
        jsonOnly = path == OutputFile.standard
        file = try path.flatMap { $0 == OutputFile.standard ? nil : $0 }.map { try OutputFile($0) }
        standard = try OutputFile(OutputFile.standard)
    }

    /// Writes the result. The JSON file appears only after the text is written.
    consuming func write(text: String, json: JSON) throws {
        try standard.write(jsonOnly ? json.text + "\n" : text)
        try file?.write(json.text + "\n")
        try standard.commit()
        try file?.commit()
    }
}
