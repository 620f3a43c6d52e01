import Kernels
import Layers
public import Networks
import Objectives
import Optimizers
import Randomness
public import TensorStreams
import ToolSupport

/// Trains a student: for every record a forward pass, the loss, a backward pass, a step of SGD.
public final class Trainer {
    public private(set) var state: TrainingState
    public let options: TrainingOptions
    private var loss: (any LossSource)?
    private var runs: [TrainingRun] = []
    private let gradients: FloatBuffer
    private let stepsPerEpoch: Int
    private let firstEpoch: Int
    private var lastEpoch: Int
    private var recordsSeen = 0
    private var watch: TrainingWatch
    private var toldOfLoss = false
    /// Is told of everything a step does.
    public var profile: Profile?

    /// - Parameter header: of the stream that the records come from.
    public init(_ state: TrainingState, _ options: TrainingOptions, header: StreamHeader) throws {
        self.state = state
        self.options = options
        gradients = FloatBuffer(state.weights.network.parameterCount)
        let epochs = max(1, header.metadata.count("epochs") ?? 1)
        stepsPerEpoch = max(1, (header.metadata.count("records") ?? epochs) / epochs)
        firstEpoch = header.metadata.count("epoch") ?? state.epoch
        lastEpoch = firstEpoch
        watch = TrainingWatch(divergence: state.divergence, comparesDivergence: options.objective == .seed)
        watch.remedy = { [options] in options.remedy($0) }
        guard options.objective != .supervisedContrastive else { return }
        if let command = options.lossCommand {
            var lossHeader = StreamHeader(provenance: header.provenance, metadata: header.metadata)
            lossHeader.metadata[QueueState.key] = QueueState.wanted
            loss = try LossProcess(command, header: lossHeader, timeout: options.lossTimeout, warn: options.warn)
        } else {
            var settings = options.loss
            settings.objective = options.objective == .mocoV2 ? .mocoV2 : .seed
            settings.samples = header.metadata.count("samples")
            loss = BuiltInLoss(settings)
        }
        try loss?.restore(state.lossState)
        if options.objective == .mocoV2, state.keyWeights == nil { self.state.keyWeights = Weights(copying: state.weights) }
    }

    /// Rows of the queue that are embeddings by now, and all its rows.
    public var queueFill: (real: Int, capacity: Int)? { loss?.fill }
    /// What a person should know of the training, each said once; to be asked after every step and at the end.
    public func takeNotes() -> [String] {
        defer { toldOfLoss = true }
        return (toldOfLoss ? [] : loss?.notes ?? []) + watch.takeNotes()
    }

    /// Whether the loss is to be told of the teacher's first embeddings: it has kept nothing from an epoch before.
    public var needsTeacherSample: Bool { options.objective == .seed && state.lossState.isEmpty }
    /// The teacher's embeddings of the first images, for the loss; to be set before the first step where they are needed.
    public var teacherSample: Tensor?

    /// The loss as one gives it to `--loss`; nil where it is the objective's own.
    public var lossCommand: String? { loss?.command }

    /// Does one step. Weights and momenta are changed only if the loss and the gradient are finite.
    public func step(_ record: TensorDocument) throws -> StepReport {
        let images = try record.tensor("images", .u8, shape: [nil, nil, nil, nil, 3])
        let (N, V, H, W) = (images.shape[0], images.shape[1], images.shape[2], images.shape[3])
        guard N > 0 else { throw record.failure("has no pictures") }
        // Distillation takes the first view of many; the others compare two.
        guard options.objective == .seed ? V > 0 : V == 2 else {
            throw record.failure(
                "has \(V) view\(V == 1 ? "" : "s") of each picture where --objective \(options.objective.rawValue) needs \(options.objective.views)",
                remedy: "give augment --views \(options.objective.views)")
        }
        guard H >= Network.smallestPicture, W >= Network.smallestPicture else {
            throw record.failure("has pictures of \(W)×\(H) where a network needs \(Network.smallestPicture)×\(Network.smallestPicture)")
        }
        let epoch = record.metadata.count("epoch") ?? firstEpoch
        let step = record.metadata.count("step") ?? recordsSeen % stepsPerEpoch
        recordsSeen += 1
        lastEpoch = max(lastEpoch, epoch)

        let (values, run) = try forward(record, images, N: N, H: H, W: W, epoch: epoch, step: step)
        guard values.loss.isFinite else {
            throw record.failure(
                "the loss is \(values.loss) at epoch \(epoch), step \(step)",
                remedy: "the last checkpoint stands; lower the learning rate or look at the record with inspect")
        }
        profile?.lap("loss")
        gradients.zero()
        profile?.lap("optimizer")
        unsafe values.gradient.withUnsafeBufferPointer { dOutput in
            if let base = dOutput.baseAddress { unsafe run.backward(state.weights, dOutput: base, dParameters: gradients) }
        }
        let norm = unsafe GradientNorm.of([gradients.buffer])
        guard norm.isFinite else {
            throw record.failure(
                "the gradient is not finite at epoch \(epoch), step \(step)", remedy: "the last checkpoint stands; lower the learning rate")
        }
        let rate = options.schedule.rate(epoch: epoch, step: step, stepsPerEpoch: stepsPerEpoch)
        unsafe options.optimizer.step(
            [
                ParameterBuffer(
                    values: state.weights.parameters.pointer, gradient: gradients.pointer, momentum: state.momenta.pointer, count: gradients.count)
            ], learningRate: rate)
        state.steps += 1
        profile?.lap("optimizer")
        profile?.count(pictures: N)
        let report = StepReport(
            pictures: N, epoch: epoch, step: step, loss: values.loss, floor: values.floor, agreement: values.agreement,
            studentCosine: values.studentCosine, teacherCosine: values.teacherCosine, teacherTemperature: values.teacherTemperature,
            centre: values.centre, learningRate: rate, gradientNorm: norm)
        watch.add(report, queue: queueFill, steps: state.steps)
        return report
    }

