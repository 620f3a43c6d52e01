import ArgumentParser
import Objectives
import Optimizers
import TensorStreams
import ToolSupport
import Training

/// The options of `train-step` that determine what is learnt and how fast.
struct TrainingArguments: ParsableArguments {
    @OptionGroup(title: "The method") var method: MethodArguments<AllMethods>
    @Option(parsing: .unconditional, help: "The learning rate (default: \(TrainingArguments.usualRate), or the method's, in proportion to the batch size or to its square root).") var learningRate: Double?
    @Option(parsing: .unconditional, help: """
        The learning rate for batches of 256, in place of --learning-rate; for others it scales with the square root of the batch size (Krizhevsky, 2014).
        """) var baseLearningRate: Double?
    @Option(help: ArgumentHelp("""
        The schedule of the learning rate: seed (scaled by batch/256, 5 epochs of warm-up, cosine by epoch, as in the authors' code), cosine (MoCo-v2's, by \
        epoch), smooth (warm-up from 0 and cosine to 0, by step), constant, steps (times --factor at each of --milestones), warm-up-cosine (as smooth, but the \
        first step changes nothing and the end is --end-share: SimCLR, BYOL, Barlow Twins) or swav (warm-up from --start-share) (default: the method's, else seed).
        """), completion: .list(ScheduleName.allCases.map(\.rawValue)), transform: oneOfThose)
    var schedule: ScheduleName?
    @Option(parsing: .unconditional, help: "Epochs of the whole training, which the schedule spans (default: the method's, else 200).") var epochs: Int?
    @Option(parsing: .unconditional, help: "Epochs of warm-up (default: 5 with the schedule seed; with the method's schedule the method's, at most a tenth of all epochs; else 0).") var warmUp: Double?
    @Option(parsing: .unconditional, help: "With the schedules warm-up-cosine and swav: the value that the rate approaches at the end, as a share of the rate (default: the method's, else 0).") var endShare: Double?
    @Option(help: ArgumentHelp(
        "With the schedule warm-up-cosine: steps that it spans beyond the last one, so that the rate stops above its end value; 1 as in SimCLR's code (default: 0).", valueName: "steps"))
    var stepsBeyond: Int?
    @Option(parsing: .unconditional, help: "With the schedule swav: the value that the warm-up starts from, as a share of the rate (default: the method's, else 0).") var startShare: Double?
    @Option(help: ArgumentHelp(
        "With the schedule steps: the epochs, counted from 0, at which the rate is multiplied by --factor (default: the method's, scaled in proportion to --epochs).", valueName: "epochs"))
    var milestones: String?
    @Option(parsing: .unconditional, help: "With the schedule steps: the factor of the rate at each milestone (default: the method's, else 0.1).") var factor: Double?
    @Option(help: ArgumentHelp("""
        The optimizer: sgd; lars-simclr, lars-byol, lars (Barlow Twins, MoCo-v3) and larc (SwAV), each of which adapts the rate to norms in its own way; adam or \
        adamw (default: the method's, else sgd).
        """), completion: .list(OptimizerName.allCases.map(\.rawValue)), transform: oneOfThose)
    var optimizer: OptimizerName?
    @Option(parsing: .unconditional, help: "The momentum of sgd and of LARS (default: 0.9).") var momentum: Double?
    @Flag(help: "Use Nesterov's form of momentum with sgd.") var nesterov = false
    @Option(parsing: .unconditional, help: "The trust coefficient of LARS (default: 0.001).") var trust: Double?
    @Option(help: ArgumentHelp("The decay rates of Adam's two moments (default: 0.9,0.999).", valueName: "numbers")) var betas: String?
    @Option(parsing: .unconditional, help: "Weight decay (default: the method's, else 1e-4).") var weightDecay: Double?
    @Option(parsing: .unconditional, help: ArgumentHelp("Clip the gradient to this norm (default: no clipping).", valueName: "norm")) var clipNorm: Double?
    @Option(help: ArgumentHelp("Groups of a batch that batch norm treats separately (default: the method's: 1; with moco-v1 and moco-v2 one per 32 images, at least 2).", valueName: "n"))
    var normalizationGroups: Int?
    @Option(parsing: .unconditional, help: ArgumentHelp("""
        Groups of neighbouring images that go through the networks one after the other, each with its own batch norm; the loss is that of the whole batch, and \
        gradients are added.
        """, valueName: "n"))
    var batchGroups = 1
    @Flag(help: """
        Keep no activations: each pass of each group runs forward once more before its backward pass. A third slower, with the memory of the largest pass of a group; the \
        result has the same bytes.
        """)
    var recompute = false
    @Option(help: "A program that computes the loss, run by the shell; see queue-loss.") var loss: String?
    @Option(help: ArgumentHelp("Stop the program of --loss if it gives no answer for this long (default: this is only reported).", valueName: "seconds"))
    var lossTimeout: Double?
    @Option(help: "The seed of the queue's random rows, of MoCo's shuffling, and of dropout and stochastic depth.") var seed: UInt64 = 0

