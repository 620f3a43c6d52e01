public import Kernels
public import Layers

/// Channel weights computed from the whole image. See ``SqueezeExcite``.
public struct SqueezeExciteOperation: Operation {
    /// The index of W₁; b₁, W₂ and b₂ follow it.
    let weights: Int
    let K: Int
    let activation: Activation
    let gate: SqueezeExcite.Gate
    /// `features.4.block.2`: the prefix of its parameters' names.
    public let name: String

    private func layer(_ x: Shape) -> SqueezeExcite { SqueezeExcite(C: x.C, K: K, activation: activation, gate: gate) }

    public var kind: String { "squeeze-excite" }
    public func outputShape(_ x: Shape) -> Shape { x }
    public func multiplyAdds(_ x: Shape, _ y: Shape) -> Int { 2 * x.C * K }

    /// Forward: the means, then the products, which the consumer may compute in inference. Backward: dy and x for the
    /// sums, then dy and dx.
    public func traffic(_ site: TrafficSite) -> Traffic {
        let (x, y) = (site.x.count, site.y.count)
        return Traffic(forward: !site.isTraining && site.fusedIntoConsumer ? x : 2 * x + y, backward: x + 3 * y)
    }

    public func canNormalizeInput(_ x: Shape) -> Bool { true }
    public var replacesGradient: Bool { true }

    public func training(_ site: TrainingSite) -> any TrainingStep { Training(layer(site.x), weights, site) }
    public func inference(_ site: InferenceSite) -> InferenceForm {
        .step(Inference(layer(site.x), weights, site))
    }

    public func export(to graph: inout ExchangeGraph, _ x: String, residual: String?) -> String {
        let mean = graph.node("GlobalAveragePool", [x])
        let hidden = graph.activation(activation, graph.node("Conv", [mean, graph.parameter(weights, rank: 4), graph.parameter(weights + 1)]))
        let v = graph.node("Conv", [hidden, graph.parameter(weights + 2, rank: 4), graph.parameter(weights + 3)])
        let gates = gate == .sigmoid ? graph.node("Sigmoid", [v]) : graph.node("HardSigmoid", [v], [("alpha", .float(1.0 / 6)), ("beta", .float(0.5))])
        return graph.node("Mul", [x, gates])
    }
}

private struct Training: TrainingStep {
    let layer: SqueezeExcite
    let weights, N, P: Int
    /// The means, hidden values and gates.
    let saved: FloatBuffer

    init(_ layer: SqueezeExcite, _ weights: Int, _ site: TrainingSite) {
        (self.layer, self.weights, N, P) = (layer, weights, site.N, site.x.pixels)
        saved = FloatBuffer(layer.saved(N: site.N))
    }

    var workspace: Workspace { Workspace(scratch: layer.scratch(N: N), saved: 4 * saved.count) }

    func forward(_ pass: ForwardPass) {
        layer.forward(
            y: pass.y, saved: saved.pointer, x: pass.x, normalized: pass.normalized, .init(weights) { pass.weights.pointer($0) }, N: N, P: P, scratch: pass.scratch)
    }

    func backward(_ pass: BackwardPass) -> NormalizedGradient? {
        layer.backward(
            dx: pass.dx ?? pass.dy, .init(weights) { pass.gradient($0) }, dy: pass.dy, x: pass.x, normalized: pass.normalized, saved: saved.pointer,
            .init(weights) { pass.weights.pointer($0) }, N: N, P: P, scratch: pass.scratch)
        pass.lap(.toData)
        return nil
    }
}

private struct Inference: InferenceStep {
    let layer: PackedSqueezeExcite
    let weights, P: Int
    let scratch: Scratch.Need
    let givesGates: Bool

    init(_ layer: SqueezeExcite, _ weights: Int, _ site: InferenceSite) {
        self.layer = PackedSqueezeExcite(layer, .init(weights) { site.weights.pointer($0) })
        (self.weights, P, scratch, givesGates) = (weights, site.x.pixels, layer.inferenceScratch(N: site.N), site.gatesInConsumer)
    }

    var floats: Int { layer.floats }
    var canReplaceInput: Bool { true }

    func run(_ pass: InferencePass) -> UnsafePointer<Float>? {
        if givesGates { return layer.gates(x: pass.x, N: pass.N, P: P, scratch: pass.scratch) }
        layer.forward(y: pass.y, x: pass.x, .init(weights) { pass.weights.pointer($0) }, N: pass.N, P: P, scratch: pass.scratch)
        return nil
    }
}

extension SqueezeExcite.Parameters {
    /// The four parameters, starting at index `first`.
    fileprivate init(_ first: Int, _ pointer: (Int) -> UnsafeMutablePointer<Float>) {
        self.init(W1: pointer(first), b1: pointer(first + 1), W2: pointer(first + 2), b2: pointer(first + 3))
    }
}

extension GraphBuilder {
    /// Squeeze-excite with `K` hidden numbers: `NAME.fc1` and `NAME.fc2`, or `layers`.
    public mutating func squeezeExcite(
        _ name: String, _ x: Int, _ K: Int, _ activation: Activation, _ gate: SqueezeExcite.Gate, _ layers: SqueezeExciteLayers? = nil
    ) -> Int {
        let C = width(x), layers = layers ?? .torchvision(name)
        func weight(_ name: String, _ outputs: Int, _ inputs: Int) -> Int {
            layers.isLinear ? parameter(name + ".weight", [outputs, inputs], .matrix, .normal(0.01)) : kernel(name, [outputs, inputs, 1, 1])
        }
        func bias(_ name: String, _ outputs: Int, _ inputs: Int) {
            _ = parameter(name + ".bias", [outputs], .bias, layers.hasBiasOfConvolutions ? .uniform(1 / Double(inputs).squareRoot()) : .constant(0))
        }
        let weights = weight(layers.reduce, K, C)
        bias(layers.reduce, K, C)
        _ = weight(layers.expand, C, K)
        bias(layers.expand, C, K)
        return add(SqueezeExciteOperation(weights: weights, K: K, activation: activation, gate: gate, name: name), x)
    }
}
