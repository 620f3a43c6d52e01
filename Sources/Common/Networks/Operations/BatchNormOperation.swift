public import Kernels
import Layers

/// Normalisation, then the sum with the value `residual`, then the activation. See ``BatchNorm``.
public struct BatchNormOperation: Operation {
    /// The indices of γ and β; nil without an affine part, or without β.
    let affine: (gamma: Int, beta: Int?)?
    /// The index of its running statistics.
    let statistics: Int
    let epsilon, momentum: Float
    public let residual: Int?
    let activation: Activation
    /// The probability that training drops what is added to the residual, per image (``StochasticDepth``).
    let drop: Double
    /// The name `bn` if there is no affine part to be named by.
    public let name: String

    func layer(_ x: Shape) -> BatchNorm { BatchNorm(C: x.C, epsilon: epsilon, momentum: momentum, activation: activation) }

    public var parameter: Int? { affine?.gamma }
    public var kind: String { "batch norm" + (residual == nil ? "" : ", sum") + (activation == .none ? "" : ", \(activation)") }
    public func outputShape(_ x: Shape) -> Shape { x }

    /// Forward: the statistics, then the values. Backward: dy and x for the sums, then dy, x and dx. If a neighbour
    /// computes the second part, it reads x instead of y and, backward, x in addition to dy. In inference everything
    /// except the sum is folded away.
    public func traffic(_ site: TrafficSite) -> Traffic {
        let (x, y) = (site.x.count, site.y.count), sum = residual == nil ? 0 : y
        let forward = site.isTraining ? (site.fusedIntoConsumer ? x : 2 * x + y) : 0
        return Traffic(forward: forward + sum, backward: (site.gradientInProducer ? 3 : 5) * x + sum)
    }

    /// It works element by element, and it is the only reader of its producer's output.
    public var replacesGradient: Bool { true }

    public func training(_ site: TrainingSite) -> any TrainingStep { BatchNormTraining(self, site) }

    /// The form used if no operation before it folds it (``FoldingOperation``).
    public func inference(_ site: InferenceSite) -> InferenceForm { .step(Inference(self, site)) }

    public func export(to graph: inout ExchangeGraph, _ x: String, residual: String?) -> String {
        let weights = graph.weights, norm = FoldedNorm(self, weights, C: weights.network.statistics[statistics].C)
        let y = graph.folded(norm, into: x) ?? node(in: &graph, x)
        return graph.activation(activation, residual.map { graph.node("Add", [y, $0]) } ?? y)
    }

    private func node(in graph: inout ExchangeGraph, _ x: String) -> String {
        let (mean, variance) = graph.statistics(statistics)
        let C = graph.width(mean)
        let gamma = affine.map { graph.parameter($0.gamma) } ?? graph.constant(name + ".ones", [C], [Float](repeating: 1, count: C))
        let beta = affine?.beta.map { graph.parameter($0) } ?? graph.constant(name + ".zeros", [C], [Float](repeating: 0, count: C))
        return graph.node("BatchNormalization", [x, gamma, beta, mean, variance], [("epsilon", .float(epsilon))])
    }
}

/// γ and β, or the destinations of their gradients.
private struct Affine {
    let gamma, beta: UnsafeMutablePointer<Float>
}

final class BatchNormTraining: TrainingStep {
    private let operation: BatchNormOperation
    private let site: TrainingSite
    private let layer: BatchNorm
    /// The means and inverse standard deviations of the groups, (G, C) each.
    private let moments: FloatBuffer
    /// γ = 1 and β = 0, and memory for their gradients, if one of them is not learnt.
    private let constants: FloatBuffer?

    init(_ operation: BatchNormOperation, _ site: TrainingSite) {
        self.operation = operation
        self.site = site
        layer = operation.layer(site.x)
        moments = FloatBuffer(2 * site.groups * site.x.C)
        constants = operation.affine?.beta == nil ? FloatBuffer(4 * site.x.C) : nil
        constants?.pointer.update(repeating: 1, count: site.x.C)
    }

    var workspace: Workspace { Workspace(sums: BatchNorm.sums(C: layer.C, groups: site.groups), saved: 4 * moments.count) }

    private var mean: UnsafeMutablePointer<Float> { moments.pointer }
    private var inverseDeviation: UnsafeMutablePointer<Float> { moments.pointer + site.groups * layer.C }
    /// N·H·W.
    private var M: Int { site.N * site.x.pixels }

