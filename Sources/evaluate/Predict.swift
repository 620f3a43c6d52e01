public import ArgumentParser
import Datasets
public import Evaluation
import TensorStreams
import ToolSupport

extension Prediction.Format: ExpressibleByArgument {}

struct Predict: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "predict",
        abstract: "Predict the classes of images from a classifier's logits.",
        discussion: """
            The columns of csv are image, rank, class and probability, with a line for each image and class; json has a line for each image. An image is \
            identified by its path in the data, which augment --paths adds, or else by its number. Labels are ignored.

            Example:
              augment --data new --recipe evaluation --size 64 --paths |
                embed --weights finetuned.safetensors --logits --drop images |
                evaluate predict --top 5 --format csv -o predictions.csv

            See also: evaluate accuracy (images with labels), train-step --objective supervised.
            """)

    @Option(help: "Format of the predictions.") var format = Prediction.Format.csv
    @Option(parsing: .unconditional, help: "Number of classes for each image, those with the highest probabilities; all if there are fewer.") var top = 1
    @Option(help: ArgumentHelp("The names of the classes in the order of the logits, one per line (default: those in the classifier's file).", valueName: "file"))
    var classList: String?
    @Option(help: "The tensor that holds the logits.") var tensor = "logits"
    @Option(name: [.short, .long], help: ArgumentHelp("The file to write; - is standard output.", valueName: "file")) var output = OutputFile.standard
    @OptionGroup var common: TimedOptions
    @Argument(help: "The stream of logits; - is standard input.") var input = "-"

    func validate() throws {
        try checkOption("--top", top, in: 1...65536)
        try checkFiles(outputs: ["-o": output, "--timing": common.timing], inputs: ["the input": input, "--class-list": classList])
    }

    func run() throws {
        try common.start()
        var file = try OutputFile(output)
        let stream = try PredictionStream(input, tensor: tensor, top: top, classes: classList.map(ClassList.read))
        var progress = Progress(tool: "evaluate", unit: "images", total: stream.header.imageCount, common)
        try file.write(format.beginning)
        while let predictions = try stream.next() {
            try file.write(predictions.map { $0.text(format) }.joined())
            progress.add(predictions.count)
        }
        try file.commit()
        try progress.finish("predicted")
    }
}
