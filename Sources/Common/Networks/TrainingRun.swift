public import Kernels
public import Layers
import Parallel

/// Runs a network forward and backward on batches of one size, in training mode.
///
/// All memory is planned and allocated here, once: every activation is kept for the way back but those that a layer normalises
/// where it reads them (``NormalizedInput``), gradients of values share room. The way back is the list of operations reversed.
public final class TrainingRun {
    public let network: Network
    /// Images in a batch.
    public let N: Int
    public let height: Int
    public let width: Int
    /// Groups of the batch that are normalised apart; see ``BatchNorm``.
    public let groups: Int
    /// Is told of every operation that has ended.
    public var profile: Profile?

    private let shapes: [(H: Int, W: Int, C: Int)]
    private let multiplyAdds: [Int]
    private let scratch: Scratch
    private let activations: FloatBuffer
    private let valueOffsets: [Int]
    private let gradients: FloatBuffer
    /// For each operation: where the gradient of what it made lies, where that of what it read goes, and of its residual.
    private let plans: [BackwardPlan]
    private let outputGradient: Int
    /// For each batch norm: means and inverse deviations of its groups.
    private let moments: FloatBuffer
    private let momentOffsets: [Int]
    /// For each operation: whether its value is not written but made by its reader; and its gradient by what made its input.
    private let normalizedByReader, gradientByMaker: [Bool]
    /// For each operation: if it is a batch norm, pieces of its input whose moments the convolution before it finds.
    private let measuredByMaker: [Int?]
    private let taps: [Int: UnsafeMutablePointer<UInt8>]
    private let sums: UnsafeMutablePointer<Double>
    private let sumsCount: Int
    /// What squeeze-excite keeps for the way back, one after the other.
    private let squeezed: FloatBuffer
    private let squeezedOffsets: [Int]
    /// That of the last pass forward.
    private var chance: Chance?

    private struct BackwardPlan {
        var output = 0
        var input: Int?
        var inputAdds = false
        var residual: Int?
        var residualAdds = false
    }

    /// - Precondition: `N` is a multiple of `groups`.
    public init(_ network: Network, N: Int, height: Int, width: Int, groups: Int = 1) {
        precondition(N > 0 && groups > 0 && N % groups == 0)
        self.network = network
        self.N = N
        self.height = height
        self.width = width
        self.groups = groups
        let graph = network.graph
        let shapes = graph.shapes(height: height, width: width)
        let counts = shapes.map { (N * $0.H * $0.W * $0.C + 15) / 16 * 16 }
        self.shapes = shapes
        // Groups have moments of their own, which a row's neighbour knows nothing of.
        let none = [Bool](repeating: false, count: graph.nodes.count)
        let normalizedByReader = groups == 1 ? graph.normalizedByReader(shapes) : none
        self.normalizedByReader = normalizedByReader
        gradientByMaker = groups == 1 ? graph.gradientByMaker(shapes) : none
        let measuredByMaker = groups == 1 ? graph.measuredByMaker(shapes, N: N) : [Int?](repeating: nil, count: graph.nodes.count)
        self.measuredByMaker = measuredByMaker
        multiplyAdds = graph.multiplyAdds(height: height, width: width).map { N * $0 }

        var offsets: [Int] = []
        var total = 0
        for (value, count) in counts.enumerated() {
            offsets.append(total)
            if value == 0 || !normalizedByReader[value - 1] { total += count }
        }
        valueOffsets = offsets
        activations = FloatBuffer(total)

        (plans, outputGradient, gradients) = Self.planBackward(graph, counts)

        var moments = 0, momentOffsets: [Int] = [], most = 1, need = Scratch.Need(), squeezed = 0, squeezedOffsets: [Int] = []
        var taps: [Int: UnsafeMutablePointer<UInt8>] = [:]
        for (index, node) in graph.nodes.enumerated() {
            let x = shapes[node.input]
            momentOffsets.append(moments)
            squeezedOffsets.append(squeezed)
            switch node.operation {
            case .convolution(_, let kernel, let stride, let padding, let K):
                let layer = Convolution(window: Window(x, kernel: kernel, stride: stride, padding: padding), K: K)
                need.formUnion(layer.scratch(N: N))
                most = max(most, layer.momentDoubles(N: N))
            case .batchNorm:
                moments += 2 * groups * x.C
                most = max(most, BatchNorm.sums(C: x.C, groups: groups))
            case .maxPool:
                let y = shapes[index + 1]
                taps[index] = .allocate(capacity: N * y.H * y.W * y.C)
            case .depthwise(_, let kernel, let stride, let padding):
                let layer = Depthwise(window: Window(x, kernel: kernel, stride: stride, padding: padding))
                need.formUnion(layer.scratch(N: N))
            case .squeezeExcite(_, let K, let activation, let gate):
                let layer = SqueezeExcite(C: x.C, K: K, activation: activation, gate: gate)
                squeezed += (layer.kept(N: N) + 15) / 16 * 16
                need.formUnion(layer.scratch(N: N))
            case .averagePool, .linear, .activation, .dropout: break
            }
        }
        self.squeezed = FloatBuffer(squeezed)
        self.squeezedOffsets = squeezedOffsets
        self.moments = FloatBuffer(moments)
        self.momentOffsets = momentOffsets
        self.taps = taps
        sums = .allocate(capacity: most)
        sumsCount = most
        scratch = Scratch(workers: Parallel.threads)
        scratch.reserve(need)
    }

