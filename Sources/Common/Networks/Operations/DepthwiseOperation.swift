import Kernels
import Layers

/// A depthwise convolution: (N, H, W, C) → (N, H', W', C). See ``Depthwise``.
public struct DepthwiseOperation: Operation {
    let weight: Int
    let kernel, stride: Int
    let padding: Padding

    private func layer(_ x: Shape) -> Depthwise { Depthwise(window: x.window(kernel: kernel, stride: stride, padding: padding)) }

    public var parameter: Int? { weight }
    public var needsSquareImages: Bool { padding == .same }
    public var kind: String { "depthwise \(kernel)×\(kernel)" + (stride > 1 ? " stride \(stride)" : "") }

    public func outputShape(_ x: Shape) -> Shape { x.output(of: x.window(kernel: kernel, stride: stride, padding: padding), K: x.C) }

    public func multiplyAdds(_ x: Shape, _ y: Shape) -> Int { y.count * kernel * kernel }

    /// Backward: dy, x and dx, with both gradients at once.
    public func traffic(_ site: TrafficSite) -> Traffic {
        Traffic(forward: site.x.count + site.y.count, backward: 2 * site.x.count + site.y.count)
    }

    public func canNormalizeInput(_ x: Shape) -> Bool { true }
    public func canNormalizeGradient(_ x: Shape) -> Bool { true }

    public func training(_ site: TrainingSite) -> any TrainingStep { Training(layer: layer(site.x), weight: weight, N: site.N) }

    public func export(to graph: inout ExchangeGraph, _ x: String, residual: String?) -> String {
        let W = graph.parameter(weight)
        return graph.node("Conv", [x, W], graph.window(kernel: kernel, stride: stride, padding: padding) + [("group", .int(graph.width(W)))])
    }
}

private struct Training: TrainingStep {
    let layer: Depthwise
    let weight: Int
    let N: Int

    var workspace: Workspace { Workspace(scratch: layer.scratch(N: N)) }

    func forward(_ pass: ForwardPass) {
        layer.forward(y: pass.y, x: pass.x, normalized: pass.normalized, W: pass.weights.pointer(weight), N: N, scratch: pass.scratch)
    }

    func backward(_ pass: BackwardPass) -> NormalizedGradient? {
        layer.backward(
            dx: pass.dx, adding: pass.addsToInput, dW: pass.gradient(weight), dy: pass.dy, gradient: pass.gradient, x: pass.x, normalized: pass.normalized,
            W: pass.weights.pointer(weight), N: N, scratch: pass.scratch)
        pass.lap(.toWeights, directions: pass.dx == nil ? 1 : 2)
        return nil
    }
}

extension DepthwiseOperation: FoldingOperation {
    func folded(_ site: InferenceSite, _ norm: FoldedNorm) -> any InferenceStep {
        let layer = layer(site.x), W = site.weights.pointer(weight), C = site.x.C, scaled = FloatBuffer(layer.weightCount)
        for c in 0..<C {
            for i in Swift.stride(from: c, to: layer.weightCount, by: C) { scaled.pointer[i] = Float(Double(W[i]) * norm.scale[c]) }
        }
        return Inference(layer: layer, W: scaled, bias: FloatBuffer(norm.bias), activation: norm.activation, N: site.N)
    }
}

private struct Inference: InferenceStep {
    let layer: Depthwise
    let W, bias: FloatBuffer
    let activation: Activation
    let N: Int

    var scratch: Scratch.Need { layer.inferenceScratch(N: N) }
    var floats: Int { W.count + bias.count }

    func run(_ pass: InferencePass) -> UnsafePointer<Float>? {
        precondition(pass.residual == nil, "nothing is added to what a depthwise convolution makes")
        layer.forward(y: pass.y, x: pass.x, W: W.pointer, N: pass.N, bias: bias.pointer, activation, scratch: pass.scratch)
        return nil
    }
}

extension GraphBuilder {
    /// Like ``convolution(_:_:_:kernel:stride:padding:)``, with each channel by itself.
    public mutating func depthwise(_ name: String, _ x: Int, kernel: Int, stride: Int = 1, padding: Padding? = nil) -> Int {
        let weight = self.kernel(name, [width(x), 1, kernel, kernel], .depthwise)
        return add(DepthwiseOperation(weight: weight, kernel: kernel, stride: stride, padding: padding ?? .keeping(kernel)), x)
    }
}
