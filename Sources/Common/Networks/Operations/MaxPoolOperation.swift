import Kernels
import Layers

/// (N, H, W, C) → (N, H', W', C). See ``MaxPool``.
public struct MaxPoolOperation: Operation {
    let kernel, stride: Int
    let padding: Padding

    private func layer(_ x: Shape) -> MaxPool { MaxPool(window: x.window(kernel: kernel, stride: stride, padding: padding)) }

    public var needsSquareImages: Bool { padding == .same }
    public var kind: String { "pooling" }
    public var name: String { "maxpool" }

    public func outputShape(_ x: Shape) -> Shape { x.output(of: x.window(kernel: kernel, stride: stride, padding: padding), K: x.C) }

    public func training(_ site: TrainingSite) -> any TrainingStep { Training(layer(site.x), site) }
    public func inference(_ site: InferenceSite) -> InferenceForm { .step(Inference(layer: layer(site.x))) }

    public func export(to graph: inout ExchangeGraph, _ x: String, residual: String?) -> String {
        graph.node("MaxPool", [x], graph.window(kernel: kernel, stride: stride, padding: padding))
    }
}

private final class Training: TrainingStep {
    private let layer: MaxPool
    private let N: Int
    /// The position of each output within its window, (N, H', W', C).
    private let argmax: UnsafeMutableBufferPointer<UInt8>

    init(_ layer: MaxPool, _ site: TrainingSite) {
        (self.layer, N) = (layer, site.N)
        argmax = .allocate(capacity: site.N * site.y.count)
    }

    deinit { argmax.deallocate() }

    var workspace: Workspace { Workspace(saved: argmax.count) }

    func forward(_ pass: ForwardPass) { layer.forward(y: pass.y, argmax: argmax.baseAddress, x: pass.x, N: N) }

    func backward(_ pass: BackwardPass) -> NormalizedGradient? {
        guard let dx = pass.dx, let argmax = argmax.baseAddress else { return nil }
        layer.backward(dx: dx, adding: pass.addsToInput, dy: pass.dy, argmax: argmax, N: N)
        pass.lap(.toData)
        return nil
    }
}

private struct Inference: InferenceStep {
    let layer: MaxPool

    func run(_ pass: InferencePass) -> UnsafePointer<Float>? {
        layer.forward(y: pass.y, argmax: nil, x: pass.x, N: pass.N)
        return nil
    }
}

extension GraphBuilder {
    public mutating func maxPool(_ x: Int, kernel: Int, stride: Int, padding: Padding? = nil) -> Int {
        add(MaxPoolOperation(kernel: kernel, stride: stride, padding: padding ?? .keeping(kernel)), x)
    }
}