    private func affine(_ weights: Weights) -> Affine {
        guard let affine = operation.affine else { return constant(0) }
        return Affine(gamma: weights.pointer(affine.gamma), beta: affine.beta.map(weights.pointer) ?? constant(0).beta)
    }

    private func gradients(_ pass: BackwardPass) -> Affine {
        guard let affine = operation.affine else { return constant(2) }
        return Affine(gamma: pass.gradient(affine.gamma), beta: affine.beta.map(pass.gradient) ?? constant(2).beta)
    }

    private func constant(_ row: Int) -> Affine {
        guard let constants else { preconditionFailure("a batch norm has parameters or constants") }
        let first = constants.pointer + row * layer.C
        return Affine(gamma: first, beta: first + layer.C)
    }

    /// What a consumer needs to apply the batch norm as it reads.
    func normalizedInput(_ weights: Weights) -> NormalizedInput {
        let affine = affine(weights)
        return NormalizedInput(layer, mean: mean, inverseDeviation: inverseDeviation, gamma: affine.gamma, beta: affine.beta)
    }

    func forward(_ pass: ForwardPass) {
        let statistics = pass.weights.network.statistics[operation.statistics]
        let running = pass.weights.statistics.pointer + statistics.offset, affine = affine(pass.weights)
        let batchesSeen = pass.weights.countBatch(operation.statistics, momentum: operation.momentum)
        if site.fusedIntoConsumer {
            return layer.measure(
                mean: mean, inverseDeviation: inverseDeviation, runningMean: running, runningVariance: running + layer.C, x: pass.x, M: M, groups: 1,
                batchesSeen: batchesSeen, measured: site.momentsFromProducer, sums: pass.sums)
        }
        let drops = pass.randomKey.flatMap { randomKey in pass.residual.flatMap { operation.drop > 0 ? (randomKey, $0) : nil } }
        layer.forward(
            y: pass.y, mean: mean, inverseDeviation: inverseDeviation, runningMean: running, runningVariance: running + layer.C, x: pass.x, gamma: affine.gamma,
            beta: affine.beta, residual: drops == nil ? pass.residual.map { UnsafePointer($0) } : nil, M: M, groups: site.groups,
            batchesSeen: batchesSeen, measured: site.momentsFromProducer, sums: pass.sums)
        if let (randomKey, residual) = drops {
            StochasticDepth(operation.drop).forward(y: pass.y, x: pass.y, residual: residual, N: site.N, count: site.x.count, randomKey, operation: site.number)
        }
    }

    func backward(_ pass: BackwardPass) -> NormalizedGradient? {
        defer { pass.lap(.toData) }
        let affine = affine(pass.weights), gradients = gradients(pass)
        var dresidual = pass.dresidual
        if let randomKey = pass.randomKey, operation.drop > 0, let own = dresidual {
            StochasticDepth(operation.drop).backward(
                dx: pass.dy, dresidual: own, addingToResidual: pass.addsToResidual, dy: pass.dy, N: site.N, count: site.x.count, randomKey,
                operation: site.number)
            dresidual = nil
        }
        if site.gradientInProducer {
            return layer.sumGradient(
                dgamma: gradients.gamma, dbeta: gradients.beta, dy: pass.dy, x: pass.x, mean: mean, inverseDeviation: inverseDeviation, gamma: affine.gamma,
                beta: affine.beta, M: M, sums: pass.sums)
        }
        layer.backward(
            dx: pass.dx ?? pass.dy, dgamma: gradients.gamma, dbeta: gradients.beta, dresidual: dresidual, addingToResidual: pass.addsToResidual,
            dy: pass.dy, y: pass.y, x: pass.x, mean: mean, inverseDeviation: inverseDeviation, gamma: affine.gamma, beta: affine.beta, M: M, groups: site.groups,
            sums: pass.sums)
        return nil
    }
}

/// An operation that folds the batch norm after it into its weights:
///
///     γ·(W·x − μ)/√(σ² + ε) + β  =  (γ/√(σ² + ε)·W)·x + (β − γ·μ/√(σ² + ε))
protocol FoldingOperation: Operation {
    func folded(_ site: InferenceSite, _ norm: FoldedNorm) -> any InferenceStep
}