    func validate() throws {
        try checkOption("--learning-rate", learningRate, in: 0...1e4)
        try checkOption("--base-learning-rate", baseLearningRate, in: 0...1e4)
        if baseLearningRate != nil, learningRate != nil { throw ValidationError("--base-learning-rate replaces --learning-rate; give one of them") }
        let schedule = usedSchedule, optimizer = usedOptimizer
        if baseLearningRate != nil, schedule == .seed {
            throw ValidationError("--base-learning-rate is of no use with --schedule seed, which takes --learning-rate for batches of 256 itself")
        }
        try checkOption("--epochs", epochs, in: 1...1_000_000)
        try checkOption("--warm-up", warmUp, in: 0...Double(usedEpochs))
        if schedule == .seed, let warmUp, warmUp != warmUp.rounded() { throw ValidationError("--warm-up takes whole epochs with --schedule seed, found \(warmUp)") }
        try checkOption("--end-share", endShare, in: 0...1)
        try checkOption("--start-share", startShare, in: 0...1)
        try checkOption("--steps-beyond", stepsBeyond, in: 0...1_000_000_000)
        try checkOption("--factor", factor, in: 0...1)
        if milestones != nil, givenMilestones == nil { throw ValidationError("--milestones takes rising epochs, such as 60,80, found '\(milestones ?? "")'") }
        if schedule == .steps, usedMilestones.isEmpty { throw ValidationError("--schedule steps needs --milestones, such as 60,80") }
        let ofSchedules: [(String, Bool, [ScheduleName])] = [
            ("--milestones", milestones != nil, [.steps]), ("--factor", factor != nil, [.steps]), ("--end-share", endShare != nil, [.warmUpCosine, .swav]),
            ("--start-share", startShare != nil, [.swav]), ("--steps-beyond", stepsBeyond != nil, [.warmUpCosine]), ("--warm-up", warmUp != nil, [.seed, .smooth, .warmUpCosine, .swav]),
        ]
        for (option, isGiven, own) in ofSchedules where isGiven && !own.contains(schedule) {
            throw ValidationError("\(option) is of no use with --schedule \(schedule.rawValue); it goes with \(own.map(\.rawValue).joined(separator: " and "))")
        }
        if let momentum, !(0..<1).contains(momentum) { throw ValidationError("--momentum takes 0 to below 1, found \(momentum)") }
        try checkOption("--trust", trust, in: 0...1e3)
        if betas != nil, givenBetas == nil { throw ValidationError("--betas takes two numbers from 0 to below 1, such as 0.9,0.999, found '\(betas ?? "")'") }
        let ofOptimizers = [
            ("--momentum", momentum != nil, optimizer.family != .adam), ("--nesterov", nesterov, optimizer == .sgd), ("--trust", trust != nil, optimizer.family == .lars),
            ("--betas", betas != nil, optimizer.family == .adam),
        ]
        for (option, isGiven, isOwn) in ofOptimizers where isGiven && !isOwn {
            throw ValidationError("\(option) is of no use with --optimizer \(optimizer.rawValue); leave it out")
        }
        if learningRate == nil, baseLearningRate == nil, optimizer.family != defaults.optimizer.family {
            throw ValidationError("--optimizer \(optimizer.rawValue) needs --learning-rate: that of \(method.method.name), \(defaults.rate), is for \(defaults.optimizer.rawValue)")
        }
        try checkOption("--weight-decay", weightDecay, in: 0...1)
        try checkOption("--clip-norm", clipNorm, in: 1e-6...1e6)
        try checkOption("--normalization-groups", normalizationGroups, in: 1...1_000_000)
        try checkOption("--batch-groups", batchGroups, in: 1...65536)
        if let normalizationGroups, normalizationGroups % batchGroups != 0 {
            throw ValidationError("--normalization-groups \(normalizationGroups) applies to the whole batch, so it must be a multiple of --batch-groups \(batchGroups)")
        }
        let name = method.method.name
        let kept = method.method.passes(method.options).filter { $0.hasGradient && $0.readsImages }
        if recompute, batchGroups == 1, kept.count < 2 {
            throw ValidationError("--recompute saves nothing where \(name) has one pass over the whole batch; split the batch with --batch-groups, such as 4")
        }
        if let loss, !loss.contains(where: { !$0.isWhitespace }) { throw ValidationError("--loss is empty; name a program") }
        if loss != nil, !method.method.takesLossProgram {
            let pairs = Methods.pairs.map { $0.name }.joined(separator: ", ")
            throw ValidationError("--loss is of no use to \(name), whose loss is not one of pairs; it goes with \(pairs)")
        }
        try checkOption("--loss-timeout", lossTimeout, in: 0.01...1e9)
        if lossTimeout != nil, loss == nil { throw ValidationError("--loss-timeout is of no use without --loss; leave it out") }
        if loss != nil, let option = method.given((method.method as? any PairObjective.Type)?.lossOptions ?? []) {
            throw ValidationError("\(option) belongs to the loss; give it to the program that --loss names")
        }
    }