    deinit {
        for pointer in taps.values { pointer.deallocate() }
        sums.deallocate()
    }

    /// Bytes this run holds on to.
    public var memory: Int { (activations.count + gradients.count + squeezed.count + scratch.count) * 4 + sumsCount * 8 }

    private static func planBackward(_ graph: Graph, _ counts: [Int]) -> ([BackwardPlan], Int, FloatBuffer) {
        var arena = Arena()
        var places = [Range<Int>?](repeating: nil, count: counts.count)
        let last = counts.count - 1
        places[last] = arena.take(counts[last])
        let outputGradient = places[last]?.lowerBound ?? 0
        var plans = [BackwardPlan](repeating: BackwardPlan(), count: graph.nodes.count)
        for index in graph.nodes.indices.reversed() {
            let node = graph.nodes[index]
            guard let own = places[index + 1] else { continue }  // Nothing depends on it.
            var plan = BackwardPlan()
            plan.output = own.lowerBound
            if case .batchNorm(_, _, _, _, _, let residual?, _) = node.operation {
                plan.residualAdds = places[residual] != nil
                let place = places[residual] ?? arena.take(counts[residual])
                places[residual] = place
                plan.residual = place.lowerBound
            }
            var inPlace = false
            if node.input != 0 {
                plan.inputAdds = places[node.input] != nil
                switch node.operation {
                case .batchNorm, .activation, .squeezeExcite, .dropout:
                    // Element by element: what it read was made by one operation and read by this one alone.
                    precondition(!plan.inputAdds, "a normalised value must have no other reader")
                    places[node.input] = own
                    inPlace = true
                default:
                    if places[node.input] == nil { places[node.input] = arena.take(counts[node.input]) }
                }
                plan.input = places[node.input]?.lowerBound
            }
            if !inPlace { arena.give(own) }
            plans[index] = plan
        }
        return (plans, outputGradient, FloatBuffer(arena.size))
    }

    /// What a layer reads that reads value `index`: the value, or what it is still to be made from.
    private func input(_ index: Int, _ weights: Weights) -> (x: UnsafeMutablePointer<Float>, normalized: NormalizedInput?) {
        guard index > 0, normalizedByReader[index - 1],
            case .batchNorm(let gamma, let beta, _, let epsilon, let momentum, _, let activation) = network.graph.nodes[index - 1].operation
        else { return (value(index), nil) }
        let C = shapes[index].C, moments = moments.pointer + momentOffsets[index - 1]
        let layer = BatchNorm(C: C, epsilon: epsilon, momentum: momentum, activation: activation)
        return (
            value(network.graph.nodes[index - 1].input),
            NormalizedInput(layer, mean: moments, inverse: moments + C, gamma: weights.pointer(gamma), beta: weights.pointer(beta))
        )
    }

