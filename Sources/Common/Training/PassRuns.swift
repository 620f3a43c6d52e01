import Kernels
import Layers
import Networks
import Objectives
import Ranks
import TensorStreams

/// The memory in which the passes of a step run.
///
/// A pass with a gradient keeps its activations until it has gone backward, so it has a run of its own for each group of the batch; a pass without one leaves its run to the
/// next. Where activations are not kept (``recomputes``), every pass does, and goes forward once more before it goes backward (Chen et al., "Training Deep Nets with Sublinear Memory
/// Cost", 2016): with the same numbers, and without moving the running statistics again. Runs stay for the next step: those of the sizes that passes began with, and of the one other
/// that came last, such as the last batch of an epoch.
final class PassRuns {
    var profile: Profile? {
        didSet { slots.map(\.run).forEach(watch) }
    }

    /// Whether activations are not kept.
    private let recomputes: Bool
    /// Those that have the groups that are not here; nil where all are.
    private let ranks: Ranks?

    /// - Parameter recomputes: whether activations are not kept.
    init(recomputes: Bool = false, ranks: Ranks? = nil) { (self.recomputes, self.ranks) = (recomputes, ranks) }

    /// A profile has the operations of one network, the student's, which those of its trunk are the first of; the time of another network is charged as a whole,
    /// to its model.
    private func watch(_ run: TrainingRun) {
        run.profile = profile.flatMap { $0.network.name == run.network.name && [$0.network.head, .none].contains(run.network.head) ? $0 : nil }
    }

    private func charge(_ run: TrainingRun, to pass: Pass) {
        if run.profile == nil { profile?.lap("model \(pass.model)") }
    }

    /// A pass over a group of the batch.
    private struct Work: Hashable {
        let pass: String
        let group: Int
    }

    private struct Slot {
        let run: TrainingRun
        /// The work whose activations it holds.
        var work: Work?
        /// Whether it has been used in this step.
        var isUsed: Bool
    }

    private var slots: [Slot] = []
    /// Of passes that run as in inference, each with its weights folded: they do not change.
    private var inference: [(pass: String, run: InferenceRun)] = []

    private struct Size: Equatable {
        let N: Int
        let height: Int
        let width: Int
    }

    /// The size that each work began with.
    private var usual: [Work: Size] = [:]

    /// Begins a step: no activations are wanted any more.
    func begin() {
        for index in slots.indices { (slots[index].work, slots[index].isUsed) = (nil, false) }
    }

    /// What a pass reads.
    struct Input {
        /// The images by their groups of crops.
        let crops: [ImageViews]
        /// What passes before it have given.
        let outputs: Outputs
        /// Row n of the pass is row `order[n]` of the images; nil for their own order. Outputs and their gradients are in the images' order.
        let order: [Int]?
        /// Of dropout and stochastic depth; nil leaves nothing out.
        let randomKey: RandomKey?
        /// Parts of each group that batch norm treats apart, for so many rows.
        let normalizationGroups: (Int) -> Int

        /// The rows of the images that these rows of the pass are, all of them where `part` is nil; nil for the images' own order.
        func images(of part: [Int]?) -> [Int]? {
            guard let part, let order else { return part ?? order }
            return part.map { order[$0] }
        }
    }

    /// Runs a pass over all groups of the batch, one after the other, each with its own batch norm. The running statistics become the mean of what they become by each.
    func forward(_ pass: Pass, _ weights: Weights, _ input: Input, _ rows: PassRows) throws -> PassOutput {
        let N = pass.rows(N: rows.N, views: rows.views)
        if pass.isInference { return try infer(pass, weights, input, rows) }
        let D = weights.network.embeddingWidth
        var values = [Float](repeating: 0, count: N * D)
        guard rows.groups > 1 else {
            forward(pass, weights, input, rows, group: 0, into: &values)
            return PassOutput(values, N: N, D: D)
        }
        let (statistics, batches) = (weights.statistics, weights.batchesSeen)
        var after = batches
        let before = unsafe Array(statistics.buffer), sum = PairwiseSum([statistics], groups: rows.own, isWhole: ranks == nil)
        for group in rows.own {
            set(statistics, before)
            weights.batchesSeen = batches
            forward(pass, weights, input, rows, group: group, into: &values)
            // A group without images has not been seen.
            after = zip(after, weights.batchesSeen).map(max)
            if !(sum.isLast && ranks != nil) { sum.add() }
        }
        if let ranks {
            ranks.add(sum, 0, 0..<statistics.count, groups: rows.groups)
            values = try gather(values, D: D, pass, input, rows, ranks)
        }
        for i in 0..<statistics.count { unsafe statistics.pointer[i] /= Float(rows.groups) }
        weights.batchesSeen = after
        return PassOutput(values, N: N, D: D)
    }

