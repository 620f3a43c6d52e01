import Kernels
import Layers
import Parallel

/// Runs a network forward with its running statistics, folded into the convolutions (``FoldingOperation``).
public final class InferenceRun {
    public enum Output: Sendable {
        /// The pooled features (N, d).
        case features
        /// The head's output (N, D), not normalised.
        case embedding
    }

    public let network: Network
    public let height: Int
    public let width: Int
    /// The length of the output for each image.
    public let dimension: Int
    /// The number of images processed together. Bounds the memory, whatever the batch size.
    public let slice: Int
    /// Receives the time of every operation. Operations folded into a convolution count as the convolution.
    public var profile: Profile?

    private let multiplyAdds: [Int]
    private let weights: Weights
    private let shapes: [Shape]
    private let steps: [Step]
    private let memory: FloatBuffer
    private let scratch: Scratch

    private struct Step {
        let layer: any InferenceStep
        /// The index of the operation in the graph; for a folded batch norm, that of the operation before it.
        let operation: Int
        let input: Int
        let output: Int
        let residual: Int?
        var inputOffset = 0
        var outputOffset = 0
        var residualOffset = 0
    }

    /// - Parameter batch: the usual number of images per call; larger batches are processed in slices.
    public init(_ weights: Weights, output: Output, height: Int, width: Int, batch: Int = 256) {
        self.weights = weights
        network = weights.network
        self.height = height
        self.width = width
        let graph = network.graph
        let shapes = graph.shapes(height: height, width: width)
        self.shapes = shapes
        // Few images, so that a layer's output is still in the cache when the next layer reads it. But each slice reads
        // all weights again.
        let images = network.parameterCount < 8 << 20 ? 8 : 16
        let slice = max(1, min(batch, max(8, min(256, (images * 224 * 224) / (height * width)))))
        self.slice = slice
        multiplyAdds = graph.multiplyAdds(height: height, width: width)
        let target = output == .features ? graph.features : graph.nodes.count
        dimension = shapes[target].C

        var steps = InferenceRun.steps(weights, shapes, N: slice, upTo: target)
        memory = FloatBuffer(InferenceRun.plan(&steps, shapes, N: slice, target: target))
        self.steps = steps
        scratch = Scratch(workers: Parallel.threads)
        scratch.reserve(steps.reduce(into: Scratch.Need()) { $0.formUnion($1.layer.scratch) })
    }

    /// The steps for the operations up to value `target`, in order.
    private static func steps(_ weights: Weights, _ shapes: [Shape], N: Int, upTo target: Int) -> [Step] {
        let graph = weights.network.graph, fusion = Fusion(graph, shapes)
        func site(_ index: Int) -> InferenceSite {
            InferenceSite(
                weights: weights, x: shapes[graph.nodes[index].input], N: N, isNormalized: fusion.isNormalized[index], gatesInConsumer: fusion.gatesInConsumer[index])
        }
        var steps: [Step] = []
        // The source of an operation's input. An identity passes its input on, and so does an operation whose consumer
        // applies its gates.
        var source = Array(0..<shapes.count)
        for (index, node) in graph.nodes.prefix(target).enumerated() {
            func add(_ layer: any InferenceStep, _ operation: Int) {
                let input = source[graph.nodes[operation].input]
                steps.append(Step(layer: layer, operation: operation, input: input, output: index + 1, residual: node.operation.residual.map { source[$0] }))
                if layer.givesGates { source[index + 1] = input }
            }
            // A convolution runs at the position of its batch norm, since that may wait for a residual.
            if let norm = node.operation as? BatchNormOperation, node.input > 0, fusion.isNormalized[node.input - 1],
                let producer = graph.nodes[node.input - 1].operation as? any FoldingOperation {
                add(producer.folded(site(node.input - 1), FoldedNorm(norm, weights, C: shapes[index + 1].C)), node.input - 1)
                continue
            }
            switch node.operation.inference(site(index)) {
            case .identity: source[index + 1] = source[node.input]
            case .folded: break
            case .step(let layer): add(layer, index)
            }
        }
        return steps
    }

    /// Assigns memory offsets to values, each from the step that produces it to the last step that reads it.
    ///
    /// - Returns: the total number of floats.
    private static func plan(_ steps: inout [Step], _ shapes: [Shape], N: Int, target: Int) -> Int {
        var lastReader = [Int](repeating: 0, count: shapes.count)
        for (number, step) in steps.enumerated() {
            lastReader[step.input] = number
            if let residual = step.residual { lastReader[residual] = number }
        }
        lastReader[target] = steps.count
        var arena = Arena()
        var ranges = [Range<Int>](repeating: 0..<0, count: shapes.count)
        ranges[0] = arena.take(N * shapes[0].count)
        for number in steps.indices {
            let (input, output, layer) = (steps[number].input, steps[number].output, steps[number].layer)
            steps[number].inputOffset = ranges[input].lowerBound
            if layer.givesGates { continue }
            if layer.canReplaceInput, lastReader[input] == number {
                (ranges[output], ranges[input]) = (ranges[input], 0..<0)
            } else {
                ranges[output] = arena.take(N * shapes[output].count)
            }
            steps[number].outputOffset = ranges[output].lowerBound
            if let residual = steps[number].residual { steps[number].residualOffset = ranges[residual].lowerBound }
            for value in 0...output where lastReader[value] == number && !ranges[value].isEmpty {
                arena.give(ranges[value])
                ranges[value] = 0..<0
            }
        }
        return arena.size
    }

    /// The number of bytes that this run holds.
    public var bytes: Int { (memory.count + steps.reduce(0) { $0 + $1.layer.floats }) * 4 }

    /// Sets `result` (N, ``dimension``) for N images, given as bytes (N, views, H, W, C), of which `view` is read.
    public func run(
        images: UnsafePointer<UInt8>, views: Int = 1, view: Int = 0, N: Int, into result: UnsafeMutablePointer<Float>, pixels: Pixels? = nil
    ) {
        let pixels = pixels ?? weights.network.pixels
        precondition(pixels.channels == shapes[0].C)
        for start in stride(from: 0, to: N, by: slice) {
            let count = min(slice, N - start)
            pixels.normalize(
                images, views: views, view: view, rows: { start + $0 }, N: count, pixels: height * width, into: memory.pointer)
            profile?.lap("pixels")
            run(count, into: result + start * dimension)
        }
    }

    /// The same from pixels that are already floats (N, H, W, C).
    public func run(images: UnsafePointer<Float>, N: Int, into result: UnsafeMutablePointer<Float>) {
        let size = shapes[0].count
        for start in stride(from: 0, to: N, by: slice) {
            let count = min(slice, N - start)
            memory.pointer.update(from: images + start * size, count: count * size)
            profile?.lap("pixels")
            run(count, into: result + start * dimension)
        }
    }

    private func run(_ N: Int, into result: UnsafeMutablePointer<Float>) {
        // Gates for the next convolution.
        var gates: UnsafePointer<Float>?
        for (number, step) in steps.enumerated() {
            let residual = step.residual.map { _ in UnsafePointer(memory.pointer + step.residualOffset) }
            gates = step.layer.run(
                InferencePass(
                    weights: weights, N: N, x: memory.pointer + step.inputOffset,
                    y: number == steps.count - 1 ? result : memory.pointer + step.outputOffset, residual: residual, gates: gates, scratch: scratch))
            profile?.lap(step.operation, .forward, multiplyAdds: N * multiplyAdds[step.operation])
        }
    }
}
