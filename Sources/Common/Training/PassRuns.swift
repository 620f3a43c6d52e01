import Kernels
import Layers
import Networks
import Objectives
import TensorStreams

/// The memory in which the passes of a step run.
///
/// A pass with a gradient keeps its activations until it has gone backward, so it has a run of its own; a pass without one leaves its run to the
/// next. Runs stay for the next step: those of the sizes that passes began with, and of the one other that came last, such as the last batch of
/// an epoch.
final class PassRuns {
    var profile: Profile? {
        didSet { slots.map(\.run).forEach(watch) }
    }

    /// A profile has the operations of one network, the student's, which those of its trunk are the first of; the time of another network is charged as a whole,
    /// to its model.
    private func watch(_ run: TrainingRun) {
        run.profile = profile.flatMap { $0.network.name == run.network.name && [$0.network.head, .none].contains(run.network.head) ? $0 : nil }
    }

    private func charge(_ run: TrainingRun, to pass: Pass) {
        if run.profile == nil { profile?.lap("model \(pass.model)") }
    }

    private struct Slot {
        let run: TrainingRun
        /// The pass whose activations it holds.
        var pass: String?
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

    /// The size that each pass began with, by its name.
    private var usual: [String: Size] = [:]

    /// Begins a step: no activations are wanted any more.
    func begin() {
        for index in slots.indices { (slots[index].pass, slots[index].isUsed) = (nil, false) }
    }

    /// - Parameters:
    ///   - crops: the images by their groups.
    ///   - groups: that batch norm treats apart.
    ///   - order: row n of the batch is row `order[n]` of the images; nil for their own order. The output comes in the images' order.
    func forward(
        _ pass: Pass, _ weights: Weights, _ crops: [ImageViews], _ outputs: Outputs, groups: Int, order: [Int]?, randomKey: RandomKey?
    ) -> PassOutput {
        let images: ImageViews, N: Int, views: Int, view: Int
        switch pass.input {
        case .view(let number):
            guard let place = ImageViews.place(of: number, among: crops.map(\.views)) else {
                preconditionFailure("pass \(pass.name) reads view \(number), which its method does not ask for")
            }
            images = crops[place.group]
            (N, views, view) = (images.N, images.views, place.view)
        // As bytes, V views of N images are one view of V·N images.
        case .allViews:
            images = crops[0]
            (N, views, view) = (images.N * images.views, 1, 0)
        case .group(let group):
            images = crops[group]
            (N, views, view) = (images.N * images.views, 1, 0)
        case .outputs(let sources):
            precondition(order == nil, "rows of embeddings are not shuffled")
            let rows = sources.filter(outputs.has).map { outputs[$0] }
            guard let first = rows.first else { preconditionFailure("pass \(pass.name) reads passes that have not run") }
            let all = rows.count == 1 ? first : PassOutput(rows.flatMap(\.values), N: rows.reduce(0) { $0 + $1.N }, D: first.D)
            return forward(pass, weights, all, groups: groups, randomKey: randomKey)
        }
        if pass.isInference { return infer(pass, weights, images, N: N, views: views, view: view) }
        let run = run(pass, weights.network, N: N, height: images.H, width: images.W, groups: groups)
        defer { charge(run, to: pass) }
        let D = run.network.embeddingWidth
        var values = [Float](repeating: 0, count: N * D)
        unsafe images.tensor.withElements(as: UInt8.self) { bytes in
            guard let bytes = bytes.baseAddress else { return }
            let output = unsafe run.forward(weights, images: bytes, views: views, view: view, order: order, randomKey: randomKey)
            for row in 0..<N {
                let target = (order?[row] ?? row) * D
                for d in 0..<D { unsafe values[target + d] = output[row * D + d] }
            }
        }
        return PassOutput(values, N: N, D: D)
    }

