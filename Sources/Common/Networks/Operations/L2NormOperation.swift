import Kernels
import Layers

/// Scales rows to unit length, (N, D). See ``L2Normalization``.
public struct L2NormOperation: Operation {
    public var kind: String { "L2 norm" }
    public var name: String { "l2-norm" }
    public func outputShape(_ x: Shape) -> Shape { x }
    public var replacesGradient: Bool { true }
    public func training(_ site: TrainingSite) -> any TrainingStep { Step(N: site.N, D: site.x.count) }
    public func inference(_ site: InferenceSite) -> InferenceForm { .step(Step(N: site.N, D: site.x.count)) }

    public func export(to graph: inout ExchangeGraph, _ x: String, residual: String?) -> String { graph.node("LpNormalization", [x], [("axis", .int(1)), ("p", .int(2))]) }
}

private struct Step: TrainingStep, InferenceStep {
    let D: Int
    /// The norms of the rows, (N).
    let norm: FloatBuffer

    init(N: Int, D: Int) {
        self.D = D
        norm = FloatBuffer(N)
    }

    var workspace: Workspace { Workspace(saved: 4 * norm.count) }
    var floats: Int { norm.count }
    var canReplaceInput: Bool { true }

    private func set(_ y: UnsafeMutablePointer<Float>, _ x: UnsafePointer<Float>, _ N: Int) {
        L2Normalization.forward(
            y: UnsafeMutableBufferPointer(start: y, count: N * D), norm: UnsafeMutableBufferPointer(start: norm.pointer, count: N),
            x: UnsafeBufferPointer(start: x, count: N * D), N: N, D: D)
    }

    func forward(_ pass: ForwardPass) { set(pass.y, pass.x, pass.N) }

    func backward(_ pass: BackwardPass) -> NormalizedGradient? {
        let count = pass.N * D
        L2Normalization.backward(
            dx: UnsafeMutableBufferPointer(start: pass.dx ?? pass.dy, count: count), dy: UnsafeBufferPointer(start: pass.dy, count: count),
            y: UnsafeBufferPointer(start: pass.y, count: count), norm: UnsafeBufferPointer(start: norm.pointer, count: pass.N), N: pass.N, D: D)
        pass.lap(.toData)
        return nil
    }

    func run(_ pass: InferencePass) -> UnsafePointer<Float>? {
        set(pass.y, pass.x, pass.N)
        return nil
    }
}

extension GraphBuilder {
    public mutating func l2Norm(_ x: Int) -> Int { add(L2NormOperation(), x) }
}