    /// Used where neither an option nor the method gives a rate.
    private static let usualRate = TrainingDefaults.usual.rate

    // The effective settings: the given options, else the method's recommendations.
    private var defaults: TrainingDefaults { method.method.defaults ?? .usual }
    private var usedSchedule: ScheduleName { schedule ?? defaults.schedule }
    private var usedOptimizer: OptimizerName { optimizer ?? defaults.optimizer }
    private var usedEpochs: Int { epochs ?? defaults.epochs }
    /// The method's own schedule comes with its warm-up.
    private var usedWarmUp: Double {
        if let warmUp { return warmUp }
        if usedSchedule == .seed { return TrainingDefaults.usual.warmUp }
        return usedSchedule == defaults.schedule ? min(defaults.warmUp, Double(usedEpochs) / 10) : 0
    }

    private var givenMilestones: [Int]? {
        guard let parts = milestones?.split(separator: ",", omittingEmptySubsequences: false), parts.count <= 100 else { return nil }
        let numbers = parts.compactMap { Int($0) }.filter { (0...1_000_000).contains($0) }
        return numbers.count == parts.count && zip(numbers, numbers.dropFirst()).allSatisfy(<) ? numbers : nil
    }

    /// The method's milestones are scaled in proportion and rounded up to the next epoch.
    ///
    /// None is at the first epoch, and none coincide.
    private var usedMilestones: [Int] {
        givenMilestones ?? defaults.milestones.map { max(1, ($0 * usedEpochs + defaults.epochs - 1) / defaults.epochs) }
            .reduce(into: []) { if $0.last != $1 { $0.append($1) } }
    }

    private var givenBetas: (first: Double, second: Double)? {
        let numbers = betas?.split(separator: ",", omittingEmptySubsequences: false).compactMap { Double($0) }.filter { (0..<1).contains($0) } ?? []
        return numbers.count == 2 && betas?.filter({ $0 == "," }).count == 1 ? (numbers[0], numbers[1]) : nil
    }

