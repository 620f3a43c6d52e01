import Kernels
import Layers
import Parallel

/// Runs a network forward with its running statistics, which are folded into the convolutions.
///
///     γ·(W·x − μ)/√(σ² + ε) + β  =  (γ/√(σ² + ε)·W)·x + (β − γ·μ/√(σ² + ε))
public final class InferenceRun {
    public enum Output: Sendable {
        /// The pooled features (N, d).
        case features
        /// What the head makes of them (N, D), not normalised.
        case embedding
    }

    public let network: Network
    public let height: Int
    public let width: Int
    /// Numbers for each image.
    public let dimension: Int
    /// Images that go through together: bounds the memory, whatever the size of a batch.
    public let slice: Int
    /// Is told of every operation that has ended; what is folded into a convolution counts as the convolution.
    public var profile: Profile?

    private let multiplyAdds: [Int]
    private let weights: Weights
    private let steps: [Step]
    private let shapes: [(H: Int, W: Int, C: Int)]
    private let folded: FloatBuffer
    private let memory: FloatBuffer
    private let scratch: Scratch

    private struct Step {
        enum Work {
            case convolution(Convolution, weight: Int, bias: Int, residual: Int?, Rows.Activation)
            case maxPool(MaxPool)
            case averagePool
            case linear(weight: Int, bias: Int, O: Int)
            case depthwise(Depthwise, weight: Int, bias: Int, Rows.Activation)
            case squeezeExcite(SqueezeExcite, weights: Int)
            /// The same, where the convolution that reads it multiplies by the gates itself.
            case gates(SqueezeExcite, weights: Int)
            case activation(Rows.Activation)
        }
        var work: Work
        var input: Int
        var output: Int
        /// Its operation in the graph; for a folded batch norm that of the convolution.
        var operation: Int
        var inputOffset = 0
        var outputOffset = 0
        var residualOffset = 0
    }

