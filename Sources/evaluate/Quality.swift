import ArgumentParser
import Evaluation
import ToolSupport

struct Quality: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quality",
        abstract: "Evaluate features without labels: rank, spread, uniformity, alignment of views, and agreement with the teacher's neighbours.",
        discussion: """
            Effective rank and deviation show at once whether features have collapsed. Uniformity and alignment are those of Wang and Isola (ICML 2020), for features \
            of length 1; alignment needs several samples of an image, such as several epochs or views of a random recipe. Agreement is the share of the \
            teacher's nearest neighbours that are also the student's. All features are held in memory; the time grows with the square of the number of samples.

            Example:
              augment --data test.tar --recipe evaluation |
                embed --weights student.safetensors --features --drop images -o student.tensors.zst
              evaluate quality student.tensors.zst --teacher teacher.tensors.zst --k 10
              augment --data test.tar --recipe simreg-weak --epochs 2 |
                embed --weights student.safetensors --features --drop images |
                evaluate quality

            See also: evaluate knn, neighbours, embed.
            """)

    @Option(help: ArgumentHelp("The teacher's features of the same images, to compare neighbours with.", valueName: "file")) var teacher: String?
    @Option(help: "Number of neighbours to compare with the teacher's; several separated by commas (default: 1,10).") var k: String?
    @Option(help: "The tensor that holds the features.") var tensor = QualityEvaluation().tensor
    @OptionGroup var output: ResultOutput
    @OptionGroup var common: TimedOptions
    @Argument(help: "The stream of features; - is standard input.") var input = "-"

    func validate() throws {
        try output.checkFiles(timing: common.timing, inputs: ["the input": input, "--teacher": teacher])
        if let k { try numbers(k, "--k", Int.init) { (1...KNNEvaluation.largestK - 1).contains($0) } }
        if k != nil, teacher == nil { throw ValidationError("--k has no effect without --teacher; leave it out") }
    }

    func run() throws {
        try common.start()
        let result = try output.open()
        var evaluation = QualityEvaluation()
        evaluation.tensor = tensor
        if let k { evaluation.k = try numbers(k, "--k", Int.init) }
        let stream = try FeatureStream(input, tensor: tensor, needsLabels: false)
        let other = try teacher.map { try FeatureStream($0, tensor: tensor, needsLabels: false) }
        var progress = Progress(tool: "evaluate", unit: "samples", common)
        let report = try evaluation.run(stream, teacher: other) { progress.add($0) }
        progress.clear()
        if !common.quiet { report.remarks.forEach(Evaluate.log) }
        try result.write(text: report.text, json: report.json)
        try progress.finish("\(tensor) \(report.dimension)-d")
    }
}