    private func infer(_ pass: Pass, _ weights: Weights, _ images: ImageViews, N: Int, views: Int, view: Int) -> PassOutput {
        let known = inference.first { $0.pass == pass.name && $0.run.height == images.H && $0.run.width == images.W }
        let run = known?.run ?? InferenceRun(weights, output: pass.output == .features ? .features : .embedding, height: images.H, width: images.W, batch: N)
        // A pass has one size of images, mostly.
        if known == nil { inference = inference.suffix(3) + [(pass.name, run)] }
        var values = [Float](repeating: 0, count: N * run.dimension)
        unsafe values.withUnsafeMutableBufferPointer { values in
            unsafe images.tensor.withElements(as: UInt8.self) { bytes in
                if let bytes = bytes.baseAddress, let values = values.baseAddress { unsafe run.run(images: bytes, views: views, view: view, N: N, into: values) }
            }
        }
        profile?.lap("model \(pass.model)")
        return PassOutput(values, N: N, D: run.dimension)
    }

    /// The same from rows that another pass has given.
    private func forward(_ pass: Pass, _ weights: Weights, _ rows: PassOutput, groups: Int, randomKey: RandomKey?) -> PassOutput {
        let run = run(pass, weights.network, N: rows.N, height: 1, width: 1, groups: groups), D = run.network.embeddingWidth
        defer { charge(run, to: pass) }
        let values = unsafe rows.values.withUnsafeBufferPointer { rows -> [Float] in
            guard let first = rows.baseAddress else { return [] }
            let output = unsafe run.forward(weights, images: first, randomKey: randomKey)
            return unsafe Array(UnsafeBufferPointer(start: output, count: run.N * D))
        }
        return PassOutput(values, N: rows.N, D: D)
    }

    /// Adds the gradient of a pass that went forward in this step to `dParameters`.
    ///
    /// - Returns: the gradient of the rows that it read, of a pass that reads another's.
    func backward(_ pass: Pass, _ weights: Weights, _ gradient: [Float], dParameters: FloatBuffer) -> [Float]? {
        guard let slot = slots.first(where: { $0.pass == pass.name }) else { preconditionFailure("pass \(pass.name) has not gone forward") }
        defer { charge(slot.run, to: pass) }
        unsafe gradient.withUnsafeBufferPointer { dOutput in
            if let base = dOutput.baseAddress { unsafe slot.run.backward(weights, dOutput: base, dParameters: dParameters) }
        }
        return unsafe slot.run.inputGradient.map { unsafe Array(UnsafeBufferPointer(start: $0, count: slot.run.N * weights.network.featureWidth)) }
    }

    private func run(_ pass: Pass, _ network: Network, N: Int, height: Int, width: Int, groups: Int) -> TrainingRun {
        // A network of rows has a gradient to hand on.
        let wantsInputGradient = !pass.readsImages && pass.hasGradient
        let size = Size(N: N, height: height, width: width)
        func sizeOf(_ run: TrainingRun) -> Size { Size(N: run.N, height: run.height, width: run.width) }
        if usual[pass.name] == nil { usual[pass.name] = size }
        let index = slots.firstIndex {
            $0.pass == nil && sizeOf($0.run) == size && $0.run.groups == groups && $0.run.network.name == network.name
                && $0.run.network.head == network.head
                && $0.run.network.featureWidth == network.featureWidth && (unsafe $0.run.inputGradient != nil || !wantsInputGradient)
        }
        if let index {
            (slots[index].pass, slots[index].isUsed) = (pass.hasGradient ? pass.name : nil, true)
            return slots[index].run
        }
        slots.removeAll { slot in !slot.isUsed && slot.run.network.name == network.name && !usual.values.contains(sizeOf(slot.run)) }
        let run = TrainingRun(network, N: N, height: height, width: width, groups: groups, wantsInputGradient: wantsInputGradient)
        watch(run)
        slots.append(Slot(run: run, pass: pass.hasGradient ? pass.name : nil, isUsed: true))
        profile?.lap("preparation")
        return run
    }
}
