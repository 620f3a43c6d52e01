public import Kernels
public import Layers
import Parallel

/// Runs a network forward and backward on batches of one size, in training mode.
///
/// All memory is planned and allocated once. Every activation is saved for the backward pass, except those that a layer
/// normalises as it reads them (``NormalizedInput``). Gradients of values share memory. The backward pass is the list
/// of operations in reverse.
public final class TrainingRun {
    public let network: Network
    /// The number of images in a batch.
    public let N: Int
    public let height: Int
    public let width: Int
    /// The number of groups of the batch that are normalised separately; see ``BatchNorm``.
    public let groups: Int
    /// Receives the time of every operation.
    public var profile: Profile?

    private let shapes: [Shape]
    private let multiplyAdds: [Int]
    private let steps: [any TrainingStep]
    /// Batch norms that their consumers apply, keyed by their output values.
    private let normalizedByConsumer: [Int: BatchNormTraining]
    private let scratch: Scratch
    private let sums: UnsafeMutableBufferPointer<Double>
    private let saved: Int
    private let activations: FloatBuffer
    private let valueOffsets: [Int]
    private let gradients: FloatBuffer
    private let backwardPlan: BackwardPlan
    /// The key of the last forward pass.
    private var randomKey: RandomKey?

    /// - Parameter wantsInputGradient: whether ``backward(_:dOutput:dParameters:final:)`` computes ``inputGradient``.
    /// - Precondition: `N` is a multiple of `groups`.
    public init(_ network: Network, N: Int, height: Int, width: Int, groups: Int = 1, wantsInputGradient: Bool = false) {
        precondition(N > 0 && groups > 0 && N % groups == 0)
        self.network = network
        self.N = N
        self.height = height
        self.width = width
        self.groups = groups
        let graph = network.graph
        let shapes = graph.shapes(height: height, width: width)
        self.shapes = shapes
        multiplyAdds = graph.multiplyAdds(height: height, width: width).map { N * $0 }

        let sites = TrainingRun.sites(graph, shapes, N: N, groups: groups)
        let steps = zip(graph.nodes, sites).map { $0.operation.training($1) }
        self.steps = steps
        normalizedByConsumer = Dictionary(uniqueKeysWithValues: sites.filter(\.fusedIntoConsumer).compactMap { site in
            (steps[site.number] as? BatchNormTraining).map { (site.number + 1, $0) }
        })
        var workspace = Workspace()
        for step in steps {
            let own = step.workspace
            workspace.scratch.formUnion(own.scratch)
            workspace.sums = max(workspace.sums, own.sums)
            workspace.saved += own.saved
        }
        scratch = Scratch(workers: Parallel.threads)
        scratch.reserve(workspace.scratch)
        sums = .allocate(capacity: workspace.sums)
        saved = workspace.saved

        let counts = shapes.map { (N * $0.count + 15) / 16 * 16 }
        var offsets: [Int] = []
        var total = 0
        for (value, count) in counts.enumerated() {
            offsets.append(total)
            if normalizedByConsumer[value] == nil { total += count }
        }
        valueOffsets = offsets
        activations = FloatBuffer(total)
        backwardPlan = BackwardPlan(graph, counts, wantsInput: wantsInputGradient)
        gradients = FloatBuffer(backwardPlan.size)
    }

    deinit { sums.deallocate() }

    /// The contexts of the operations. With several groups nothing is fused: each group has its own moments, which a
    /// neighbour does not know.
    private static func sites(_ graph: Graph, _ shapes: [Shape], N: Int, groups: Int) -> [TrainingSite] {
        let fusion = groups == 1 ? Fusion(graph, shapes) : nil
        /// The pieces of moments for a batch norm directly after its producer.
        func moments(_ index: Int) -> Int? {
            guard fusion != nil, index > 0, index < graph.nodes.count, graph.nodes[index].operation is BatchNormOperation, graph.nodes[index].input == index
            else { return nil }
            let producer = graph.nodes[index - 1]
            return producer.operation.momentPieces(shapes[producer.input], N: N)
        }
        return graph.nodes.enumerated().map { index, node in
            TrainingSite(
                number: index, x: shapes[node.input], y: shapes[index + 1], N: N, groups: groups,
                fusedIntoConsumer: fusion?.normalizationInConsumer[index] ?? false, gradientInProducer: fusion?.gradientInProducer[index] ?? false,
                momentsFromProducer: moments(index), findsMoments: moments(index + 1) != nil)
        }
    }

    /// The number of bytes that this run holds.
    public var memory: Int { (activations.count + gradients.count + scratch.count) * 4 + sums.count * 8 + saved }

    /// The input of a layer that reads value `index`: the value, or the source it is still to be computed from.
    private func input(_ index: Int, _ weights: Weights) -> (x: UnsafeMutablePointer<Float>, normalized: NormalizedInput?) {
        guard let norm = normalizedByConsumer[index] else { return (value(index), nil) }
        return (value(network.graph.nodes[index - 1].input), norm.normalizedInput(weights))
    }

    private func value(_ index: Int) -> UnsafeMutablePointer<Float> { activations.pointer + valueOffsets[index] }

    /// The network's output of the last forward pass: (N, D).
    public var output: UnsafeMutablePointer<Float> { value(shapes.count - 1) }

