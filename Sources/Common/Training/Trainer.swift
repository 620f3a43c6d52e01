import Kernels
import Layers
public import Networks
public import Objectives
import Optimizers
import Randomness
import Ranks
public import TensorStreams
import ToolSupport

/// Trains a student with any ``Objective``.
///
/// For every record it runs the forward passes, the loss, the backward passes and an optimizer step.
public final class Trainer {
    public let options: TrainingOptions
    /// Receives the timing of every part of a step.
    public var profile: Profile? {
        didSet { runs.profile = profile }
    }

    private var state: TrainingState
    private var objective: any Objective
    private let models: TrainedModels
    private let passes: [Pass]
    /// The pass whose output is checked for collapse.
    private let watched: Pass?
    private let runs: PassRuns
    private let stepsPerEpoch: Int
    /// Whether the stream gives the number of steps.
    private let knowsSteps: Bool
    private let firstEpoch: Int
    /// The local part of each batch; nil for all. ``batchSize`` is the size of the whole batch.
    private let slice: BatchSlice?
    private let batchSize: Int
    private var lastEpoch: Int
    private var recordsSeen: Int
    /// Whether the stream is still before the position of the state.
    private var isPassingOver: Bool
    /// The batches of the epoch that are done, including those done before this run.
    public private(set) var batchesDone: Int
    /// The number of broken images of the epoch, and its limit; nil for no limit.
    private var broken: Int
    private let brokenLimit: Int?
    private var watch: TrainingWatch
    private var teacherWatch: TeacherWatch
    private var notes: [String] = []
    /// The maximum number of steps per epoch, and of epochs.
    private static let mostSteps = 1 << 30

    /// - Parameters:
    ///   - header: the header of the input stream.
    ///   - checkpoint: the file of the state, for messages.
    public init(_ state: TrainingState, _ options: TrainingOptions, header: StreamHeader, checkpoint: String? = nil) throws {
        func ofCheckpoint<Result>(_ body: () throws -> Result) throws -> Result {
            do { return try body() } catch var failure as Failure {
                failure.path = failure.path ?? checkpoint
                throw failure
            }
        }
        self.state = state
        self.options = options
        models = try TrainedModels(options.method, options.methodOptions, state, slots: options.optimizer.slots, seed: options.seed)
        passes = options.method.passes(options.methodOptions)
        let ofStudent = passes.filter { $0.model == Model.student.name && $0.hasGradient }
        // With few classes logits are similar for all images, so they say nothing about collapse.
        let telling = ofStudent.filter { !options.method.trainsClassifier || $0.readsImages }
        watched = telling.first { $0.output == .embedding } ?? telling.first
        runs = PassRuns(recomputes: options.recomputes, ranks: options.ranks)
        let epochs = max(1, header.metadata.count("epochs") ?? 1)
        knowsSteps = header.metadata.count("records") != nil
        stepsPerEpoch = max(1, (header.metadata.count("records") ?? epochs) / epochs)
        guard stepsPerEpoch <= Trainer.mostSteps else { throw Failure(.data, "the stream says that it has \(stepsPerEpoch) records an epoch", remedy: "make it again") }
        firstEpoch = header.metadata.count("epoch") ?? state.epoch
        slice = try Trainer.slice(header, options)
        batchSize = header.metadata.count("batch") ?? 0
        lastEpoch = firstEpoch
        let inputs = options.method.inputs
        watch = TrainingWatch(divergence: state.divergence, comparesDivergence: options.method.hasFixedTargets, hasTeacher: inputs.teacher != nil, judgesRank: !inputs.labels)
        if let interim = state.interim { watch.restore(interim.watch, epoch: firstEpoch) }
        (broken, brokenLimit) = (state.interim?.broken ?? 0, header.metadata.count(StreamHeader.brokenLimit))
        batchesDone = state.interim?.batch ?? 0
        isPassingOver = batchesDone > 0
        recordsSeen = header.metadata.count(StreamHeader.firstBatch) ?? 0
        guard recordsSeen <= batchesDone else {
            throw Failure(
                .data, "the stream begins with batch \(recordsSeen) of its epoch where batch \(batchesDone) is next",
                remedy: "give augment --resume the interim checkpoint of the training, or leave it out")
        }
        var objective = try options.method.init(options.methodOptions, options.facts(header))
        try ofCheckpoint { try objective.restore(state.objective) }
        self.objective = objective
        teacherWatch = TeacherWatch(tensor: objective.sampledTensors.isEmpty ? inputs.teacher?.tensor : nil)
    }

