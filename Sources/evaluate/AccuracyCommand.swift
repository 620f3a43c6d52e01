import ArgumentParser
import Evaluation
import TensorStreams
import ToolSupport

struct AccuracyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "accuracy",
        abstract: "Measure a classifier's accuracy on images with labels, by the network's own logits.",
        discussion: """
            Classes are matched by name if both the images and the classifier have class names. Images without a label are left out.

            Example:
              augment --data test.tar --recipe evaluation |
                embed --weights finetuned.safetensors --logits --drop images |
                evaluate accuracy -o accuracy.json

            See also: evaluate predict (images without labels), evaluate linear (a classifier on features).
            """)

    @Option(help: "The tensor that holds the logits.") var tensor = AccuracyEvaluation().tensor
    @OptionGroup var output: ResultOutput
    @OptionGroup var common: TimedOptions
    @Argument(help: "The stream of logits; - is standard input.") var input = "-"

    func validate() throws {
        try output.checkFiles(timing: common.timing, inputs: ["the input": input])
    }

    func run() throws {
        try common.start()
        let result = try output.open()
        var evaluation = AccuracyEvaluation()
        evaluation.tensor = tensor
        let stream = try FeatureStream(input, tensor: tensor)
        var progress = Progress(tool: "evaluate", unit: "test samples", total: stream.header.imageCount, common)
        let report = try evaluation.run(stream) { progress.add($0) }
        progress.clear()
        if !common.quiet { report.remarks.forEach(Evaluate.log) }
        try result.write(text: report.text, json: report.json)
        try progress.finish("\(report.classes) classes")
    }
}