    /// Ends the training: the state that the next epoch begins with.
    public func finish() throws -> TrainingState {
        if let state = try loss?.finish() { self.state.lossState = state }
        state.epoch = lastEpoch + 1
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

    /// A loss, and its gradient with respect to the network's output (rows, D).
    private struct Outcome {
        var loss: Double
        var gradient: [Float]
        var floor: Double?
        var agreement: Double?
        var studentCosine: Double?
        var teacherCosine: Double?
        var teacherTemperature: Double?
        var centre: Double?
    }

    private func forward(
        _ record: TensorDocument, _ images: Tensor, N: Int, H: Int, W: Int, epoch: Int, step: Int
    ) throws -> (Outcome, TrainingRun) {
        let chance = options.drops ? Chance(seed: options.seed, epoch: epoch, step: step) : nil
        switch options.objective {
        case .supervisedContrastive: return try forwardSupervised(record, images, N: N, H: H, W: W, chance)
        case .seed:
            let run = try run(N: N, H: H, W: W)
            let rows = unsafe images.withElements(as: UInt8.self) { bytes in
                unsafe EmbeddingRows(run, bytes) { unsafe run.forward(state.weights, images: $0, views: images.shape[1], view: 0, chance: chance) }
            }
            let teacher = try record.tensor("teacher", .f32, shape: [N, nil])
            guard teacher.shape[1] == rows.D else {
                throw record.failure(
                    "has teacher embeddings of \(teacher.shape[1]) numbers where the student's have \(rows.D)",
                    remedy: "make a student with initialize --embedding \(teacher.shape[1])")
            }
            return (try queueLoss(rows, teacher: teacher, record), run)
        case .mocoV2:
            guard let keyWeights = state.keyWeights else { throw Failure(.software, "there is no momentum encoder") }
            // θ_k ← m·θ_k + (1 − m)·θ_q, then the keys in a random order, so that no group of batch norm holds the same pictures
            // as the queries' group: else the statistics tell a query which key is its own.
            unsafe MovingAverage.update(
                [keyWeights.parameters.mutable], towards: [state.weights.parameters.buffer], momentum: options.keyMomentum)
            let run = try run(N: N, H: H, W: W)
            var random = CounterRandom(seed: options.seed, .batchNormShuffle, epoch: epoch, item: step)
            let order = random.permutation(N)
            var keyChance = chance
            keyChance?.pass = 1
            let keys = unsafe images.withElements(as: UInt8.self) { bytes in
                unsafe EmbeddingRows(run, bytes) { unsafe run.forward(keyWeights, images: $0, views: images.shape[1], view: 1, order: order, chance: keyChance) }
            }
            var teacher = [Float](repeating: 0, count: N * keys.D)
            for (row, picture) in order.enumerated() {
                for d in 0..<keys.D { teacher[picture * keys.D + d] = keys.unit[row * keys.D + d] }
            }
            let rows = unsafe images.withElements(as: UInt8.self) { bytes in
                unsafe EmbeddingRows(run, bytes) { unsafe run.forward(state.weights, images: $0, views: images.shape[1], view: 0, chance: chance) }
            }
            return (try queueLoss(rows, teacher: Tensor(f32: teacher, shape: [N, keys.D]), record), run)
        }
    }

    /// The loss of (student, teacher) rows, from here or from the co-process.
    private func queueLoss(_ rows: EmbeddingRows, teacher: Tensor, _ record: TensorDocument) throws -> Outcome {
        guard rows.unit.allSatisfy(\.isFinite) else { return Outcome(loss: .nan, gradient: []) }
        var question = TensorDocument(
            metadata: record.metadata.filter { $0.key == "epoch" || $0.key == "step" },
            tensors: ["student": Tensor(f32: rows.unit, shape: [rows.N, rows.D]), "teacher": teacher])
        if let sample = teacherSample { question.tensors[TeacherSample.name] = sample }
        teacherSample = nil
        guard let answer = try answer(question, to: record) else { throw Failure(.software, "there is no loss") }
        let losses = try answer.tensor("loss", .f32, shape: [rows.N]).floats()
        let gradient = try answer.tensor("gradient", .f32, shape: [rows.N, rows.D]).floats()
        let used = unsafe teacher.withFloats { unsafe MeanCosine.of($0, dimension: rows.D) }
        let number = { (key: String) in answer.metadata[key].flatMap { Double($0) }.flatMap { $0.isFinite ? $0 : nil } }
        return Outcome(
            loss: mean(losses), gradient: rows.backward(gradient), floor: try answer.optional("floor", rows.N).map(mean),
            agreement: try answer.optional("agreement", rows.N).map(mean), studentCosine: rows.meanCosine,
            teacherCosine: number("teacher_cosine") ?? used,
            teacherTemperature: number("teacher_temperature"), centre: number("centre"))
    }

    /// The loss's answer. What it finds wrong with the rows came in with `record`.
    private func answer(_ question: TensorDocument, to record: TensorDocument) throws -> TensorDocument? {
        do {
            return try loss?.answer(question)
        } catch let failure as Failure where failure.kind == .data && failure.path == nil {
            throw record.failure(failure.what, remedy: failure.remedy)
        }
    }

    private func forwardSupervised(
        _ record: TensorDocument, _ images: Tensor, N: Int, H: Int, W: Int, _ chance: Chance?
    ) throws -> (Outcome, TrainingRun) {
        let labels = try record.tensor("label", .i32, shape: [N]).integers().map(Int32.init(truncatingIfNeeded:))
        guard labels.allSatisfy({ $0 >= 0 }) else {
            throw record.failure("has pictures without a label", remedy: "put pictures in folders named for their classes, or use --objective moco-v2")
        }
        // The two views of every picture, as one batch of 2N: row 2n + v is view v of picture n.
        let run = try run(N: 2 * N, H: H, W: W)
        let rows = unsafe images.withElements(as: UInt8.self) { bytes in
            unsafe EmbeddingRows(run, bytes) { unsafe run.forward(state.weights, images: $0, chance: chance) }
        }
        guard rows.unit.allSatisfy(\.isFinite) else { return (Outcome(loss: .nan, gradient: []), run) }
        let values = unsafe rows.unit.withUnsafeBufferPointer { unit in
            unsafe SupervisedContrastive.evaluate(
                embeddings: unit, labels: labels.flatMap { [$0, $0] }, dimension: rows.D, temperature: options.temperature)
        }
        return (
            Outcome(
                loss: values.mean, gradient: rows.backward(values.gradient), floor: values.meanFloor, agreement: values.meanAgreement,
                studentCosine: rows.meanCosine), run
        )
    }

    /// A run for this size of batch. Besides the usual one there is at most one more: for the last, smaller batch.
    private func run(N: Int, H: Int, W: Int) throws -> TrainingRun {
        if let run = runs.first(where: { $0.N == N && $0.height == H && $0.width == W }) { return run }
        if runs.count == 2 { runs.removeLast() }
        let run = TrainingRun(state.weights.network, N: N, height: H, width: W, groups: options.groups(N))
        run.profile = profile
        runs.append(run)
        profile?.lap("preparation")
        return run
    }

    private func mean(_ values: [Float]) -> Double {
        values.reduce(0.0) { $0 + Double($1) } / Double(max(1, values.count))
    }
}

/// What a network said of a batch, brought to unit length.
private struct EmbeddingRows {
    let N: Int
    let D: Int
    /// Unit rows (N, D).
    var unit: [Float]
    /// Their lengths before (N).
    private var norm: [Float]

