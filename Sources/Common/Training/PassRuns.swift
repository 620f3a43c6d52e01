import Kernels
import Layers
import Networks
import Objectives
import Ranks
import TensorStreams

/// The memory in which the passes of a step run.
///
/// A pass with a gradient keeps its activations until its backward pass, so it has a separate run for each group of
/// the batch. A pass without a gradient releases its run for the next pass.
///
/// With ``recomputes``, activations are not kept: every pass releases its run and repeats its forward pass before the
/// backward pass (Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016). The repetition computes the
/// same numbers and does not update the running statistics again.
///
/// Runs are reused in the next step: those of the initial sizes of the passes, and of the one other size that came
/// last, such as that of the last batch of an epoch.
final class PassRuns {
    var profile: Profile? {
        didSet { slots.map(\.run).forEach(watch) }
    }

    /// Whether activations are recomputed rather than kept.
    private let recomputes: Bool
    /// The other ranks, which have the remaining groups; nil where all groups are local.
    private let ranks: Ranks?

    /// - Parameter recomputes: whether activations are recomputed rather than kept.
    init(recomputes: Bool = false, ranks: Ranks? = nil) { (self.recomputes, self.ranks) = (recomputes, ranks) }

    /// Attaches the profile to a run if they belong to the same network.
    ///
    /// A profile has the operations of one network, the student's, which start with those of its trunk. The time of
    /// another network is charged to its model as a whole.
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
        /// The work whose activations the run holds.
        var work: Work?
        /// Whether the run has been used in this step.
        var isUsed: Bool
    }

    private var slots: [Slot] = []
    /// The runs of passes in inference mode. Their weights do not change, so they are folded.
    private var inference: [(pass: String, run: InferenceRun)] = []

    private struct Size: Equatable {
        let N: Int
        let height: Int
        let width: Int
    }

    /// The initial size of each work.
    private var usual: [Work: Size] = [:]

    /// Begins a step: all activations may be discarded.
    func begin() {
        for index in slots.indices { (slots[index].work, slots[index].isUsed) = (nil, false) }
    }

    /// The input of a pass.
    struct Input {
        /// The images, by group of crops.
        let crops: [ImageViews]
        /// The outputs of earlier passes.
        let outputs: Outputs
        /// Row n of the pass is row `order[n]` of the images; nil for their own order.
        ///
        /// Outputs and their gradients are in the order of the images.
        let order: [Int]?
        /// The random key of dropout and stochastic depth; nil disables both.
        let randomKey: RandomKey?
        /// The number of batch norm groups within a group of the batch, given its number of rows.
        let normalizationGroups: (Int) -> Int

        /// The image rows that correspond to the rows `part` of the pass, or to all rows where `part` is nil; nil for
        /// the images' own order.
        func images(of part: [Int]?) -> [Int]? {
            guard let part, let order else { return part ?? order }
            return part.map { order[$0] }
        }
    }

    /// Runs a pass over all groups of the batch, one after the other, each with its own batch norm.
    ///
    /// The new running statistics are the mean of the results of all groups.
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
            // A group without images does not count as a batch.
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

    /// Gathers the rows of all ranks, each of which has the rows of its own groups.
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

    /// Runs one group forward and stores the output in its rows of `values`, (N, D) of the whole batch.
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
    /// - Returns: the run, and the row of the batch for each of its rows, or nil for the batch's own order; nil for a
    ///   group without images.
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

    /// The images that a pass reads, the number of views per image from the pass's point of view, and the view that
    /// it reads.
    private func source(_ pass: Pass, _ crops: [ImageViews]) -> (images: ImageViews, views: Int, view: Int) {
        switch pass.input {
        case .view(let number):
            guard let place = ImageViews.place(of: number, among: crops.map(\.views)) else {
                preconditionFailure("pass \(pass.name) reads view \(number), which its method does not ask for")
            }
            return (crops[place.group], crops[place.group].views, place.view)
        // In memory, V views of N images look like one view of V·N images.
        case .allViews: return (crops[0], 1, 0)
        case .group(let group): return (crops[group], 1, 0)
        case .outputs: preconditionFailure("pass \(pass.name) reads no images")
        }
    }

    /// Runs a pass in inference mode, where groups make no difference.
    private func infer(_ pass: Pass, _ weights: Weights, _ input: Input, _ rows: PassRows) throws -> PassOutput {
        let (images, views, view) = source(pass, input.crops), N = pass.rows(N: rows.N, views: rows.views)
        let known = inference.first { $0.pass == pass.name && $0.run.height == images.H && $0.run.width == images.W }
        let run = known?.run ?? InferenceRun(weights, output: pass.output == .features ? .features : .embedding, height: images.H, width: images.W, batch: N)
        // A pass usually has a single image size.
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

    /// Adds the gradient of one group of a pass that ran forward in this step to `dParameters`.
    ///
    /// - Parameters:
    ///   - gradient: of the pass's output, (N, D) of the whole batch.
    ///   - final: receives the position of the first parameter from which on the gradients of this pass are final.
    /// - Returns: for a pass that reads other passes, the gradient of the rows that the group read (see
    ///   ``PassRows/of(_:group:)``).
    func backward(
        _ pass: Pass, _ weights: Weights, _ gradient: [Float], _ input: Input, _ rows: PassRows, group: Int, dParameters: FloatBuffer,
        final: ((Int) -> Void)? = nil
    ) -> [Float]? {
        let part = rows.groups > 1 ? rows.of(pass, group: group) : nil
        if part?.isEmpty == true {
            // Report final gradients in the same parts as the other ranks.
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
        // A network that reads rows has to propagate a gradient.
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
