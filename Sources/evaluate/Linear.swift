public import ArgumentParser
public import Evaluation
import ToolSupport

extension FeatureScaling: ExpressibleByArgument {}
extension StochasticProbe.Schedule: ExpressibleByArgument {}

struct Linear: ParsableCommand {
    enum Solver: String, ExpressibleByArgument, CaseIterable { case convex, sgd }

    static let configuration = CommandConfiguration(
        commandName: "linear",
        abstract: "Train a linear classifier on the training samples and evaluate it on the test samples.",
        discussion: """
            'convex' is fast and deterministic: logistic regression by L-BFGS on standardised features. The penalty is chosen on every \
            fifth image of the training set; then the classifier is fitted to all. 'sgd' follows the papers, on stored features, or with --fresh-views on \
            features as they arrive, with new views in each epoch. Numbers of different protocols are not comparable; each is reported with its \
            protocol. A stored training set of several epochs or views is used as a whole.

            Protocols:
            \(Linear.protocols)

            Example:
              evaluate linear --train train.tensors.zst --test test.tensors.zst \\
                -o linear.json
              evaluate linear --train train.tensors.zst --test test.tensors.zst \\
                --protocol simreg
              augment --data train.tar --recipe linear-train --batch 256 --epochs 100 |
                embed --weights student.safetensors --features --drop images |
                evaluate linear --train - --test test.tensors.zst --protocol moco \\
                --fresh-views --state probe.safetensors

            See also: evaluate knn, embed.
            """)

    @OptionGroup var options: EvaluationOptions
    @Option(help: "How the classifier is trained (default: convex, or sgd with --protocol).")
    var solver: Solver?
    @Option(name: .customLong("protocol"), help: "sgd: use the settings of this paper for options that are not given: \(LinearProtocol.all.map(\.name).joined(separator: ", ")) (default: moco).",
            completion: .list(LinearProtocol.all.map(\.name)))
    var protocolName: String?
    @Flag(help: "sgd: the training stream has new views in each epoch; it is read once, one record per batch, and memory does not grow with it.")
    var freshViews = false
    @Option(help: ArgumentHelp("sgd: save the classifier to this file after each epoch, and resume from it if it exists.", valueName: "file"))
    var state: String?
    @Option(help: "Scaling of the features: none, unit (length 1), standard (mean 0, deviation 1) or unit-standard (unit, then standard) (default: standard for convex, the protocol's for sgd).")
    var normalize: FeatureScaling?
    @Option(help: ArgumentHelp("convex: L2 penalties to choose from, added to the mean loss; a single one is used without a search.", valueName: "list"))
    var penalty = ConvexProbe.defaultPenalties.map { "\($0)" }.joined(separator: ",")
    @Option(help: "convex: stop when the gradient has fallen to this fraction of its size at zero weights.")
    var tolerance = 1e-3
    @Option(help: "sgd: learning rate for a batch of 256, scaled with the batch size (default: the protocol's).")
    var learningRate: Double?
    @Option(help: "sgd: samples in a batch of stored features (default: 256).")
    var batch: Int?
    @Option(help: "sgd: passes over the training set (default: the protocol's).")
    var epochs: Int?
    @Option(help: "sgd: momentum (default: 0.9).")
    var momentum: Double?
    @Option(help: "sgd: weight decay (default: the protocol's).")
    var weightDecay: Double?
    @Option(help: "sgd: how the learning rate falls (default: the protocol's).")
    var schedule: StochasticProbe.Schedule?
    @Option(help: ArgumentHelp("sgd: epochs at which the step schedule multiplies the learning rate by --factor (default: the protocol's).", valueName: "list"))
    var milestones: String?
    @Option(help: "sgd: factor of the learning rate at each milestone (default: the protocol's).")
    var factor: Double?
    @Option(help: "sgd: initial epochs in which the learning rate rises (default: the protocol's).")
    var warmUp: Int?
    @Option(help: "sgd: the seed of the initial weights and of the order of stored features.")
    var seed: UInt64 = 0
    @OptionGroup var common: TimedOptions

    /// One line per protocol.
    private static let protocols = LinearProtocol.all.map { one in
        "  \(one.name): \(one.source); \(one.probe.protocolName(freshViews: one.hasFreshViews)), \(one.scaling.rawValue)"
    }.joined(separator: "\n")

