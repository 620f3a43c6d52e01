import Kernels
import Layers

/// An operation of a vision transformer. For inference only, since transformers are teachers here and never students.
protocol TransformerOperation: Operation {}

extension TransformerOperation {
    var isForInferenceAlone: Bool { true }
    func training(_ site: TrainingSite) -> any TrainingStep { preconditionFailure("\(kind) is not trained: Network.trains says so") }
    func export(to graph: inout ExchangeGraph, _ x: String, residual: String?) -> String { preconditionFailure("\(kind) is not written as ONNX: Network.trains says so") }
}

/// (N, H, W, C) → (N, 1, T, K): tokens of the image's patches, after a class token and registers. See
/// ``PatchEmbedding``.
struct PatchEmbeddingOperation: TransformerOperation {
    let weight, bias, classToken, positions: Int
    /// nil without registers.
    let registers: Int?
    let P, K: Int
    let table: PositionTable
    let registerCount: Int

    var parameter: Int? { weight }
    var kind: String { "patches \(P)×\(P)" }
    var imageMultiple: Int { P }
    func outputShape(_ x: Shape) -> Shape { Shape(H: 1, W: 1 + registerCount + (x.H / P) * (x.W / P), C: K) }
    func multiplyAdds(_ x: Shape, _ y: Shape) -> Int { (x.H / P) * (x.W / P) * P * P * x.C * K }

    func inference(_ site: InferenceSite) -> InferenceForm {
        func numbers(_ parameter: Int) -> [Float] {
            Array(UnsafeBufferPointer(start: site.weights.pointer(parameter), count: site.weights.network.parameters[parameter].count))
        }
        let all = numbers(positions), own = table.hasClass ? Array(all[..<K]) : [], grid = Array(all[own.count...])
        var tokens = numbers(classToken)
        for (c, position) in own.enumerated() { tokens[c] += position }
        if let registers { tokens += numbers(registers) }
        tokens += PositionGrid.resized(grid, G: table.side, h: site.x.H / P, w: site.x.W / P, C: K, table.interpolation)
        let layer = PatchEmbedding(
            H: site.x.H, W: site.x.W, C: site.x.C, P: P, K: K, tokens: tokens, weights: site.weights.pointer(weight), bias: site.weights.pointer(bias))
        return .step(Step(floats: layer.floats) { layer.forward(y: $0.y, x: $0.x, N: $0.N) })
    }
}

/// (N, 1, T, C) → (N, 1, T', C): attention plus the residual. See ``Attention``.
struct AttentionOperation: TransformerOperation {
    let norm, qkv, output: (weight: Int, bias: Int)
    /// nil without LayerScale.
    let layerScale: Int?
    let heads: Int
    let epsilon: Float
    /// Whether only the class token is passed on: the reader of the last block's output needs no other.
    let onlyClass: Bool

    var parameter: Int? { qkv.weight }
    var kind: String { "attention" }
    func outputShape(_ x: Shape) -> Shape { onlyClass ? Shape(H: 1, W: 1, C: x.C) : x }

    func multiplyAdds(_ x: Shape, _ y: Shape) -> Int {
        // k and v; q and the output; scores and their product with v.
        2 * x.W * x.C * x.C + 2 * y.W * x.C * x.C + 2 * x.W * y.W * x.C
    }

    func inference(_ site: InferenceSite) -> InferenceForm {
        let p = site.weights
        let layer = Attention(
            T: site.x.W, C: site.x.C, heads: heads, onlyFirst: onlyClass, epsilon: epsilon,
            Attention.Parameters(
                normScale: p.pointer(norm.weight), normBias: p.pointer(norm.bias), qkv: p.pointer(qkv.weight), qkvBias: p.pointer(qkv.bias),
                output: p.pointer(output.weight), outputBias: p.pointer(output.bias), layerScale: layerScale.map { UnsafePointer(p.pointer($0)) }))
        return .step(Step(floats: layer.floats, scratch: layer.scratch(N: site.N)) { layer.forward(y: $0.y, x: $0.x, N: $0.N, scratch: $0.scratch) })
    }
}

/// (N, 1, T, C) → (N, 1, T, C): two linear layers plus the residual. See ``FeedForward``.
struct FeedForwardOperation: TransformerOperation {
    let norm, first, second: (weight: Int, bias: Int)
    /// nil without LayerScale.
    let layerScale: Int?
    let F: Int
    let epsilon: Float

    var parameter: Int? { first.weight }
    var kind: String { "feed forward" }
    func outputShape(_ x: Shape) -> Shape { x }
    func multiplyAdds(_ x: Shape, _ y: Shape) -> Int { 2 * x.W * x.C * F }

