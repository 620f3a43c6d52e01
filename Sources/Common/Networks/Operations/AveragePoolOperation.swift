import Layers

/// (N, H, W, C) → (N, C). See ``AveragePool``.
public struct AveragePoolOperation: Operation {
    public var kind: String { "pooling" }
    public var name: String { "avgpool" }
    public func outputShape(_ x: Shape) -> Shape { Shape(H: 1, W: 1, C: x.C) }
    public func training(_ site: TrainingSite) -> any TrainingStep { Step(x: site.x) }
    public func inference(_ site: InferenceSite) -> InferenceForm { .step(Step(x: site.x)) }

    public func export(to graph: inout ExchangeGraph, _ x: String, residual: String?) -> String {
        graph.node("Flatten", [graph.node("GlobalAveragePool", [x])], [("axis", .int(1))])
    }
}

private struct Step: TrainingStep, InferenceStep {
    let x: Shape

    func forward(_ pass: ForwardPass) { AveragePool.forward(y: pass.y, x: pass.x, N: pass.N, P: x.pixels, C: x.C) }

    func backward(_ pass: BackwardPass) -> NormalizedGradient? {
        guard let dx = pass.dx else { return nil }
        AveragePool.backward(dx: dx, adding: pass.addsToInput, dy: pass.dy, N: pass.N, P: x.pixels, C: x.C)
        pass.lap(.toData)
        return nil
    }

    func run(_ pass: InferencePass) -> UnsafePointer<Float>? {
        AveragePool.forward(y: pass.y, x: pass.x, N: pass.N, P: x.pixels, C: x.C)
        return nil
    }
}

extension GraphBuilder {
    public mutating func averagePool(_ x: Int) -> Int { add(AveragePoolOperation(), x) }
}