    func validate() throws {
        try options.checkFiles(timing: common.timing, state: state)
        try numbers(penalty, "--penalty", Double.init) { $0.isFinite && $0 >= 0 }
        if let milestones { try numbers(milestones, "--milestones", Int.init) { $0 >= 0 } }
        try checkOption("--tolerance", tolerance, in: 1e-12...0.99)
        try checkOption("--learning-rate", learningRate, in: 1e-12...Double.greatestFiniteMagnitude)
        try checkOption("--batch", batch, in: 1...65536)
        try checkOption("--epochs", epochs, in: 1...100_000)
        if let momentum, !(0..<1).contains(momentum) { throw ValidationError("--momentum takes 0 to below 1, found \(momentum)") }
        try checkOption("--weight-decay", weightDecay, in: 0...1e12)
        try checkOption("--factor", factor, in: 0...1)
        if let protocolName, LinearProtocol.named(protocolName) == nil {
            throw unknownName("--protocol", protocolName, among: LinearProtocol.all.map(\.name))
        }
        if solver == .convex, protocolName != nil { throw ValidationError("--protocol applies only to --solver sgd; leave one of them out") }
        let probe = try probe()
        try checkOption("--warm-up", warmUp, in: 0...probe.epochs)
        guard !isStochastic else {
            if freshViews, batch != nil { throw ValidationError("--batch has no effect with --fresh-views, which uses the stream's batches; give it to augment") }
            let scaling = normalize ?? paper.scaling
            if freshViews, scaling == .standard || scaling == .unitStandard {
                throw ValidationError("--fresh-views cannot be standardised, which needs all features beforehand; give --normalize none or unit, or leave out --fresh-views")
            }
            if probe.schedule == .cosine, milestones != nil || factor != nil { throw ValidationError("--milestones and --factor apply only to --schedule step; leave them out") }
            return
        }
        if let option = ([("--fresh-views", freshViews), ("--state", state != nil)] + ownOptions).first(where: \.1)?.0 { throw ValidationError("\(option) applies only to --solver sgd; give that too, or leave it out") }
    }

    func run() throws {
        try common.start()
        let result = try options.output.open()
        if let state { try OutputFile.check(state) }
        var evaluation = try LinearEvaluation(chosen(), scaling: normalize ?? (isStochastic ? paper.scaling : nil))
        evaluation.tensor = options.tensor
        (evaluation.hasFreshViews, evaluation.state) = (freshViews, state)
        evaluation.paper = protocolName.map { changed($0, [("--fresh-views", freshViews != paper.hasFreshViews), ("--normalize", normalize != nil)] + ownOptions) }
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

    /// The options of the stochastic solver, and whether each was given.
    private var ownOptions: [(String, Bool)] {
        [
            ("--learning-rate", learningRate != nil), ("--batch", batch != nil), ("--epochs", epochs != nil), ("--momentum", momentum != nil), ("--weight-decay", weightDecay != nil),
            ("--schedule", schedule != nil), ("--milestones", milestones != nil), ("--factor", factor != nil), ("--warm-up", warmUp != nil),
        ]
    }

    private var isStochastic: Bool { (solver ?? (protocolName == nil ? .convex : .sgd)) == .sgd }
    private var paper: LinearProtocol { protocolName.flatMap(LinearProtocol.named) ?? .moco }

    private func chosen() throws -> LinearEvaluation.Solver {
        isStochastic ? .stochastic(try probe()) : .convex(ConvexProbe(penalties: try numbers(penalty, "--penalty", Double.init), tolerance: tolerance))
    }

    /// The paper's settings, with the given options applied.
    private func probe() throws -> StochasticProbe {
        var probe = paper.probe
        if let learningRate { (probe.learningRate, probe.endRate) = (learningRate, min(probe.endRate, learningRate)) }
        if let batch { probe.batch = batch }
        if let epochs { probe.epochs = epochs }
        if let momentum { probe.momentum = momentum }
        if let weightDecay { probe.weightDecay = weightDecay }
        if let schedule { probe.schedule = schedule }
        if let milestones { probe.milestones = try numbers(milestones, "--milestones", Int.init) }
        if let factor { probe.factor = factor }
        if let warmUp { probe.warmUp = warmUp }
        probe.seed = seed
        return probe
    }
}