    /// Runs `forward` on the images' bytes and normalises its output.
    init(_ run: TrainingRun, _ images: UnsafeBufferPointer<UInt8>, _ forward: (UnsafePointer<UInt8>) -> UnsafeMutablePointer<Float>) {
        (N, D) = (run.N, run.network.embeddingWidth)
        unit = [Float](repeating: 0, count: N * D)
        norm = [Float](repeating: 0, count: N)
        guard let bytes = images.baseAddress else { return }
        let output = unsafe UnsafeBufferPointer(start: forward(bytes), count: N * D)
        unsafe unit.withUnsafeMutableBufferPointer { unit in
            unsafe norm.withUnsafeMutableBufferPointer { norm in unsafe UnitRows.forward(y: unit, norm: norm, x: output, N: N, D: D) }
        }
    }

    var meanCosine: Double? { unsafe unit.withUnsafeBufferPointer { unsafe MeanCosine.of($0, dimension: D) } }

    /// The gradient with respect to the rows as they were, from that with respect to the unit rows.
    func backward(_ gradient: [Float]) -> [Float] {
        var result = gradient
        unsafe result.withUnsafeMutableBufferPointer { dx in
            unsafe unit.withUnsafeBufferPointer { unit in
                unsafe norm.withUnsafeBufferPointer { norm in
                    unsafe UnitRows.backward(dx: dx, dy: UnsafeBufferPointer(dx), y: unit, norm: norm, N: N, D: D)
                }
            }
        }
        return result
    }
}

extension TensorDocument {
    fileprivate func optional(_ name: String, _ count: Int) throws -> [Float]? {
        tensors[name] == nil ? nil : try tensor(name, .f32, shape: [count]).floats()
    }
}
