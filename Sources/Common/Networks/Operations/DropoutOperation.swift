import Layers

/// Zeroes values with this probability in training. See ``Dropout``.
public struct DropoutOperation: Operation {
    let probability: Double

    public var kind: String { "dropout" }
    public func outputShape(_ x: Shape) -> Shape { x }
    public var replacesGradient: Bool { true }
    public func training(_ site: TrainingSite) -> any TrainingStep { Training(layer: Dropout(probability), site: site) }
    public func inference(_ site: InferenceSite) -> InferenceForm { .identity }

    public func export(to graph: inout ExchangeGraph, _ x: String, residual: String?) -> String { x }
}

private struct Training: TrainingStep {
    let layer: Dropout
    let site: TrainingSite

    func forward(_ pass: ForwardPass) {
        guard let randomKey = pass.randomKey else { return pass.y.update(from: pass.x, count: site.N * site.x.count) }
        layer.apply(y: pass.y, x: pass.x, N: site.N, C: site.x.count, randomKey, operation: site.number)
    }

    func backward(_ pass: BackwardPass) -> NormalizedGradient? {
        if let randomKey = pass.randomKey { layer.apply(y: pass.dx ?? pass.dy, x: pass.dy, N: site.N, C: site.x.count, randomKey, operation: site.number) }
        pass.lap(.toData)
        return nil
    }
}

extension GraphBuilder {
    /// Dropout with this probability, in training.
    public mutating func dropout(_ x: Int, _ probability: Double) -> Int { add(DropoutOperation(probability: probability), x) }
}
