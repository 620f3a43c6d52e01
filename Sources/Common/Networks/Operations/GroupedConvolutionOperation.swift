import Kernels
import Layers

/// A grouped convolution without bias: (N, H, W, C) → (N, H', W', K). See ``GroupedConvolution``.
public struct GroupedConvolutionOperation: Operation {
    let weight: Int
    let kernel, stride, K, groups: Int
    let padding: Padding

    private func layer(_ x: Shape) -> GroupedConvolution {
        GroupedConvolution(window: x.window(kernel: kernel, stride: stride, padding: padding), K: K, groups: groups)
    }

    public var parameter: Int? { weight }
    public var needsSquareImages: Bool { padding == .same }
    public var kind: String { "\(kernel)×\(kernel) grouped" + (stride > 1 ? " stride \(stride)" : "") }

    public func outputShape(_ x: Shape) -> Shape { x.output(of: x.window(kernel: kernel, stride: stride, padding: padding), K: K) }

    public func multiplyAdds(_ x: Shape, _ y: Shape) -> Int { y.count * kernel * kernel * x.C / groups }

    /// Backward: dy and x for the weights, then dy and dx.
    public func traffic(_ site: TrafficSite) -> Traffic {
        let (x, y) = (site.x.count, site.y.count)
        return Traffic(forward: x + y, backward: x + 2 * y + (site.readsImages ? 0 : x))
    }

    public func training(_ site: TrainingSite) -> any TrainingStep { Training(layer: layer(site.x), weight: weight, N: site.N) }

    public func export(to graph: inout ExchangeGraph, _ x: String, residual: String?) -> String {
        graph.node("Conv", [x, graph.parameter(weight)], graph.window(kernel: kernel, stride: stride, padding: padding) + [("group", .int(groups))])
    }
}

private struct Training: TrainingStep {
    let layer: GroupedConvolution
    let weight: Int
    let N: Int

    var workspace: Workspace { Workspace(scratch: layer.scratch(N: N)) }

    func forward(_ pass: ForwardPass) { layer.forward(y: pass.y, x: pass.x, W: pass.weights.pointer(weight), N: N, scratch: pass.scratch) }

    func backward(_ pass: BackwardPass) -> NormalizedGradient? {
        layer.backwardWeights(dW: pass.gradient(weight), dy: pass.dy, x: pass.x, N: N, scratch: pass.scratch)
        pass.lap(.toWeights)
        guard let dx = pass.dx else { return nil }
        layer.backwardData(dx: dx, adding: pass.addsToInput, dy: pass.dy, W: pass.weights.pointer(weight), N: N, scratch: pass.scratch)
        pass.lap(.toData)
        return nil
    }
}

extension GroupedConvolutionOperation: FoldingOperation {
    func folded(_ site: InferenceSite, _ norm: FoldedNorm) -> any InferenceStep {
        let layer = layer(site.x), packed = FloatBuffer(layer.packedCount)
        norm.withScaled(site.weights.pointer(weight), count: layer.weightCount) { layer.pack($0, into: packed.pointer) }
        return Inference(layer: layer, packed: packed, bias: FloatBuffer(norm.bias), activation: norm.activation, N: site.N)
    }
}

private struct Inference: InferenceStep {
    let layer: GroupedConvolution
    let packed, bias: FloatBuffer
    let activation: Activation
    let N: Int

    var scratch: Scratch.Need { layer.inferenceScratch(N: N) }
    var floats: Int { packed.count + bias.count }

    func run(_ pass: InferencePass) -> UnsafePointer<Float>? {
        layer.forward(
            y: pass.y, x: pass.x, packed: packed.pointer, N: pass.N,
            epilogue: Epilogue(bias: bias.pointer, residual: pass.residual, activation: activation), scratch: pass.scratch)
        return nil
    }
}

extension GraphBuilder {
    /// Like ``convolution(_:_:_:kernel:stride:padding:)``, with the channels in groups.
    public mutating func groupedConvolution(_ name: String, _ x: Int, _ K: Int, kernel: Int, stride: Int = 1, groups: Int) -> Int {
        let weight = self.kernel(name, [K, width(x) / groups, kernel, kernel])
        return add(GroupedConvolutionOperation(weight: weight, kernel: kernel, stride: stride, K: K, groups: groups, padding: .keeping(kernel)), x)
    }
}