    private func value(_ index: Int) -> UnsafeMutablePointer<Float> { activations.pointer + valueOffsets[index] }

    /// The network's output of the last forward pass: (N, D).
    public var output: UnsafeMutablePointer<Float> { value(shapes.count - 1) }

    /// Runs the batch forward, moves the running statistics and returns the output (N, D), which stays valid until the next call.
    ///
    /// - Parameters:
    ///   - images: bytes (N, views, H, W, 3), of which `view` is read.
    ///   - order: row n of the batch is row `order[n]` of the images.
    ///   - chance: of dropout and stochastic depth; nil leaves nothing out.
    @discardableResult
    public func forward(
        _ weights: Weights, images: UnsafePointer<UInt8>, views: Int = 1, view: Int = 0, order: [Int]? = nil, pixels: Pixels = .imageNet,
        chance: Chance? = nil
    ) -> UnsafeMutablePointer<Float> {
        pixels.normalize(
            images, views: views, view: view, rows: { order?[$0] ?? $0 }, N: N, pixels: height * width, into: value(0))
        profile?.lap("pixels")
        return forward(weights, chance)
    }

    /// As above, from pixels that are already numbers (N, H, W, 3).
    @discardableResult
    public func forward(_ weights: Weights, images: UnsafePointer<Float>, chance: Chance? = nil) -> UnsafeMutablePointer<Float> {
        value(0).update(from: images, count: N * height * width * 3)
        profile?.lap("pixels")
        return forward(weights, chance)
    }

    private func forward(_ weights: Weights, _ chance: Chance?) -> UnsafeMutablePointer<Float> {
        self.chance = chance
        for (index, node) in network.graph.nodes.enumerated() {
            let shape = shapes[node.input]
            let (x, normalized) = input(node.input, weights), y = value(index + 1)
            switch node.operation {
            case .convolution(let weight, let kernel, let stride, let padding, let K):
                let window = Window(shape, kernel: kernel, stride: stride, padding: padding)
                // Its reader is right behind it.
                let measures = index + 1 < measuredByMaker.count && measuredByMaker[index + 1] != nil
                Convolution(window: window, K: K).forward(
                    y: y, x: x, normalized: normalized, W: weights.pointer(weight), N: N, moments: measures ? sums : nil, scratch: scratch)
            case .batchNorm(let gamma, let beta, let statistics, let epsilon, let momentum, let residual, let activation):
                let running = weights.statistics.pointer + network.statistics[statistics].offset
                let moments = moments.pointer + momentOffsets[index]
                weights.batchesSeen[statistics] += 1
                let layer = BatchNorm(C: shape.C, epsilon: epsilon, momentum: momentum, activation: activation)
                if normalizedByReader[index] {
                    layer.measure(
                        mean: moments, inverse: moments + shape.C, runningMean: running, runningVariance: running + shape.C, x: x,
                        M: N * shape.H * shape.W, groups: 1, measured: measuredByMaker[index], sums: sums)
                    break
                }
                let drops = chance.flatMap { chance in residual.flatMap { node.drop > 0 ? (chance, $0) : nil } }
                layer.forward(
                    y: y, mean: moments, inverse: moments + groups * shape.C, runningMean: running, runningVariance: running + shape.C, x: x,
                    gamma: weights.pointer(gamma), beta: weights.pointer(beta), residual: drops == nil ? residual.map { UnsafePointer(value($0)) } : nil,
                    M: N * shape.H * shape.W, groups: groups, measured: measuredByMaker[index], sums: sums)
                if let (chance, residual) = drops {
                    StochasticDepth(node.drop).forward(
                        y: y, x: y, residual: value(residual), N: N, count: shape.H * shape.W * shape.C, chance, operation: index)
                }
            case .depthwise(let weight, let kernel, let stride, let padding):
                Depthwise(window: Window(shape, kernel: kernel, stride: stride, padding: padding))
                    .forward(y: y, x: x, normalized: normalized, W: weights.pointer(weight), N: N, scratch: scratch)
            case .squeezeExcite(let first, let K, let activation, let gate):
                SqueezeExcite(C: shape.C, K: K, activation: activation, gate: gate).forward(
                    y: y, kept: squeezed.pointer + squeezedOffsets[index], x: x, normalized: normalized, .init(first) { weights.pointer($0) }, N: N,
                    P: shape.H * shape.W, scratch: scratch)
            case .dropout(let probability):
                if let chance {
                    Dropout(probability).apply(y: y, x: x, N: N, C: shape.C, chance, operation: index)
                } else {
                    y.update(from: x, count: N * shape.C)
                }
            case .maxPool(let kernel, let stride, let padding):
                MaxPool(window: Window(shape, kernel: kernel, stride: stride, padding: padding))
                    .forward(y: y, taps: taps[index], x: x, N: N)
            case .averagePool: AveragePool.forward(y: y, x: x, N: N, P: shape.H * shape.W, C: shape.C)
            case .linear(let weight, let bias, let O):
                Linear(I: shape.C, O: O).forward(y: y, x: x, W: weights.pointer(weight), b: weights.pointer(bias), N: N)
            case .activation(let activation): Elementwise(activation).forward(y: y, x: x, count: N * shape.C)
            }
            profile?.lap(index, .forward, multiplyAdds: multiplyAdds[index])
        }
        return output
    }