    /// - Parameter batch: images that usually come at once; more are taken in slices.
    public init(_ weights: Weights, output: Output, height: Int, width: Int, batch: Int = 256) {
        self.weights = weights
        network = weights.network
        self.height = height
        self.width = width
        let graph = network.graph
        let shapes = graph.shapes(height: height, width: width)
        // Few, so that what a layer makes is still in the cache when the next one reads it; but each slice reads all weights again.
        let images = network.parameterCount < 8 << 20 ? 8 : 16
        let slice = max(1, min(batch, max(8, min(256, (images * 224 * 224) / (height * width)))))
        multiplyAdds = graph.multiplyAdds(height: height, width: width)
        self.shapes = shapes
        self.slice = slice
        let target = output == .features ? graph.features : graph.nodes.count
        dimension = shapes[target].C

        var steps: [Step] = []
        var foldedCount = 0
        var need = Scratch.Need()
        // What an operation reads; dropout hands its input on, and so does squeeze-excite if its reader multiplies by the gates.
        var source = Array(0..<shapes.count)
        for (index, node) in graph.nodes.prefix(target).enumerated() {
            let shape = shapes[node.input]
            var step = Step(work: .averagePool, input: source[node.input], output: index + 1, operation: index)
            switch node.operation {
            case .dropout:
                source[index + 1] = source[node.input]
                continue
            case .convolution, .depthwise: continue  // It runs where its batch norm stands, since that may wait for a residual.
            case .batchNorm(_, _, _, _, _, let residual, let activation):
                let made = graph.nodes[node.input - 1], from = shapes[made.input]
                step.input = source[made.input]
                step.operation = node.input - 1
                switch made.operation {
                case .convolution(_, let kernel, let stride, let padding, let K):
                    let layer = Convolution(window: Window(from, kernel: kernel, stride: stride, padding: padding), K: K)
                    need.formUnion(layer.inferenceScratch(N: slice))
                    step.work = .convolution(layer, weight: foldedCount, bias: foldedCount + layer.packedCount, residual: residual, activation)
                    foldedCount += (layer.packedCount + K + 15) / 16 * 16
                case .depthwise(_, let kernel, let stride, let padding):
                    precondition(residual == nil, "nothing is added to what a depthwise convolution makes")
                    let layer = Depthwise(window: Window(from, kernel: kernel, stride: stride, padding: padding))
                    need.formUnion(layer.inferenceScratch(N: slice))
                    step.work = .depthwise(layer, weight: foldedCount, bias: foldedCount + layer.weightCount, activation)
                    foldedCount += (layer.weightCount + from.C + 15) / 16 * 16
                default: preconditionFailure("a batch norm stands behind its convolution")
                }
            case .maxPool(let kernel, let stride, let padding):
                step.work = .maxPool(MaxPool(window: Window(shape, kernel: kernel, stride: stride, padding: padding)))
            case .averagePool: step.work = .averagePool
            case .linear(let weight, let bias, let O): step.work = .linear(weight: weight, bias: bias, O: O)
            case .activation(let activation): step.work = .activation(activation)
            case .squeezeExcite(let weights, let K, let activation, let gate):
                let layer = SqueezeExcite(C: shape.C, K: K, activation: activation, gate: gate)
                need.formUnion(layer.inferenceScratch(N: slice))
                step.work = .squeezeExcite(layer, weights: weights)
                if graph.gatedByReader(index, shapes) {
                    step.work = .gates(layer, weights: weights)
                    source[index + 1] = step.input
                }
            }
            steps.append(step)
        }

        // Where values lie: each from the step that makes it to the last that reads it.
        var lastReader = [Int](repeating: 0, count: shapes.count)
        for (number, step) in steps.enumerated() {
            lastReader[step.input] = number
            if case .convolution(_, _, _, let residual?, _) = step.work { lastReader[residual] = number }
        }
        lastReader[target] = steps.count
        var arena = Arena()
        var places = [Range<Int>](repeating: 0..<0, count: shapes.count)
        func floats(_ value: Int) -> Int { slice * shapes[value].H * shapes[value].W * shapes[value].C }
        places[0] = arena.take(floats(0))
        for number in steps.indices {
            let input = steps[number].input
            steps[number].inputOffset = places[input].lowerBound
            if case .gates = steps[number].work { continue }
            if case .squeezeExcite = steps[number].work, lastReader[input] == number {
                // In place.
                (places[steps[number].output], places[input]) = (places[input], 0..<0)
            } else {
                places[steps[number].output] = arena.take(floats(steps[number].output))
            }
            steps[number].outputOffset = places[steps[number].output].lowerBound
            if case .convolution(_, _, _, let residual?, _) = steps[number].work { steps[number].residualOffset = places[residual].lowerBound }
            for value in 0...steps[number].output where lastReader[value] == number && !places[value].isEmpty {
                arena.give(places[value])
                places[value] = 0..<0
            }
        }
        self.steps = steps
        memory = FloatBuffer(arena.size)
        folded = FloatBuffer(foldedCount)
        scratch = Scratch(workers: Parallel.threads)
        scratch.reserve(need)
        fold()
    }

    private func fold() {
        for step in steps {
            guard case .batchNorm(let gamma, let beta, let statistics, let epsilon, _, _, _) = network.graph.nodes[step.output - 1].operation else { continue }
            let gammas = weights.pointer(gamma), betas = weights.pointer(beta)
            let C = network.statistics[statistics].C, running = weights.statistics.pointer + network.statistics[statistics].offset
            func scale(_ c: Int) -> Double { Double(gammas[c]) / (Double(running[C + c]) + Double(epsilon)).squareRoot() }
            func bias(_ c: Int) -> Float { Float(Double(betas[c]) - Double(running[c]) * scale(c)) }
            switch (step.work, network.graph.nodes[step.operation].operation) {
            case (.convolution(let layer, let at, let biasAt, _, _), .convolution(let weight, _, _, _, _)):
                let source = weights.pointer(weight), patch = layer.window.patch, scaled = FloatBuffer(layer.weightCount)
                for k in 0..<C {
                    let scale = scale(k)
                    for i in 0..<patch { scaled.pointer[k * patch + i] = Float(Double(source[k * patch + i]) * scale) }
                    folded.pointer[biasAt + k] = bias(k)
                }
                layer.pack(scaled.pointer, into: folded.pointer + at)
            case (.depthwise(let layer, let at, let biasAt, _), .depthwise(let weight, _, _, _)):
                let source = weights.pointer(weight)
                for c in 0..<C {
                    let scale = scale(c)
                    for i in Swift.stride(from: c, to: layer.weightCount, by: C) { folded.pointer[at + i] = Float(Double(source[i]) * scale) }
                    folded.pointer[biasAt + c] = bias(c)
                }
            default: break
            }
        }
    }