    /// The rows of all ranks, each of which has those of its own groups.
    private func gather(_ values: [Float], D: Int, _ pass: Pass, _ input: Input, _ rows: PassRows, _ ranks: Ranks) throws -> [Float] {
        let order = (0..<ranks.count).map { rank -> [Int] in
            let part = rows.of(pass, groups: BatchSlice.groups(of: rank, ranks: ranks.count, in: rows.groups))
            return input.images(of: part) ?? part
        }
        let all = try ranks.gather(order[ranks.rank].flatMap { values[$0 * D..<($0 + 1) * D] }, counts: order.map { $0.count * D })
        var whole = values
        for (place, row) in order.joined().enumerated() { whole.replaceSubrange(row * D..<(row + 1) * D, with: all[place * D..<(place + 1) * D]) }
        return whole
    }

    private func set(_ buffer: FloatBuffer, _ values: [Float]) {
        unsafe values.withUnsafeBufferPointer { values in
            if let first = values.baseAddress { unsafe buffer.pointer.update(from: first, count: buffer.count) }
        }
    }

    /// Runs one group forward and puts what comes out into its rows of `values`, (N, D) of the whole batch.
    private func forward(_ pass: Pass, _ weights: Weights, _ input: Input, _ rows: PassRows, group: Int, into values: inout [Float]) {
        guard let (run, own) = forward(pass, weights, input, rows, group: group) else { return }
        let D = run.network.embeddingWidth, output = unsafe run.output
        for row in 0..<run.N {
            let target = (own?[row] ?? row) * D
            for d in 0..<D { unsafe values[target + d] = output[row * D + d] }
        }
    }

    /// Runs one group forward.
    ///
    /// - Returns: what has run, and the row of the batch that each of its rows is; nil for the batch's own order. Of a group without images nil.
    private func forward(_ pass: Pass, _ weights: Weights, _ input: Input, _ rows: PassRows, group: Int) -> (run: TrainingRun, rows: [Int]?)? {
        let part = rows.groups > 1 ? rows.of(pass, group: group) : nil
        if part?.isEmpty == true { return nil }
        var randomKey = input.randomKey
        randomKey?.rows = part
        let work = Work(pass: pass.name, group: group)
        let N = part?.count ?? pass.rows(N: rows.N, views: rows.views), groups = input.normalizationGroups(N)
        let run: TrainingRun, own: [Int]?
        if case .outputs(let sources) = pass.input {
            precondition(input.order == nil, "rows of embeddings are not shuffled")
            own = part
            let read = sources.filter(input.outputs.has).map { input.outputs[$0] }
            guard let width = read.first?.D else { preconditionFailure("pass \(pass.name) reads passes that have not run") }
            let all = read.count == 1 ? read[0].values : read.flatMap(\.values)
            let features = part.map { $0.flatMap { all[$0 * width..<($0 + 1) * width] } } ?? all
            run = self.run(work, pass, weights.network, N: N, height: 1, width: 1, groups: groups)
            unsafe features.withUnsafeBufferPointer { features in
                if let first = features.baseAddress { unsafe run.forward(weights, images: first, randomKey: randomKey) }
            }
        } else {
            own = input.images(of: part)
            let (images, views, view) = source(pass, input.crops), before = images.first * rows.rows(pass)
            run = self.run(work, pass, weights.network, N: N, height: images.H, width: images.W, groups: groups)
            unsafe images.tensor.withElements(as: UInt8.self) { bytes in
                guard let first = bytes.baseAddress else { return }
                unsafe run.forward(weights, images: first, views: views, view: view, order: own.map { $0.map { $0 - before } }, randomKey: randomKey)
            }
        }
        charge(run, to: pass)
        return (run, own)
    }

    /// The images that a pass reads, how many views of each lie there as it sees them, and which it reads.
    private func source(_ pass: Pass, _ crops: [ImageViews]) -> (images: ImageViews, views: Int, view: Int) {
        switch pass.input {
        case .view(let number):
            guard let place = ImageViews.place(of: number, among: crops.map(\.views)) else {
                preconditionFailure("pass \(pass.name) reads view \(number), which its method does not ask for")
            }
            return (crops[place.group], crops[place.group].views, place.view)
        // As bytes, V views of N images are one view of V·N images.
        case .allViews: return (crops[0], 1, 0)
        case .group(let group): return (crops[group], 1, 0)
        case .outputs: preconditionFailure("pass \(pass.name) reads no images")
        }
    }

