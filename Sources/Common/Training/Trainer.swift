import Kernels
import Layers
public import Networks
public import Objectives
import Optimizers
import Randomness
import Ranks
public import TensorStreams
import ToolSupport

/// Trains a student with any ``Objective``: for every record the passes forward, the loss, the passes backward, a step of the optimizer.
public final class Trainer {
    public let options: TrainingOptions
    /// Is told of everything a step does.
    public var profile: Profile? {
        didSet { runs.profile = profile }
    }

    private var state: TrainingState
    private var objective: any Objective
    private let models: TrainedModels
    private let passes: [Pass]
    /// The pass whose output is looked at for whether it has collapsed.
    private let watched: Pass?
    private let runs: PassRuns
    private let stepsPerEpoch: Int
    /// Whether the stream tells it.
    private let knowsSteps: Bool
    private let firstEpoch: Int
    /// The part of each batch that is here, of how many images; nil for all.
    private let slice: BatchSlice?
    private let batchSize: Int
    private var lastEpoch: Int
    private var recordsSeen: Int
    /// Whether the stream is not yet where the state is.
    private var isPassingOver: Bool
    /// Batches of the epoch, those among them that were done before.
    public private(set) var batchesDone: Int
    /// Images of the epoch that were broken, and how many may be; nil for any number.
    private var broken: Int
    private let brokenLimit: Int?
    private var watch: TrainingWatch
    private var teacherWatch: TeacherWatch
    private var notes: [String] = []
    /// Of an epoch, and epochs.
    private static let mostSteps = 1 << 30