    /// Runs the batch forward, updates the running statistics and returns the output (N, D), which is valid until the
    /// next call.
    ///
    /// - Parameters:
    ///   - images: bytes (N, views, H, W, C), of which `view` is read.
    ///   - order: row n of the batch is row `order[n]` of the images.
    ///   - randomKey: the key for dropout and stochastic depth; nil drops nothing.
    @discardableResult
    public func forward(
        _ weights: Weights, images: UnsafePointer<UInt8>, views: Int = 1, view: Int = 0, order: [Int]? = nil, pixels: Pixels? = nil,
        randomKey: RandomKey? = nil
    ) -> UnsafeMutablePointer<Float> {
        let pixels = pixels ?? network.pixels
        precondition(pixels.channels == shapes[0].C)
        pixels.normalize(
            images, views: views, view: view, rows: { order?[$0] ?? $0 }, N: N, pixels: height * width, into: value(0))
        profile?.lap("pixels")
        return forward(weights, randomKey)
    }

    /// The same from pixels that are already floats (N, H, W, C).
    @discardableResult
    public func forward(_ weights: Weights, images: UnsafePointer<Float>, randomKey: RandomKey? = nil) -> UnsafeMutablePointer<Float> {
        value(0).update(from: images, count: N * shapes[0].count)
        profile?.lap("pixels")
        return forward(weights, randomKey)
    }

    private func forward(_ weights: Weights, _ randomKey: RandomKey?) -> UnsafeMutablePointer<Float> {
        self.randomKey = randomKey
        for (index, node) in network.graph.nodes.enumerated() {
            let (x, normalized) = input(node.input, weights)
            steps[index].forward(
                ForwardPass(
                    weights: weights, N: N, x: x, normalized: normalized, y: value(index + 1), residual: node.operation.residual.map(value), randomKey: randomKey,
                    sums: sums.baseAddress.unsafelyUnwrapped, scratch: scratch))
            profile?.lap(index, .forward, multiplyAdds: multiplyAdds[index])
        }
        return output
    }

    /// The gradient of the images, (N, H, W, C), after ``backward(_:dOutput:dParameters:final:)``; nil if it was not
    /// requested.
    public var inputGradient: UnsafePointer<Float>? { backwardPlan.input.map { UnsafePointer(gradients.pointer + $0) } }

    /// Adds the gradients of the parameters to `dParameters`, for the last forward batch.
    ///
    /// - Parameters:
    ///   - dOutput: the gradient of the output (N, D).
    ///   - final: called after each operation with the offset from which parameters have final gradients
    ///     (``Graph/finalParameters(after:)``).
    public func backward(_ weights: Weights, dOutput: UnsafePointer<Float>, dParameters: FloatBuffer, final: ((Int) -> Void)? = nil) {
        let gradients = self.gradients.pointer
        (gradients + backwardPlan.output).update(from: dOutput, count: N * shapes[shapes.count - 1].count)
        // Keyed by the value whose gradient it is.
        var pending: [Int: NormalizedGradient] = [:]
        for (index, node) in network.graph.nodes.enumerated().reversed() {
            let plan = backwardPlan.operations[index]
            let (x, normalized) = input(node.input, weights)
            pending[node.input] = steps[index].backward(
                BackwardPass(
                    weights: weights, gradients: dParameters, N: N, x: x, normalized: normalized, y: value(index + 1), dy: gradients + plan.output,
                    gradient: pending.removeValue(forKey: index + 1), dx: plan.input.map { gradients + $0 }, addsToInput: plan.inputAdds,
                    dresidual: plan.residual.map { gradients + $0 }, addsToResidual: plan.residualAdds, randomKey: randomKey,
                    sums: sums.baseAddress.unsafelyUnwrapped, scratch: scratch, profile: profile, number: index, multiplyAdds: multiplyAdds[index]))
            final?(network.graph.finalParameters(after: index))
        }
    }
}

/// The offsets of the values' gradients, in floats. Each lives from the operation that first adds to it to the one that
/// consumes it.
struct BackwardPlan {
    struct Operation {
        /// The gradient of its output.
        var output = 0
        /// The gradient of its input; nil if it is not needed.
        var input: Int?
        /// Whether another operation has already set it.
        var inputAdds = false
        var residual: Int?
        var residualAdds = false
    }

    private(set) var operations: [Operation]
    /// The gradients of the network's output and, if requested, of the images.
    let output: Int
    let input: Int?
    /// The total number of floats.
    let size: Int

    /// - Parameter counts: the number of floats of each value.
    init(_ graph: Graph, _ counts: [Int], wantsInput: Bool) {
        var arena = Arena()
        var ranges = [Range<Int>?](repeating: nil, count: counts.count)
        let last = arena.take(counts[counts.count - 1])
        ranges[counts.count - 1] = last
        output = last.lowerBound
        operations = [Operation](repeating: Operation(), count: graph.nodes.count)
        for index in graph.nodes.indices.reversed() {
            let node = graph.nodes[index]
            guard let own = ranges[index + 1] else { continue }  // Nothing depends on it.
            var plan = Operation()
            plan.output = own.lowerBound
            func range(_ value: Int) -> Range<Int> {
                let range = ranges[value] ?? arena.take(counts[value])
                ranges[value] = range
                return range
            }
            if let residual = node.operation.residual {
                plan.residualAdds = ranges[residual] != nil
                plan.residual = range(residual).lowerBound
            }
            let isWanted = node.input != 0 || wantsInput, isReplaced = isWanted && node.operation.replacesGradient
            if isWanted {
                plan.inputAdds = ranges[node.input] != nil
                precondition(!(isReplaced && plan.inputAdds), "a value whose gradient is replaced must have no other reader")
                if isReplaced { ranges[node.input] = own }
                plan.input = range(node.input).lowerBound
            }
            if !isReplaced { arena.give(own) }
            operations[index] = plan
        }
        input = wantsInput ? ranges[0]?.lowerBound : nil
        size = arena.size
    }
}
