import ArgumentParser
import Objectives
import Optimizers
import TensorStreams
import ToolSupport
import Training

/// The options of `train-step` that decide what is learnt and how fast.
struct TrainingArguments: ParsableArguments {
    enum ScheduleName: String, CaseIterable, ExpressibleByArgument {
        case seed, cosine, smooth, constant
    }

    @OptionGroup(title: "The method") var method: MethodArguments<AllMethods>
    @Option(parsing: .unconditional, help: "The learning rate (default: \(TrainingArguments.usualRate)).") var learningRate: Double?
    @Option(parsing: .unconditional, help: """
        The learning rate of batches of 256; that of others grows with the root of their images (Krizhevsky, 2014). In place of --learning-rate.
        """) var baseLearningRate: Double?
    @Option(help: """
        How the rate goes: seed (scaled by batch/256, a warm-up of 5 epochs, cosine by epoch, as the authors have it), cosine (MoCo-v2's, by \
        epoch), smooth (warm-up from 0 and cosine to 0, by step) or constant.
        """) var schedule = ScheduleName.seed
    @Option(parsing: .unconditional, help: "Epochs of the whole training, which the schedule spans.") var epochs = 200
    @Option(parsing: .unconditional, help: "Epochs of warm-up (default: 5 with the schedule seed, else 0).") var warmUp: Double?
    @Option(parsing: .unconditional, help: "SGD's momentum.") var momentum = 0.9
    @Option(parsing: .unconditional, help: "SGD's weight decay.") var weightDecay = 1e-4
    @Option(help: ArgumentHelp("Groups of a batch that batch norm treats apart (default: the method's: 1; with moco-v2 one for 32 images, at least 2).", valueName: "n"))
    var normalizationGroups: Int?
    @Option(help: "A program that gives the loss, run by the shell; see queue-loss.") var loss: String?
    @Option(help: ArgumentHelp("Stop the program of --loss where it gives no answer for so long (default: it is only said).", valueName: "seconds"))
    var lossTimeout: Double?
    @Option(help: "The seed of the queue's random rows, of MoCo's shuffling, and of what dropout and stochastic depth leave out.") var seed: UInt64 = 0

    func validate() throws {
        try checkOption("--learning-rate", learningRate, in: 0...1e4)
        try checkOption("--base-learning-rate", baseLearningRate, in: 0...1e4)
        if baseLearningRate != nil, learningRate != nil { throw ValidationError("--base-learning-rate is in place of --learning-rate; give one of them") }
        if baseLearningRate != nil, schedule == .seed {
            throw ValidationError("--base-learning-rate is of no use with --schedule seed, which takes --learning-rate for batches of 256 itself")
        }
        try checkOption("--epochs", epochs, in: 1...1_000_000)
        try checkOption("--warm-up", warmUp, in: 0...Double(epochs))
        guard (0..<1).contains(momentum) else { throw ValidationError("--momentum takes 0 to below 1, found \(momentum)") }
        try checkOption("--weight-decay", weightDecay, in: 0...1)
        try checkOption("--normalization-groups", normalizationGroups, in: 1...1_000_000)
        let name = method.method.name
        if let loss, !loss.contains(where: { !$0.isWhitespace }) { throw ValidationError("--loss is empty; name a program") }
        if loss != nil, !method.method.takesLossProgram {
            let pairs = Methods.pairs.map { $0.name }.joined(separator: ", ")
            throw ValidationError("--loss is of no use to \(name), whose loss is not one of pairs; it goes with \(pairs)")
        }
        try checkOption("--loss-timeout", lossTimeout, in: 0.01...1e9)
        if lossTimeout != nil, loss == nil { throw ValidationError("--loss-timeout is of no use without --loss; leave it out") }
        if loss != nil, let option = method.given((method.method as? any PairObjective.Type)?.lossOptions ?? []) {
            throw ValidationError("\(option) is the loss's own; give it to the program that --loss names")
        }
    }

    /// Where none is given.
    private static let usualRate = 0.03

    /// - Parameters:
    ///   - header: of the stream, which says how large its batches are.
    ///   - name: of the stream, for messages.
    func options(header: StreamHeader, of name: String) throws -> TrainingOptions {
        var options = TrainingOptions()
        let learningRate = try rate(header, of: name)
        options.method = method.method
        options.methodOptions = method.options
        switch schedule {
        case .seed:
            let batch = header.metadata.count("batch") ?? 256
            options.schedule = .seed(rate: learningRate, batch: batch, epochs: epochs, warmUp: Int(warmUp ?? 5))
        case .cosine: options.schedule = .cosine(rate: learningRate, epochs: epochs)
        case .smooth: options.schedule = .smooth(rate: learningRate, epochs: epochs, warmUp: warmUp ?? 0)
        case .constant: options.schedule = .constant(rate: learningRate)
        }
        options.optimizer = SGD(momentum: momentum, weightDecay: weightDecay)
        options.lossCommand = loss
        options.lossSupervision.timeout = lossTimeout
        options.normalizationGroups = normalizationGroups
        options.seed = seed
        return options
    }

    private func rate(_ header: StreamHeader, of name: String) throws -> Double {
        guard let baseLearningRate else { return learningRate ?? TrainingArguments.usualRate }
        guard let batch = header.metadata.count("batch") else {
            throw Failure(.data, path: name, "does not say how large its batches are, which --base-learning-rate needs", remedy: "give --learning-rate")
        }
        return baseLearningRate * (Double(batch) / 256).squareRoot()
    }

    /// This tool's line of provenance.
    ///
    /// Which checkpoint came before, the line before says. The loss stands there as one gives it to --loss, whether its options were
    /// this tool's or another program's: the built-in loss and the same one in a program leave the same bytes.
    ///
    /// - Parameter loss: nil where it is the objective's own.
    static func provenanceLine(loss: String?) -> [String] {
        let left = ["--loss"] + (loss == nil ? [] : Methods.pairs.flatMap { $0.lossOptions.map { "--" + $0.name } })
        var arguments: [String] = []
        var rest = Provenance.arguments(of: TrainStep.self)[...]
        while let argument = rest.popFirst() {
            let name = argument.split(separator: "=", maxSplits: 1).first.map(String.init) ?? argument
            guard left.contains(name) else {
                arguments.append(argument)
                continue
            }
            if name == argument { rest = rest.dropFirst() }
        }
        return arguments + (loss.map { ["--loss", $0] } ?? [])
    }
}