    /// The part of each batch that the stream has. It must be the part that this rank needs.
    private static func slice(_ header: StreamHeader, _ options: TrainingOptions) throws -> BatchSlice? {
        if StreamShard(header) != nil { throw Failure(.data, "the stream has only a part of an epoch", remedy: "join the parts with merge-shards, or use augment --fold, which makes whole epochs of a part of the data") }
        let slice = BatchSlice(header)
        guard let ranks = options.ranks else {
            guard !BatchSlice.isTold(by: header) else { throw Failure(.data, "the stream has only a part of each batch", remedy: "leave out augment's --slice, or train with --mpi") }
            return nil
        }
        let wanted = BatchSlice(rank: ranks.rank, of: ranks.count, groups: options.batchGroups)
        guard slice == wanted, let batch = header.metadata.count("batch"), batch >= 2 * options.batchGroups else {
            let part = slice.map { "part \($0.rank + 1) of \($0.ranks) in \($0.groups) groups" } ?? "all"
            throw Failure(
                .data, "the stream has \(part) of each batch where this rank needs part \(wanted.rank + 1) of \(wanted.ranks) in \(wanted.groups) groups",
                remedy: "give augment --slice \(wanted.rank + 1)/\(wanted.ranks) --slice-groups \(wanted.groups)")
        }
        return slice
    }

    /// The tensors of the stream whose first rows the objective needs before the first step.
    public var sampledTensors: [String] { objective.sampledTensors }
    public func setSample(_ sample: Tensor, of tensor: String) { objective.setSample(sample, of: tensor) }
    /// Notes for the user about the training, each returned once. Call it after every step and at the end.
    public func takeNotes() -> [String] {
        defer { notes = [] }
        return notes + objective.takeNotes() + watch.takeNotes { options.remedy($0, objective.remedies($0)) }
    }
    /// The loss as an argument of `--loss`; nil where it is the objective's own.
    public var lossCommand: String? { objective.lossCommand }

    /// Whether all batches of the epoch are done, if the stream gives their number.
    public var isComplete: Bool { knowsSteps && batchesDone >= stepsPerEpoch }
    /// The first epoch of the stream.
    public var epoch: Int { firstEpoch }

    /// Whether the state already includes a record's batch. Call it before ``step(_:)``.
    public func isDone(_ record: TensorDocument) -> Bool {
        guard isPassingOver else { return false }
        isPassingOver = record.metadata.count("step") ?? recordsSeen < batchesDone
        if isPassingOver { recordsSeen += 1 }
        return isPassingOver
    }

    /// Performs one step. Weights and momenta change only if the loss and the gradient are finite.
    ///
    /// - Parameter record: a batch; with several ranks, as returned by ``GatheredRecords``.
    public func step(_ record: TensorDocument) throws -> StepReport {
        var images = try images(record)
        let cut = try cut(record, images[0].N)
        let batch = Batch(
            record, N: cut.N, views: images.map(\.views), epoch: record.metadata.count("epoch") ?? firstEpoch,
            step: record.metadata.count("step") ?? recordsSeen % stepsPerEpoch)
        guard batch.epoch <= Trainer.mostSteps else { throw record.failure("is of epoch \(batch.epoch), above \(Trainer.mostSteps)") }
        try count(broken: record.brokenPlaces.count, of: batch, in: record)
        recordsSeen += 1
        batchesDone = batch.epoch == firstEpoch ? batch.step + 1 : 0
        state.position = record.metadata["position"]
        lastEpoch = max(lastEpoch, batch.epoch)

        let position = batch.epoch * stepsPerEpoch + batch.step, positions = options.epochs * stepsPerEpoch
        models.followAverages(.beforePasses, step: position, of: positions)
        try objective.willStep(models.weights)
        var outputs = Outputs()
        runs.begin()
        let passes = passes.filter { $0.rows(N: batch.N, views: batch.views) > 0 }
        let rows = PassRows(cut, views: batch.views) { [ranks = options.ranks] groups in ranks?.groups(in: groups) ?? 0..<groups }
        if let ranks = options.ranks { try locate(&images, passes, rows, ranks) }
        for pass in passes {
            let input = input(pass, batch, images, outputs)
            outputs[pass] = try models.run(pass) { try runs.forward(pass, $0, input, rows) }
        }
        let loss = try objective.loss(outputs, batch)
        guard loss.value.isFinite else {
            throw record.failure(
                "the loss is \(loss.value) at epoch \(batch.epoch), step \(batch.step)",
                remedy: "the last checkpoint is intact; lower the learning rate or look at the record with inspect")
        }
        profile?.lap("loss")
        var gradients = loss.gradients
        let total = PairwiseSum(models.gradients, groups: rows.own, isWhole: options.ranks == nil)
        for group in rows.own {
            models.zeroGradients()
            profile?.lap("optimizer")
            // Final gradients of the last group are sent while the rest is computed.
            let exchange = total.isLast ? options.ranks.map { GradientExchange(total, $0, counts: models.gradients.map(\.count), groups: rows.groups) } : nil
            let withGradient = passes.filter(\.hasGradient)
            for pass in withGradient.reversed() {
                guard let gradient = gradients[pass.name] else { throw Failure(.software, "the loss gives no gradient of pass \(pass.name)") }
                let input = input(pass, batch, images, outputs), isLastOfModel = withGradient.first { $0.model == pass.model }?.name == pass.name
                let final = isLastOfModel ? exchange.map { exchange in { exchange.isFinal(self.models.gradientNumber(pass), from: self.models.gradientStart(pass) + $0) } } : nil
                let dInput = models.run(pass) {
                    runs.backward(pass, $0, gradient, input, rows, group: group, dParameters: models.gradients(pass), final: final)
                }
                if let dInput { add(dInput, of: pass, rows.of(pass, group: group), to: &gradients, outputs) }
            }
            if let exchange { try exchange.finish() } else { total.add() }
        }
        profile?.lap("exchange")
        let norm = models.gradientNorm
        guard norm.isFinite else {
            throw record.failure(
                "the gradient is not finite at epoch \(batch.epoch), step \(batch.step)", remedy: "the last checkpoint is intact; lower the learning rate")
        }
        if let longest = options.longestGradient { models.clipGradients(norm: norm, to: longest) }
        let rate = options.schedule.rate(epoch: batch.epoch, step: batch.step, stepsPerEpoch: stepsPerEpoch)
        state.steps += 1
        models.step(options.optimizer, learningRate: rate, begin: options.schedule.begin.rate, step: state.steps) { objective.isFrozen($0, step: state.steps - 1) }
        models.followAverages(.afterStep, step: position, of: positions)
        objective.stepped(models.weights)
        profile?.lap("optimizer")
        profile?.count(images: batch.N)
        let report = StepReport(
            images: batch.N, epoch: batch.epoch, step: batch.step, loss: loss.value, metrics: loss.metrics + spread(outputs, loss.metrics), learningRate: rate,
            gradientNorm: norm)
        watch.add(report, steps: state.steps)
        if let note = teacherWatch.add(record) { notes.append(note) }
        return report
    }