extension FoldingOperation {
    /// Without a batch norm after it, it folds an identity.
    public func inference(_ site: InferenceSite) -> InferenceForm {
        site.isNormalized ? .folded : .step(folded(site, FoldedNorm(identity: outputShape(site.x).C)))
    }
}

/// A batch norm with its running statistics: y = activation(scale·x + bias + residual).
struct FoldedNorm {
    let scale: [Double]
    let bias: [Float]
    let activation: Activation

    /// The identity.
    init(identity C: Int) {
        scale = [Double](repeating: 1, count: C)
        bias = [Float](repeating: 0, count: C)
        activation = .none
    }

    init(_ operation: BatchNormOperation, _ weights: Weights, C: Int) {
        let running = weights.statistics.pointer + weights.network.statistics[operation.statistics].offset
        func gamma(_ c: Int) -> Double { operation.affine.map { Double(weights.pointer($0.gamma)[c]) } ?? 1 }
        func beta(_ c: Int) -> Double { operation.affine?.beta.map { Double(weights.pointer($0)[c]) } ?? 0 }
        let scale = (0..<C).map { gamma($0) / (Double(running[C + $0]) + Double(operation.epsilon)).squareRoot() }
        self.scale = scale
        bias = (0..<C).map { Float(beta($0) - Double(running[$0]) * scale[$0]) }
        activation = operation.activation
    }

    /// Calls `body` with weights whose outer dimension is the channels, each multiplied by its channel's scale.
    func withScaled(_ W: UnsafePointer<Float>, count: Int, _ body: (UnsafePointer<Float>) -> Void) {
        let scaled = FloatBuffer(count), each = count / scale.count
        for (k, scale) in scale.enumerated() { for i in (k * each)..<((k + 1) * each) { scaled.pointer[i] = Float(Double(W[i]) * scale) } }
        // Otherwise the buffer may be released before its pointer has been read.
        withExtendedLifetime(scaled) { body(scaled.pointer) }
    }
}

private struct Inference: InferenceStep {
    let layer: BatchNorm
    let pixels: Int
    /// μ, 1/√(σ² + ε), γ and β, (C) each.
    let constants: FloatBuffer

    init(_ operation: BatchNormOperation, _ site: InferenceSite) {
        layer = operation.layer(site.x)
        pixels = site.x.pixels
        let C = layer.C, running = site.weights.statistics.pointer + site.weights.network.statistics[operation.statistics].offset
        constants = FloatBuffer(4 * C)
        for c in 0..<C {
            constants.pointer[c] = running[c]
            constants.pointer[C + c] = Float(1 / (Double(running[C + c]) + Double(operation.epsilon)).squareRoot())
            constants.pointer[2 * C + c] = operation.affine.map { site.weights.pointer($0.gamma)[c] } ?? 1
            constants.pointer[3 * C + c] = operation.affine?.beta.map { site.weights.pointer($0)[c] } ?? 0
        }
    }

    var floats: Int { constants.count }
    var canReplaceInput: Bool { true }

    func run(_ pass: InferencePass) -> UnsafePointer<Float>? {
        let C = layer.C, first = constants.pointer
        layer.normalize(
            y: pass.y, x: pass.x, mean: first, inverseDeviation: first + C, gamma: first + 2 * C, beta: first + 3 * C, residual: pass.residual, M: pass.N * pixels,
            groups: 1)
        return nil
    }
}

extension GraphBuilder {
    /// - Parameter drop: the probability that training drops what is added to the residual, per image.
    public mutating func batchNorm(
        _ name: String, _ x: Int, residual: Int? = nil, _ activation: Activation = .none, epsilon: Float = 1e-5, momentum: Float = 0.1,
        drop: Double = 0, isAffine: Bool = true, hasBias: Bool = true
    ) -> Int {
        let C = width(x)
        var affine: (gamma: Int, beta: Int?)?
        if isAffine {
            let gamma = parameter(name + ".weight", [C], .scale, .constant(1))
            affine = (gamma, hasBias ? parameter(name + ".bias", [C], .bias, .constant(0)) : nil)
        }
        return add(
            BatchNormOperation(
                affine: affine, statistics: runningStatistics(name, C), epsilon: epsilon, momentum: momentum, residual: residual, activation: activation,
                drop: drop, name: name),
            x)
    }
}