    /// - Parameters:
    ///   - header: of the stream that the records come from.
    ///   - checkpoint: the file that the state is of, for messages.
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
        // Logits are alike where classes are few, and say nothing.
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
                .data, "the stream begins with batch \(recordsSeen) of its epoch where batch \(batchesDone) is the next to be learnt",
                remedy: "give augment --resume the interim checkpoint of the training, or leave it out")
        }
        var objective = try options.method.init(options.methodOptions, options.facts(header))
        try ofCheckpoint { try objective.restore(state.objective) }
        self.objective = objective
        teacherWatch = TeacherWatch(tensor: objective.sampledTensors.isEmpty ? inputs.teacher?.tensor : nil)
    }

    /// The part of each batch that the stream has, if it is the one that this rank needs.
    private static func slice(_ header: StreamHeader, _ options: TrainingOptions) throws -> BatchSlice? {
        if StreamShard(header) != nil { throw Failure(.data, "the stream has only a part of an epoch", remedy: "merge-shards puts the parts together; augment --fold has a part of the data as epochs of its own") }
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

    /// The tensors of the stream whose first rows the objective wants before the first step.
    public var sampledTensors: [String] { objective.sampledTensors }
    public func setSample(_ sample: Tensor, of tensor: String) { objective.setSample(sample, of: tensor) }
    /// What a person should know of the training, each said once; to be asked after every step and at the end.
    public func takeNotes() -> [String] {
        defer { notes = [] }
        return notes + objective.takeNotes() + watch.takeNotes { options.remedy($0, objective.remedies($0)) }
    }
    /// The loss as one gives it to `--loss`; nil where it is the objective's own.
    public var lossCommand: String? { objective.lossCommand }

    /// Whether all batches of the epoch have been learnt, as far as the stream tells how many there are.
    public var isComplete: Bool { knowsSteps && batchesDone >= stepsPerEpoch }
    /// The epoch that the stream begins with.
    public var epoch: Int { firstEpoch }

    /// Whether a record is of a batch that the state has been through already; to be asked before ``step(_:)``.
    public func isDone(_ record: TensorDocument) -> Bool {
        guard isPassingOver else { return false }
        isPassingOver = record.metadata.count("step") ?? recordsSeen < batchesDone
        if isPassingOver { recordsSeen += 1 }
        return isPassingOver
    }

    /// Does one step. Weights and momenta are changed only if the loss and the gradient are finite.
    ///
    /// - Parameter record: a batch; of several ranks as ``GatheredRecords`` has it.
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
                remedy: "the last checkpoint stands; lower the learning rate or look at the record with inspect")
        }
        profile?.lap("loss")
        var gradients = loss.gradients
        let total = PairwiseSum(models.gradients, groups: rows.own, isWhole: options.ranks == nil)
        for group in rows.own {
            models.zeroGradients()
            profile?.lap("optimizer")
            // What is final of the last group's gradients travels while the rest is computed.
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
                "the gradient is not finite at epoch \(batch.epoch), step \(batch.step)", remedy: "the last checkpoint stands; lower the learning rate")
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

    /// Of a part of an epoch, behind its beginning or of one of several ranks, augment does not know how many images are broken in all of it. A batch without a whole image has no record, and is not counted.
    private func count(broken more: Int, of batch: Batch, in record: TensorDocument) throws {
        broken = (batch.epoch > lastEpoch ? 0 : broken) + more
        guard let brokenLimit, broken > brokenLimit else { return }
        throw record.failure("\(broken) image\(broken == 1 ? " of the epoch is" : "s of the epoch are") broken, more than 1 % of them", remedy: "repair them, or pass --allow-bad to augment to leave them out")
    }

    /// How a batch is cut into groups, of which `here` images are in the record.
    private func cut(_ record: TensorDocument, _ here: Int) throws -> BatchCut {
        let broken = record.brokenPlaces
        let places = slice == nil ? here + broken.count : batchSize
        guard broken.last ?? -1 < places else { throw record.failure("says that image \(broken[broken.count - 1]) of its \(places) is broken, counted from 0") }
        let cut = BatchCut(places: places, broken: broken, groups: options.batchGroups)
        if let slice {
            let own = cut.images(of: BatchSlice.groups(of: slice.rank, ranks: slice.ranks, in: cut.groups)).count
            guard own == here else { throw record.failure("has \(here) images where rank \(slice.rank) has \(own) of the \(cut.N) of its batch") }
        }
        return cut
    }

    /// Says of the images where they begin in the batch, and gathers those of which passes read any rows.
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

    /// Adds the gradient of what a pass has read, of these rows of it, to those of the passes that gave it.
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

    /// How far the student's rows differ, whatever the method: what the objective has not told of it.
    private func spread(_ outputs: Outputs, _ told: [Metric]) -> [Metric] {
        guard let watched else { return [] }
        let all = Metric.spread(of: outputs[watched])
        return all.filter { metric in !told.contains { $0.name == metric.name } }
    }

    /// The order in which the rows of a shuffled pass go through, the same for all of a step; nil for that of the images.
    private func order(_ pass: Pass, _ batch: Batch) -> [Int]? {
        guard pass.isShuffled else { return nil }
        var random = CounterRandom(seed: options.seed, .batchNormShuffle, epoch: batch.epoch, item: batch.step)
        return random.permutation(pass.rows(N: batch.N, views: batch.views))
    }

    /// The state after the last step, from which the epoch goes on; nil where what gives the loss tells its own at the end alone, or the epoch is done.
    ///
    /// - Parameter key: what the epoch is known by.
    public func interim(key: String) throws -> TrainingState? {
        guard batchesDone > 0, !isComplete, lastEpoch == firstEpoch, let kept = try objective.interim() else { return nil }
        var state = reached(kept)
        state.interim = TrainingState.Interim(batch: batchesDone, batches: knowsSteps ? stepsPerEpoch : nil, key: key, watch: watch.tensor, processor: MachineKind.name, broken: broken)
        return state
    }

    /// The state with what the models have become and the objective keeps.
    private func reached(_ kept: [String: Tensor]) -> TrainingState {
        var state = state
        state.objective = kept
        state.method = options.method.name
        state.optimizer = options.optimizer.name
        models.save(in: &state)
        return state
    }

    /// Ends the training: the state that the next epoch begins with.
    public func finish() throws -> TrainingState {
        state = reached(try objective.finish())
        state.epoch = lastEpoch + 1
        state.interim = nil
        watch.endEpoch()
        state.divergence = watch.divergence
        // The last step's weights have been through no forward pass that would show it.
        guard state.isFinite else {
            throw Failure(
                .data, "the network holds numbers that are not finite after epoch \(lastEpoch)",
                remedy: "the last checkpoint stands; lower the learning rate")
        }
        return state
    }

    /// The images of a record by their groups, if they are what the method and the network need. Groups that it has no use for are left alone.
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
            remedy: options.method.inputs.bags ? "make it with augment --bags, whose file neighbours writes" : wanted.count > 1 ? "give augment --crops such as '\(example)'" : "give augment --views \(least)")
    }
}