    /// Bytes this run holds on to.
    public var bytes: Int { (memory.count + folded.count) * 4 }

    /// Sets `result` (N, ``dimension``) for N images, bytes (N, views, H, W, 3), of which `view` is read.
    public func run(
        images: UnsafePointer<UInt8>, views: Int = 1, view: Int = 0, N: Int, into result: UnsafeMutablePointer<Float>, pixels: Pixels = .imageNet
    ) {
        for start in stride(from: 0, to: N, by: slice) {
            let count = min(slice, N - start)
            pixels.normalize(
                images, views: views, view: view, rows: { start + $0 }, N: count, pixels: height * width, into: memory.pointer)
            profile?.lap("pixels")
            run(count, into: result + start * dimension)
        }
    }

    /// As above, from pixels that are already numbers (N, H, W, 3).
    public func run(images: UnsafePointer<Float>, N: Int, into result: UnsafeMutablePointer<Float>) {
        let size = height * width * 3
        for start in stride(from: 0, to: N, by: slice) {
            let count = min(slice, N - start)
            memory.pointer.update(from: images + start * size, count: count * size)
            profile?.lap("pixels")
            run(count, into: result + start * dimension)
        }
    }

    private func run(_ N: Int, into result: UnsafeMutablePointer<Float>) {
        // For the next convolution.
        var gates: UnsafePointer<Float>?
        for (number, step) in steps.enumerated() {
            let shape = shapes[step.input]
            let x = memory.pointer + step.inputOffset
            let y = number == steps.count - 1 ? result : memory.pointer + step.outputOffset
            switch step.work {
            case .convolution(let layer, let weight, let bias, let residual, let activation):
                let residual = residual.map { _ in UnsafePointer(memory.pointer + step.residualOffset) }
                layer.forward(
                    y: y, x: x, gates: gates, packed: folded.pointer + weight, N: N,
                    finish: Convolution.Finish(bias: folded.pointer + bias, residual: residual, activation: activation), scratch: scratch)
                gates = nil
            case .maxPool(let layer): layer.forward(y: y, taps: nil, x: x, N: N)
            case .averagePool: AveragePool.forward(y: y, x: x, N: N, P: shape.H * shape.W, C: shape.C)
            case .linear(let weight, let bias, let O):
                Linear(I: shape.C, O: O).forward(y: y, x: x, W: weights.pointer(weight), b: weights.pointer(bias), N: N)
            case .depthwise(let layer, let weight, let bias, let activation):
                layer.forward(y: y, x: x, W: folded.pointer + weight, N: N, bias: folded.pointer + bias, activation, scratch: scratch)
            case .squeezeExcite(let layer, let first):
                layer.forward(y: y, kept: nil, x: x, .init(first) { weights.pointer($0) }, N: N, P: shape.H * shape.W, scratch: scratch)
            case .gates(let layer, let first):
                gates = layer.gates(kept: nil, x: x, .init(first) { weights.pointer($0) }, N: N, P: shape.H * shape.W, scratch: scratch)
            case .activation(let activation): Elementwise(activation).forward(y: y, x: x, count: N * shape.C)
            }
            profile?.lap(step.operation, .forward, multiplyAdds: N * multiplyAdds[step.operation])
        }
    }
}