    /// Runs a pass as in inference, in which groups make no difference.
    private func infer(_ pass: Pass, _ weights: Weights, _ input: Input, _ rows: PassRows) throws -> PassOutput {
        let (images, views, view) = source(pass, input.crops), N = pass.rows(N: rows.N, views: rows.views)
        let known = inference.first { $0.pass == pass.name && $0.run.height == images.H && $0.run.width == images.W }
        let run = known?.run ?? InferenceRun(weights, output: pass.output == .features ? .features : .embedding, height: images.H, width: images.W, batch: N)
        // A pass has one size of images, mostly.
        if known == nil { inference = inference.suffix(3) + [(pass.name, run)] }
        let share = rows.rows(pass), own = share * rows.images.lowerBound..<share * rows.images.upperBound, D = run.dimension
        var values = [Float](repeating: 0, count: N * D)
        unsafe values.withUnsafeMutableBufferPointer { values in
            unsafe images.tensor.withElements(as: UInt8.self) { bytes in
                guard let bytes = bytes.baseAddress, let values = values.baseAddress, !own.isEmpty else { return }
                unsafe run.run(images: bytes, views: views, view: view, N: own.count, into: values + own.lowerBound * D)
            }
        }
        profile?.lap("model \(pass.model)")
        return PassOutput(try ranks.map { try gather(values, D: D, pass, input, rows, $0) } ?? values, N: N, D: D)
    }

    /// Adds the gradient of one group of a pass that went forward in this step to `dParameters`.
    ///
    /// - Parameters:
    ///   - gradient: of the pass's output, (N, D) of the whole batch.
    ///   - final: is told where the parameters begin whose gradients the pass adds nothing to any more.
    /// - Returns: of a pass that reads others, the gradient of the rows that the group has read, which ``PassRows/of(_:group:)`` names.
    func backward(
        _ pass: Pass, _ weights: Weights, _ gradient: [Float], _ input: Input, _ rows: PassRows, group: Int, dParameters: FloatBuffer,
        final: ((Int) -> Void)? = nil
    ) -> [Float]? {
        let part = rows.groups > 1 ? rows.of(pass, group: group) : nil
        if part?.isEmpty == true {
            // Other ranks send what is final in the same parts.
            if let final { for index in weights.network.graph.nodes.indices.reversed() { final(weights.network.graph.finalParameters(after: index)) } }
            return nil
        }
        let run = recomputes ? forwardAgain(pass, weights, input, rows, group: group) : kept(Work(pass: pass.name, group: group))
        defer { charge(run, to: pass) }
        let D = run.network.embeddingWidth
        let own = input.images(of: part)
        let dOutput = own.map { $0.flatMap { gradient[$0 * D..<($0 + 1) * D] } } ?? gradient
        unsafe dOutput.withUnsafeBufferPointer { dOutput in
            if let base = dOutput.baseAddress { unsafe run.backward(weights, dOutput: base, dParameters: dParameters, final: final) }
        }
        return unsafe run.inputGradient.map { unsafe Array(UnsafeBufferPointer(start: $0, count: run.N * weights.network.featureWidth)) }
    }

    private func kept(_ work: Work) -> TrainingRun {
        guard let slot = slots.first(where: { $0.work == work }) else { preconditionFailure("pass \(work.pass) has not gone forward") }
        return slot.run
    }

    private func forwardAgain(_ pass: Pass, _ weights: Weights, _ input: Input, _ rows: PassRows, group: Int) -> TrainingRun {
        let (statistics, batches) = (unsafe Array(weights.statistics.buffer), weights.batchesSeen)
        defer {
            set(weights.statistics, statistics)
            weights.batchesSeen = batches
        }
        guard let (run, _) = forward(pass, weights, input, rows, group: group) else { preconditionFailure("group \(group) has no images") }
        return run
    }

    private func run(_ work: Work, _ pass: Pass, _ network: Network, N: Int, height: Int, width: Int, groups: Int) -> TrainingRun {
        // A network of rows has a gradient to hand on.
        let wantsInputGradient = !pass.readsImages && pass.hasGradient
        let size = Size(N: N, height: height, width: width)
        func sizeOf(_ run: TrainingRun) -> Size { Size(N: run.N, height: run.height, width: run.width) }
        if usual[work] == nil { usual[work] = size }
        let holder = pass.hasGradient && !recomputes ? work : nil
        let index = slots.firstIndex {
            $0.work == nil && sizeOf($0.run) == size && $0.run.groups == groups && $0.run.network.name == network.name
                && $0.run.network.head == network.head
                && $0.run.network.featureWidth == network.featureWidth && (unsafe $0.run.inputGradient != nil || !wantsInputGradient)
        }
        if let index {
            (slots[index].work, slots[index].isUsed) = (holder, true)
            return slots[index].run
        }
        slots.removeAll { slot in !slot.isUsed && slot.run.network.name == network.name && !usual.values.contains(sizeOf(slot.run)) }
        let run = TrainingRun(network, N: N, height: height, width: width, groups: groups, wantsInputGradient: wantsInputGradient)
        watch(run)
        slots.append(Slot(run: run, work: holder, isUsed: true))
        profile?.lap("preparation")
        return run
    }
}