    /// - Parameters:
    ///   - header: the header of the stream, which gives its batch size.
    ///   - name: the name of the stream, for messages.
    func options(header: StreamHeader, of name: String) throws -> TrainingOptions {
        var options = TrainingOptions()
        if let batch = header.metadata.count("batch"), batchGroups > max(1, batch / 2) {
            throw Failure(.usage, path: name, "has batches of \(batch) images, which --batch-groups \(batchGroups) splits into groups of fewer than two", remedy: "take --batch-groups \(max(1, batch / 16))")
        }
        let learningRate = try rate(header, of: name), epochs = usedEpochs, warmUp = usedWarmUp
        options.method = method.method
        do {
            options.methodOptions = try method.method.completed(method.options, header)
        } catch let failure as Failure where failure.path == nil {
            throw Failure(failure.kind, path: name, failure.what, remedy: failure.remedy)
        }
        let end = learningRate * (endShare ?? (usedSchedule == defaults.schedule ? defaults.endShare : 0))
        switch usedSchedule {
        case .seed:
            let batch = header.metadata.count("batch") ?? 256
            options.schedule = .seed(rate: learningRate, batch: batch, epochs: epochs, warmUp: Int(warmUp))
        case .cosine: options.schedule = .cosine(rate: learningRate, epochs: epochs)
        case .smooth: options.schedule = .smooth(rate: learningRate, epochs: epochs, warmUp: warmUp)
        case .constant: options.schedule = .constant(rate: learningRate)
        case .steps: options.schedule = .steps(rate: learningRate, milestones: usedMilestones, factor: factor ?? defaults.factor)
        case .warmUpCosine: options.schedule = .warmUpCosine(rate: learningRate, epochs: epochs, warmUp: warmUp, end: end, beyond: stepsBeyond ?? 0)
        case .swav: options.schedule = .swav(rate: learningRate, epochs: epochs, warmUp: warmUp, start: learningRate * (startShare ?? defaults.startShare), end: end)
        }
        options.epochs = epochs
        options.optimizer = madeOptimizer
        options.longestGradient = clipNorm
        options.lossCommand = loss
        options.lossSupervision.timeout = lossTimeout
        options.normalizationGroups = normalizationGroups
        options.batchGroups = batchGroups
        options.recomputes = recompute
        options.seed = seed
        return options
    }

    private var madeOptimizer: any Optimizer {
        let decay = weightDecay ?? defaults.weightDecay, momentum = momentum ?? defaults.momentum
        return switch usedOptimizer {
        case .sgd: SGD(momentum: momentum, weightDecay: decay, nesterov: nesterov)
        case .larsSimCLR, .larsBYOL, .lars, .larc: LARS(usedOptimizer, momentum: momentum, weightDecay: decay, trust: trust ?? 0.001)
        case .adam, .adamW: Adam(usedOptimizer, betas: givenBetas ?? (0.9, 0.999), weightDecay: decay)
        }
    }

    private func rate(_ header: StreamHeader, of name: String) throws -> Double {
        if let learningRate { return learningRate }
        guard baseLearningRate != nil || method.method.defaults != nil else { return Self.usualRate }
        guard let batch = header.metadata.count("batch") else {
            let option = baseLearningRate == nil ? "the rate of \(method.method.name)" : "--base-learning-rate"
            throw Failure(.data, path: name, "does not say how large its batches are, which \(option) needs", remedy: "give --learning-rate")
        }
        let share = Double(batch) / 256
        // Most papers' code scales the rate in proportion. The schedule seed does so itself.
        guard let baseLearningRate else { return usedSchedule == .seed ? defaults.rate : defaults.rate * (defaults.growsWithRoot ? share.squareRoot() : share) }
        return baseLearningRate * share.squareRoot()
    }

    /// This tool's line of provenance.
    ///
    /// The line before identifies the preceding checkpoint. The loss is recorded as an argument of --loss, whether
    /// its options were given to this tool or to another program. Thus the built-in loss and the same loss in a
    /// program leave the same bytes.
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

/// The case of this name.
private func oneOfThose<Name: CaseIterable & RawRepresentable>(_ text: String) throws -> Name where Name.RawValue == String {
    guard let name = Name(rawValue: text) else { throw ValidationError("it takes \(Name.allCases.map(\.rawValue).joined(separator: ", "))") }
    return name
}
