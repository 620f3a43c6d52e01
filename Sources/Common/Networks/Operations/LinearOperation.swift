import Kernels
import Layers

/// (N, I) → (N, O). See ``Linear``.
public struct LinearOperation: Operation {
    let weight: Int
    /// nil without a bias.
    let bias: Int?
    let O: Int

    public var parameter: Int? { weight }
    public var kind: String { "linear" }
    public func outputShape(_ x: Shape) -> Shape { Shape(H: 1, W: 1, C: O) }
    public func multiplyAdds(_ x: Shape, _ y: Shape) -> Int { x.C * O }

    public func training(_ site: TrainingSite) -> any TrainingStep { Training(layer: Linear(I: site.x.C, O: O), operation: self) }
    public func inference(_ site: InferenceSite) -> InferenceForm {
        .step(Inference(layer: PackedLinear(I: site.x.C, O: O, W: site.weights.pointer(weight), b: bias.map { UnsafePointer(site.weights.pointer($0)) })))
    }

    public func export(to graph: inout ExchangeGraph, _ x: String, residual: String?) -> String {
        graph.node("Gemm", [x, graph.parameter(weight)] + (bias.map { [graph.parameter($0)] } ?? []), [("transB", .int(1))])
    }
}

private struct Training: TrainingStep {
    let layer: Linear
    let operation: LinearOperation

    func forward(_ pass: ForwardPass) {
        layer.forward(y: pass.y, x: pass.x, W: pass.weights.pointer(operation.weight), b: operation.bias.map { UnsafePointer(pass.weights.pointer($0)) }, N: pass.N)
    }

    func backward(_ pass: BackwardPass) -> NormalizedGradient? {
        layer.backward(
            dx: pass.dx, adding: pass.addsToInput, dW: pass.gradient(operation.weight), db: operation.bias.map { pass.gradient($0) }, dy: pass.dy,
            x: pass.x, W: pass.weights.pointer(operation.weight), N: pass.N)
        pass.lap(.toWeights, directions: pass.dx == nil ? 1 : 2)
        return nil
    }
}

private struct Inference: InferenceStep {
    let layer: PackedLinear
    var floats: Int { layer.floats }

    func run(_ pass: InferencePass) -> UnsafePointer<Float>? {
        layer.forward(y: pass.y, x: pass.x, N: pass.N)
        return nil
    }
}

extension GraphBuilder {
    /// - Parameter start: the initialization of the weights, with a bias of zero; nil for PyTorch's uniform ±1/√I for
    ///   weights and bias.
    public mutating func linear(_ name: String, _ x: Int, _ O: Int, hasBias: Bool = true, start: Parameter.Initialization? = nil) -> Int {
        let bound = 1 / Double(width(x)).squareRoot()
        let weight = parameter(name + ".weight", [O, width(x)], .matrix, start ?? .uniform(bound))
        let bias = hasBias ? parameter(name + ".bias", [O], .bias, start == nil ? .uniform(bound) : .constant(0)) : nil
        return add(LinearOperation(weight: weight, bias: bias, O: O), x)
    }
}
