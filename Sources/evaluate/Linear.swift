public import ArgumentParser
public import Evaluation
import ToolSupport

extension FeatureScaling: ExpressibleByArgument {}
extension StochasticProbe.Schedule: ExpressibleByArgument {}

struct Linear: ParsableCommand {
    enum Solver: String, ExpressibleByArgument, CaseIterable { case convex, sgd }

    static let configuration = CommandConfiguration(
        commandName: "linear",
        abstract: "Train a linear classifier on the training samples and judge it by the test samples.",
        discussion: """
            'convex' is quick and deterministic: logistic regression by L-BFGS on standardised features, its penalty chosen on each \
            fifth image of the training set, then fitted to all. 'sgd' is the papers' protocol on stored features. Numbers of the \
            two, and those of papers that augment during the evaluation, do not compare. A training set of several epochs or views is used whole.

            Example:
              evaluate linear --train train.tensors.zst --test test.tensors.zst \\
                -o linear.json
              evaluate linear --train train.tensors.zst --test test.tensors.zst \\
                --solver sgd --learning-rate 30

            See also: evaluate knn, embed.
            """)

    @OptionGroup var options: EvaluationOptions
    @Option(help: "How the classifier is found.")
    var solver = Solver.convex
    @Option(help: "Scaling of the features: none, unit (length 1) or standard (mean 0, deviation 1) (default: standard for convex, none for sgd).")
    var normalize: FeatureScaling?
    @Option(help: ArgumentHelp("convex: L2 penalties to choose from, on the mean loss; a single one is taken as it is.", valueName: "list"))
    var penalty = ConvexProbe.defaultPenalties.map { "\($0)" }.joined(separator: ",")
    @Option(help: "convex: done when the gradient is this share of what it was at zero weights.")
    var tolerance = 1e-3
    @Option(help: "sgd: rate for a batch of 256; it grows with the batch.")
    var learningRate = 30.0
    @Option(help: "sgd: samples in a batch.")
    var batch = 256
    @Option(help: "sgd: times the training set is seen.")
    var epochs = 100
    @Option(help: "sgd: momentum.")
    var momentum = 0.9
    @Option(help: "sgd: weight decay.")
    var weightDecay = 0.0
    @Option(help: "sgd: how the rate falls.")
    var schedule = StochasticProbe.Schedule.step
    @Option(help: ArgumentHelp("sgd: epochs from which on the rate is a tenth, for the step schedule.", valueName: "list"))
    var milestones = "60,80"
    @Option(help: "sgd: epochs of rising rate.")
    var warmUp = 0
    @Option(help: "sgd: seed of the first weights and of the order.")
    var seed: UInt64 = 0
    @OptionGroup var common: TimedOptions

    func validate() throws {
        try options.checkFiles(timing: common.timing)
        try numbers(penalty, "--penalty", Double.init) { $0.isFinite && $0 >= 0 }
        try numbers(milestones, "--milestones", Int.init) { $0 >= 0 }
        try checkOption("--tolerance", tolerance, in: 1e-12...0.99)
        try checkOption("--learning-rate", learningRate, in: 1e-12...Double.greatestFiniteMagnitude)
        try checkOption("--batch", batch, in: 1...65536)
        try checkOption("--epochs", epochs, in: 1...100_000)
        guard (0..<1).contains(momentum) else { throw ValidationError("--momentum takes 0 to below 1, found \(momentum)") }
        try checkOption("--weight-decay", weightDecay, in: 0...1e12)
        try checkOption("--warm-up", warmUp, in: 0...epochs)
    }

    func run() throws {
        try common.start()
        let result = try options.output.open()
        var evaluation = try LinearEvaluation(chosen(), scaling: normalize)
        evaluation.tensor = options.tensor
        let test = try FeatureStream(options.test, tensor: options.tensor)
        let train = try FeatureStream(options.train, tensor: options.tensor)
        var progress = Progress(tool: "evaluate", unit: "training samples", common)
        let quiet = common.quiet
        let report = try evaluation.run(train: train, test: test) { if !quiet { Evaluate.log($0) } }
        if !common.quiet { report.subject.remarks.forEach(Evaluate.log) }
        try result.write(text: report.text, json: report.json)
        progress.add(report.subject.train.samples)
        try progress.finish("\(report.subject.test.samples) test samples")
    }

    private func chosen() throws -> LinearEvaluation.Solver {
        switch solver {
        case .convex: return .convex(ConvexProbe(penalties: try numbers(penalty, "--penalty", Double.init), tolerance: tolerance))
        case .sgd:
            var probe = StochasticProbe()
            probe.learningRate = learningRate
            probe.batch = batch
            probe.epochs = epochs
            probe.momentum = momentum
            probe.weightDecay = weightDecay
            probe.schedule = schedule
            probe.milestones = try numbers(milestones, "--milestones", Int.init)
            probe.warmUp = warmUp
            probe.seed = seed
            return .stochastic(probe)
        }
    }
}
