import ArgumentParser
import Evaluation
import ToolSupport

struct KNN: ParsableCommand {
    enum Metric: String, ExpressibleByArgument, CaseIterable { case cosine }

    static let configuration = CommandConfiguration(
        commandName: "knn",
        abstract: "Classify the test samples by their nearest training samples.",
        discussion: """
            Neighbours are exact. One search serves every k and every vote: the majority, and exp(cosine / temperature). Of classes \
            with equal votes the one whose nearest neighbour is nearer wins. The test set is kept in memory, the training set passes by.

            Example:
              evaluate knn --train train.tensors.zst --test test.tensors.zst \\
                --k 1,10,20,200 --temperature 0.07,0.1 -o knn.json

            See also: evaluate linear, embed.
            """)

    @OptionGroup var options: EvaluationOptions

    @Option(help: "How many neighbours vote; several with commas (default: 1,10,20,200, as far as there are so many).")
    var k: String?

    @Option(help: "Temperatures of the weighted votes; several with commas.")
    var temperature = "0.07"

    @Option(help: "How near is measured.")
    var metric = Metric.cosine

    @OptionGroup var common: TimedOptions

    func validate() throws {
        try options.checkFiles(timing: common.timing)
        if let k { try numbers(k, "--k", Int.init) { (1...KNNEvaluation.largestK).contains($0) } }
        try numbers(temperature, "--temperature", Double.init) { $0.isFinite && $0 > 0 }
    }

    func run() throws {
        try common.start()
        let result = try options.output.open()
        var evaluation = KNNEvaluation()
        evaluation.k = try k.map { try numbers($0, "--k", Int.init) }
        evaluation.temperatures = try numbers(temperature, "--temperature", Double.init)
        evaluation.tensor = options.tensor
        let test = try FeatureStream(options.test, tensor: options.tensor)
        let train = try FeatureStream(options.train, tensor: options.tensor)
        var progress = Progress(tool: "evaluate", unit: "training samples", common)
        let report = try evaluation.run(train: train, test: test) { progress.add($0) }
        progress.clear()
        if !common.quiet { report.subject.remarks.forEach(Evaluate.log) }
        try result.write(text: report.text, json: report.json)
        try progress.finish("\(report.subject.test.samples) test samples")
    }
}

/// The numbers of a list with commas, each of which must please.
@discardableResult
func numbers<Number>(_ text: String, _ option: String, _ parse: (String) -> Number?, _ predicate: (Number) -> Bool = { _ in true }) throws -> [Number] {
    try text.split(separator: ",", omittingEmptySubsequences: false).map { part in
        guard let number = parse(part.filter { $0 != " " }), predicate(number) else {
            throw ValidationError("\(option) cannot be '\(part)'")
        }
        return number
    }
}
