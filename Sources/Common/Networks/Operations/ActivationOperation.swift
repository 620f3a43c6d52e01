public import Kernels
import Layers

/// An activation that no other operation applies. See ``Elementwise``.
public struct ActivationOperation: Operation {
    let activation: Activation

    public var kind: String { "activation" }
    public var name: String { "\(activation)" }
    public func outputShape(_ x: Shape) -> Shape { x }
    public var replacesGradient: Bool { true }
    public func training(_ site: TrainingSite) -> any TrainingStep { Step(layer: Elementwise(activation), count: site.x.count) }
    public func inference(_ site: InferenceSite) -> InferenceForm { .step(Step(layer: Elementwise(activation), count: site.x.count)) }

    public func export(to graph: inout ExchangeGraph, _ x: String, residual: String?) -> String { graph.activation(activation, x) }
}

private struct Step: TrainingStep, InferenceStep {
    let layer: Elementwise
    let count: Int

    func forward(_ pass: ForwardPass) { layer.forward(y: pass.y, x: pass.x, count: pass.N * count) }

    func backward(_ pass: BackwardPass) -> NormalizedGradient? {
        layer.backward(dx: pass.dx ?? pass.dy, dy: pass.dy, x: pass.x, count: pass.N * count)
        pass.lap(.toData)
        return nil
    }

    func run(_ pass: InferencePass) -> UnsafePointer<Float>? {
        layer.forward(y: pass.y, x: pass.x, count: pass.N * count)
        return nil
    }
}

extension GraphBuilder {
    public mutating func activation(_ x: Int, _ activation: Activation) -> Int { add(ActivationOperation(activation: activation), x) }
}