    /// Counts broken images and checks their limit.
    ///
    /// augment cannot check it for a part of an epoch (after the start, or of one of several ranks), since it does
    /// not know the number of broken images in the whole epoch. A batch whose images are all broken has no record and
    /// is not counted.
    private func count(broken more: Int, of batch: Batch, in record: TensorDocument) throws {
        broken = (batch.epoch > lastEpoch ? 0 : broken) + more
        guard let brokenLimit, broken > brokenLimit else { return }
        throw record.failure("\(broken) image\(broken == 1 ? " of the epoch is" : "s of the epoch are") broken, more than 1 % of them", remedy: "repair them, or pass --allow-bad to augment to leave them out")
    }

    /// The division of a batch into groups, where the record has `here` images.
    private func cut(_ record: TensorDocument, _ here: Int) throws -> BatchCut {
        let broken = record.brokenPlaces
        let places = slice == nil ? here + broken.count : batchSize
        guard broken.last ?? -1 < places else { throw record.failure("says that image \(broken[broken.count - 1]) of its \(places) is broken, counted from 0") }
        let cut = BatchCut(places: places, broken: broken, groups: options.batchGroups)
        if let slice {
            let own = cut.images(of: BatchSlice.groups(of: slice.rank, ranks: slice.ranks, in: cut.groups)).count
            guard own == here else { throw record.failure("has \(here) images where rank \(slice.rank) has \(own) of the \(cut.N) images of its batch") }
        }
        return cut
    }

    /// Sets the position of the images in the batch, and gathers all images for passes that read arbitrary rows.
    private func locate(_ images: inout [ImageViews], _ passes: [Pass], _ rows: PassRows, _ ranks: Ranks) throws {
        for group in images.indices { images[group].first = rows.images.lowerBound }
        let shuffled = passes.filter(\.isShuffled).compactMap { pass -> Int? in
            guard case .view(let view) = pass.input else { preconditionFailure("pass \(pass.name) shuffles rows of several views") }
            return ImageViews.place(of: view, among: images.map(\.views))?.group
        }
        for group in Set(shuffled).sorted() { images[group] = try images[group].gathered(ranks) }
    }

    private func input(_ pass: Pass, _ batch: Batch, _ images: [ImageViews], _ outputs: Outputs) -> PassRuns.Input {
        let randomKey = options.drops ? RandomKey(seed: options.seed, epoch: batch.epoch, step: batch.step, pass: pass.name) : nil
        let rows = pass.rows(N: batch.N, views: batch.views)
        return PassRuns.Input(crops: images, outputs: outputs, order: order(pass, batch), randomKey: randomKey) { self.options.groups($0, of: rows) }
    }