    /// Adds the gradients of the parameters to `dParameters`, for the batch that went forward last.
    ///
    /// - Parameter dOutput: the gradient of the output (N, D).
    public func backward(_ weights: Weights, dOutput: UnsafePointer<Float>, dParameters: FloatBuffer) {
        let gradients = self.gradients.pointer
        let last = shapes.count - 1
        (gradients + outputGradient).update(from: dOutput, count: N * shapes[last].C * shapes[last].H * shapes[last].W)
        // By the value whose gradient it is.
        var pending: [Int: NormalizedGradient] = [:]
        func dParameter(_ index: Int) -> UnsafeMutablePointer<Float> { dParameters.pointer + network.parameters[index].offset }
        for (index, node) in network.graph.nodes.enumerated().reversed() {
            let shape = shapes[node.input]
            let plan = plans[index]
            let (x, normalized) = input(node.input, weights), y = value(index + 1), dy = gradients + plan.output
            let dx = plan.input.map { gradients + $0 }
            switch node.operation {
            case .convolution(let weight, let kernel, let stride, let padding, let K):
                let window = Window(shape, kernel: kernel, stride: stride, padding: padding)
                let layer = Convolution(window: window, K: K)
                if layer.joinsGradients {
                    layer.backward(
                        dx: dx, adding: plan.inputAdds, dW: dParameter(weight), dy: dy, gradient: pending.removeValue(forKey: index + 1), x: x,
                        normalized: normalized, W: weights.pointer(weight), N: N, scratch: scratch)
                    // Both gradients in one go.
                    profile?.lap(index, .toWeights, multiplyAdds: multiplyAdds[index] * (dx == nil ? 1 : 2))
                    continue
                }
                layer.backwardWeights(dW: dParameter(weight), dy: dy, x: x, normalized: normalized, N: N, scratch: scratch)
                profile?.lap(index, .toWeights, multiplyAdds: multiplyAdds[index])
                guard let dx else { continue }
                layer.backwardData(dx: dx, adding: plan.inputAdds, dy: dy, W: weights.pointer(weight), N: N, scratch: scratch)
            case .batchNorm(let gamma, let beta, _, let epsilon, let momentum, _, let activation):
                let moments = moments.pointer + momentOffsets[index]
                var dresidual = plan.residual.map { gradients + $0 }
                if let chance, node.drop > 0, let own = dresidual {
                    StochasticDepth(node.drop).backward(
                        dx: dy, dresidual: own, addingToResidual: plan.residualAdds, dy: dy, N: N, count: shape.H * shape.W * shape.C, chance,
                        operation: index)
                    dresidual = nil
                }
                let layer = BatchNorm(C: shape.C, epsilon: epsilon, momentum: momentum, activation: activation)
                if gradientByMaker[index] {
                    pending[node.input] = layer.sumGradient(
                        dgamma: dParameter(gamma), dbeta: dParameter(beta), dy: dy, x: x, mean: moments, inverse: moments + shape.C,
                        gamma: weights.pointer(gamma), beta: weights.pointer(beta), M: N * shape.H * shape.W, sums: sums)
                    break
                }
                layer.backward(
                    dx: dx ?? dy, dgamma: dParameter(gamma), dbeta: dParameter(beta), dresidual: dresidual,
                    addingToResidual: plan.residualAdds, dy: dy, y: y, x: x, mean: moments, inverse: moments + groups * shape.C,
                    gamma: weights.pointer(gamma), beta: weights.pointer(beta), M: N * shape.H * shape.W, groups: groups, sums: sums)
            case .depthwise(let weight, let kernel, let stride, let padding):
                Depthwise(window: Window(shape, kernel: kernel, stride: stride, padding: padding)).backward(
                    dx: dx, adding: plan.inputAdds, dW: dParameter(weight), dy: dy, gradient: pending.removeValue(forKey: index + 1), x: x,
                    normalized: normalized, W: weights.pointer(weight), N: N, scratch: scratch)
                // Both gradients in one go.
                profile?.lap(index, .toWeights, multiplyAdds: multiplyAdds[index] * (dx == nil ? 1 : 2))
                continue
            case .squeezeExcite(let first, let K, let activation, let gate):
                SqueezeExcite(C: shape.C, K: K, activation: activation, gate: gate).backward(
                    dx: dx ?? dy, .init(first, dParameter), dy: dy, x: x, normalized: normalized, kept: squeezed.pointer + squeezedOffsets[index],
                    .init(first) { weights.pointer($0) }, N: N, P: shape.H * shape.W, scratch: scratch)
            case .dropout(let probability):
                if let chance { Dropout(probability).apply(y: dx ?? dy, x: dy, N: N, C: shape.C, chance, operation: index) }
            case .maxPool(let kernel, let stride, let padding):
                guard let dx, let taps = taps[index] else { continue }
                MaxPool(window: Window(shape, kernel: kernel, stride: stride, padding: padding))
                    .backward(dx: dx, adding: plan.inputAdds, dy: dy, taps: taps, N: N)
            case .averagePool:
                guard let dx else { continue }
                AveragePool.backward(dx: dx, adding: plan.inputAdds, dy: dy, N: N, P: shape.H * shape.W, C: shape.C)
            case .linear(let weight, let bias, let O):
                Linear(I: shape.C, O: O).backward(
                    dx: dx, adding: plan.inputAdds, dW: dParameter(weight), db: dParameter(bias), dy: dy, x: x, W: weights.pointer(weight), N: N)
                // Both gradients in one go.
                profile?.lap(index, .toWeights, multiplyAdds: multiplyAdds[index] * (dx == nil ? 1 : 2))
                continue
            case .activation(let activation): Elementwise(activation).backward(dx: dx ?? dy, dy: dy, x: x, count: N * shape.C)
            }
            profile?.lap(index, .toData, multiplyAdds: multiplyAdds[index])
        }
    }
}

extension SqueezeExcite.Parameters {
    /// Those whose first has the number `first`.
    init(_ first: Int, _ pointer: (Int) -> UnsafeMutablePointer<Float>) {
        self.init(W1: pointer(first), b1: pointer(first + 1), W2: pointer(first + 2), b2: pointer(first + 3))
    }
}
