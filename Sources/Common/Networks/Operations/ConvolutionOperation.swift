import Kernels
import Layers

/// A convolution without bias: (N, H, W, C) → (N, H', W', K). See ``Convolution``.
public struct ConvolutionOperation: Operation {
    let weight: Int
    let kernel, stride, K: Int
    let padding: Padding

    private func layer(_ x: Shape) -> Convolution { Convolution(window: x.window(kernel: kernel, stride: stride, padding: padding), K: K) }

    public var parameter: Int? { weight }
    public var needsSquareImages: Bool { padding == .same }
    public var kind: String { "\(kernel)×\(kernel)" + (stride > 1 ? " stride \(stride)" : "") }

    public func outputShape(_ x: Shape) -> Shape { x.output(of: x.window(kernel: kernel, stride: stride, padding: padding), K: K) }

    public func multiplyAdds(_ x: Shape, _ y: Shape) -> Int { y.count * kernel * kernel * x.C }

    /// Backward: dy and x for the weights, then dy and dx; if both gradients are joined, dy only once.
    public func traffic(_ site: TrafficSite) -> Traffic {
        let (x, y) = (site.x.count, site.y.count)
        return Traffic(forward: x + y, backward: x + (layer(site.x).joinsGradients ? y : 2 * y) + (site.readsImages ? 0 : x))
    }

    public func canNormalizeInput(_ x: Shape) -> Bool { layer(x).copiesInput }
    public func canMultiplyInput(_ x: Shape) -> Bool { layer(x).copiesInput }
    public func canNormalizeGradient(_ x: Shape) -> Bool { layer(x).joinsGradients }
    public func momentPieces(_ x: Shape, N: Int) -> Int? { layer(x).momentPieces(N: N) }

    public func training(_ site: TrainingSite) -> any TrainingStep { Training(layer: layer(site.x), weight: weight, N: site.N, findsMoments: site.findsMoments) }

    public func export(to graph: inout ExchangeGraph, _ x: String, residual: String?) -> String {
        graph.node("Conv", [x, graph.parameter(weight)], graph.window(kernel: kernel, stride: stride, padding: padding))
    }
}

private struct Training: TrainingStep {
    let layer: Convolution
    let weight: Int
    let N: Int
    let findsMoments: Bool

    var workspace: Workspace { Workspace(scratch: layer.scratch(N: N), sums: max(1, layer.momentDoubles(N: N))) }

    func forward(_ pass: ForwardPass) {
        layer.forward(
            y: pass.y, x: pass.x, normalized: pass.normalized, W: pass.weights.pointer(weight), N: N, moments: findsMoments ? pass.sums : nil,
            scratch: pass.scratch)
    }

    func backward(_ pass: BackwardPass) -> NormalizedGradient? {
        let W = pass.weights.pointer(weight), dW = pass.gradient(weight)
        if layer.joinsGradients {
            layer.backward(
                dx: pass.dx, adding: pass.addsToInput, dW: dW, dy: pass.dy, gradient: pass.gradient, x: pass.x, normalized: pass.normalized, W: W, N: N,
                scratch: pass.scratch)
            pass.lap(.toWeights, directions: pass.dx == nil ? 1 : 2)
            return nil
        }
        layer.backwardWeights(dW: dW, dy: pass.dy, x: pass.x, normalized: pass.normalized, N: N, scratch: pass.scratch)
        pass.lap(.toWeights)
        guard let dx = pass.dx else { return nil }
        layer.backwardData(dx: dx, adding: pass.addsToInput, dy: pass.dy, W: W, N: N, scratch: pass.scratch)
        pass.lap(.toData)
        return nil
    }
}

extension ConvolutionOperation: FoldingOperation {
    func folded(_ site: InferenceSite, _ norm: FoldedNorm) -> any InferenceStep {
        let layer = layer(site.x), packed = FloatBuffer(layer.packedCount)
        norm.withScaled(site.weights.pointer(weight), count: layer.weightCount) { layer.pack($0, into: packed.pointer) }
        return Inference(layer: layer, packed: packed, bias: FloatBuffer(norm.bias), activation: norm.activation, N: site.N)
    }
}

private struct Inference: InferenceStep {
    let layer: Convolution
    let packed, bias: FloatBuffer
    let activation: Activation
    let N: Int

    var scratch: Scratch.Need { layer.inferenceScratch(N: N) }
    var floats: Int { packed.count + bias.count }

    func run(_ pass: InferencePass) -> UnsafePointer<Float>? {
        layer.forward(
            y: pass.y, x: pass.x, gates: pass.gates, packed: packed.pointer, N: pass.N,
            epilogue: Epilogue(bias: bias.pointer, residual: pass.residual, activation: activation), scratch: pass.scratch)
        return nil
    }
}

extension GraphBuilder {
    /// A convolution without bias, padded by default so that stride 1 keeps the size.
    public mutating func convolution(_ name: String, _ x: Int, _ K: Int, kernel: Int, stride: Int = 1, padding: Padding? = nil) -> Int {
        let weight = self.kernel(name, [K, width(x), kernel, kernel])
        return add(ConvolutionOperation(weight: weight, kernel: kernel, stride: stride, K: K, padding: padding ?? .keeping(kernel)), x)
    }
}