    /// Adds the gradient of a pass's input, for the given rows, to the gradients of the passes that produced it.
    private func add(_ dInput: [Float], of pass: Pass, _ rows: [Int], to gradients: inout [String: [Float]], _ outputs: Outputs) {
        guard case .outputs(let sources) = pass.input else { return }
        var start = 0
        for source in sources where outputs.has(source) {
            let (N, D) = (outputs[source].N, outputs[source].D)
            defer { start += N }
            guard source.hasGradient else { continue }
            var gradient = gradients.removeValue(forKey: source.name) ?? [Float](repeating: 0, count: N * D)
            for (n, row) in rows.enumerated() where start..<start + N ~= row {
                for d in 0..<D { gradient[(row - start) * D + d] += dInput[n * D + d] }
            }
            gradients[source.name] = gradient
        }
    }

    /// How much the student's rows differ, for any method. Metrics that the objective already reports are left out.
    private func spread(_ outputs: Outputs, _ told: [Metric]) -> [Metric] {
        guard let watched else { return [] }
        let all = Metric.spread(of: outputs[watched])
        return all.filter { metric in !told.contains { $0.name == metric.name } }
    }

    /// The order of the rows of a shuffled pass, the same throughout a step; nil for the order of the images.
    private func order(_ pass: Pass, _ batch: Batch) -> [Int]? {
        guard pass.isShuffled else { return nil }
        var random = CounterRandom(seed: options.seed, .batchNormShuffle, epoch: batch.epoch, item: batch.step)
        return random.permutation(pass.rows(N: batch.N, views: batch.views))
    }

    /// The state after the last step, from which the epoch can resume; nil where the loss gives its state only at the
    /// end, or the epoch is done.
    ///
    /// - Parameter key: identifies the epoch.
    public func interim(key: String) throws -> TrainingState? {
        guard batchesDone > 0, !isComplete, lastEpoch == firstEpoch, let kept = try objective.interim() else { return nil }
        var state = reached(kept)
        state.interim = TrainingState.Interim(batch: batchesDone, batches: knowsSteps ? stepsPerEpoch : nil, key: key, watch: watch.tensor, processor: MachineKind.name, broken: broken)
        return state
    }

    /// The state with the current models and the objective's state.
    private func reached(_ kept: [String: Tensor]) -> TrainingState {
        var state = state
        state.objective = kept
        state.method = options.method.name
        state.optimizer = options.optimizer.name
        models.save(in: &state)
        return state
    }

    /// Ends the training.
    ///
    /// - Returns: the state for the next epoch.
    public func finish() throws -> TrainingState {
        state = reached(try objective.finish())
        state.epoch = lastEpoch + 1
        state.interim = nil
        watch.endEpoch()
        state.divergence = watch.divergence
        // No forward pass has checked the weights after the last step.
        guard state.isFinite else {
            throw Failure(
                .data, "the network holds numbers that are not finite after epoch \(lastEpoch)",
                remedy: "the last checkpoint is intact; lower the learning rate")
        }
        return state
    }

    /// The images of a record by group, checked against the method and the network. Unused groups are ignored.
    private func images(_ record: TensorDocument) throws -> [ImageViews] {
        let first = try ImageViews(record, for: state.weights.network)
        guard first.N > 0 else { throw record.failure("has no images") }
        var images = [first]
        let wanted = options.method.inputs.groups
        try check(record, first.views, group: 0, wanted)
        for group in wanted.indices.dropFirst() {
            guard record.tensors[ImageViews.name(group)] != nil else {
                try check(record, 0, group: group, wanted)
                break
            }
            let views = try ImageViews(record, group: group, for: state.weights.network)
            try check(record, views.views, group: group, wanted)
            guard views.N == first.N else { throw record.failure("has \(views.N) images in group \(group) where the first has \(first.N)") }
            images.append(views)
        }
        let all = images.map(\.views).reduce(0, +)
        for pass in passes {
            guard case .view(let view) = pass.input, view >= all else { continue }
            throw record.failure("has \(all) view\(all == 1 ? "" : "s") of each image where view \(view), counted from 0, is asked for", remedy: "give augment --views \(view + 1)")
        }
        return images
    }

    private func check(_ record: TensorDocument, _ views: Int, group: Int, _ wanted: [ClosedRange<Int>]) throws {
        guard !wanted[group].contains(views) else { return }
        let least = wanted[group].lowerBound
        let example = wanted.enumerated().map { "\(max(1, $1.lowerBound))x\($0 == 0 ? 224 : 96)" }.joined(separator: " ")
        throw record.failure(
            "has \(views) view\(views == 1 ? "" : "s") of each image\(wanted.count > 1 ? " in group \(group)" : "") where --objective \(options.method.name) needs \(least)",
            remedy: options.method.inputs.bags ? "make it with augment --bags and the file that neighbours writes" : wanted.count > 1 ? "give augment --crops such as '\(example)'" : "give augment --views \(least)")
    }
}