    func inference(_ site: InferenceSite) -> InferenceForm {
        let p = site.weights, T = site.x.W
        let layer = FeedForward(
            C: site.x.C, F: F, epsilon: epsilon,
            FeedForward.Parameters(
                normScale: p.pointer(norm.weight), normBias: p.pointer(norm.bias), first: p.pointer(first.weight), firstBias: p.pointer(first.bias),
                second: p.pointer(second.weight), secondBias: p.pointer(second.bias), layerScale: layerScale.map { UnsafePointer(p.pointer($0)) }))
        return .step(Step(floats: layer.floats, scratch: layer.scratch(), canReplaceInput: true) { layer.forward(y: $0.y, x: $0.x, M: $0.N * T, scratch: $0.scratch) })
    }
}

/// (N, 1, T, C) → (N, 1, 1, C): the first token of each image after a layer norm. See ``LayerNorm``.
struct ClassTokenOperation: TransformerOperation {
    let weight, bias: Int
    let epsilon: Float

    var parameter: Int? { weight }
    var kind: String { "layer norm" }
    func outputShape(_ x: Shape) -> Shape { Shape(H: 1, W: 1, C: x.C) }

    func inference(_ site: InferenceSite) -> InferenceForm {
        let layer = LayerNorm(C: site.x.C, epsilon: epsilon, scale: site.weights.pointer(weight), bias: site.weights.pointer(bias)), T = site.x.W
        return .step(Step(floats: layer.floats) { layer.forward(y: $0.y, x: $0.x, stride: T * layer.C, N: $0.N) })
    }
}

private struct Step: InferenceStep {
    let floats: Int
    var scratch = Scratch.Need()
    var canReplaceInput = false
    let body: (InferencePass) -> Void

    init(floats: Int, scratch: Scratch.Need = Scratch.Need(), canReplaceInput: Bool = false, body: @escaping (InferencePass) -> Void) {
        (self.floats, self.scratch, self.canReplaceInput, self.body) = (floats, scratch, canReplaceInput, body)
    }

    func run(_ pass: InferencePass) -> UnsafePointer<Float>? {
        body(pass)
        return nil
    }
}

extension GraphBuilder {
    private mutating func pair(_ name: String, _ O: Int, _ I: Int) -> (weight: Int, bias: Int) {
        // The programs that train them use a truncated normal; a network initialized here only serves as a teacher in
        // tests.
        (parameter(name + ".weight", [O, I], .matrix, .normal(0.02)), parameter(name + ".bias", [O], .bias, .constant(0)))
    }

    private mutating func norm(_ name: String, _ C: Int) -> (weight: Int, bias: Int) {
        (parameter(name + ".weight", [C], .scale, .constant(1)), parameter(name + ".bias", [C], .bias, .constant(0)))
    }

    /// - Parameter registers: the number of registers.
    mutating func patchEmbedding(_ x: Int, K: Int, patch P: Int, _ table: PositionTable, registers: Int) -> Int {
        let weight = parameter("patch_embed.proj.weight", [K, width(x), P, P], .convolution, .normal(0.02))
        let bias = parameter("patch_embed.proj.bias", [K], .bias, .constant(0))
        let classToken = parameter("cls_token", [1, 1, K], .bias, .normal(0.02)), positions = parameter("pos_embed", [1, table.count, K], .bias, .normal(0.02))
        let own = registers > 0 ? parameter("register_tokens", [1, registers, K], .bias, .normal(0.02)) : nil
        return add(
            PatchEmbeddingOperation(
                weight: weight, bias: bias, classToken: classToken, positions: positions, registers: own, P: P, K: K, table: table, registerCount: registers), x)
    }

    /// - Parameter layerScale: whether γ is applied before the sum, as `NAME.ls1.gamma`.
    mutating func attention(_ name: String, _ x: Int, heads: Int, layerScale: Bool, epsilon: Float, onlyClass: Bool) -> Int {
        let C = width(x), norm = norm(name + ".norm1", C), qkv = pair(name + ".attn.qkv", 3 * C, C), output = pair(name + ".attn.proj", C, C)
        let scale = layerScale ? parameter(name + ".ls1.gamma", [C], .scale, .constant(1)) : nil
        return add(AttentionOperation(norm: norm, qkv: qkv, output: output, layerScale: scale, heads: heads, epsilon: epsilon, onlyClass: onlyClass), x)
    }

    mutating func feedForward(_ name: String, _ x: Int, F: Int, layerScale: Bool, epsilon: Float) -> Int {
        let C = width(x), norm = norm(name + ".norm2", C), first = pair(name + ".mlp.fc1", F, C), second = pair(name + ".mlp.fc2", C, F)
        let scale = layerScale ? parameter(name + ".ls2.gamma", [C], .scale, .constant(1)) : nil
        return add(FeedForwardOperation(norm: norm, first: first, second: second, layerScale: scale, F: F, epsilon: epsilon), x)
    }

    mutating func classToken(_ name: String, _ x: Int, epsilon: Float) -> Int {
        let norm = norm(name, width(x))
        return add(ClassTokenOperation(weight: norm.weight, bias: norm.bias, epsilon: epsilon), x)
    }
}
