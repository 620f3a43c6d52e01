import Kernels
import Networks
import TestSupport
import Testing

@Suite struct HeadTests {
    static let whole = Head([.linear(96, bias: false), .batchNorm(), .relu, .linear(32), .batchNorm(affine: false), .l2Norm])

    /// `images` of one channel, 20×24.
    private func network() throws -> Weights {
        formulaWeights(try #require(Network("tiny-resnet10", head: Self.whole, channels: 1)))
    }

    @Test func `a head of every kind of layer, on images of one channel, is PyTorch's in evaluation mode`() throws {
        let golden = try Golden("layers"), weights = try network()
        let run = InferenceRun(weights, output: .embedding, height: 20, width: 24)
        var result = [Float](repeating: .nan, count: 6 * 32)
        run.run(images: formula("images", 6 * 20 * 24), N: 6, into: &result)
        #expect(relativeError(result, try golden.floats("head.inference").map(Double.init)) < 1e-5)
    }

    @Test func `its outputs, gradients and running statistics in training mode are PyTorch's`() throws {
        let golden = try Golden("layers"), weights = try network(), network = weights.network
        let run = TrainingRun(network, N: 6, height: 20, width: 24)
        let y = run.forward(weights, images: formula("images", 6 * 20 * 24))
        // Batch norms over six rows divide by small deviations: the choice of kernels by processor changes the result
        // by 1e-5.
        let error = relativeError(Array(UnsafeBufferPointer(start: y, count: 6 * 32)), try golden.floats("head.training").map(Double.init))
        #expect(error < 3e-5, "\(error)")
        let gradients = FloatBuffer(network.parameterCount)
        run.backward(weights, dOutput: formula("gradient", 6 * 32), dParameters: gradients)
        let judged = network.parameters.filter { $0.name.hasPrefix("fc.") || $0.name == "conv1.weight" }
        #expect(judged.map(\.name) == ["conv1.weight", "fc.0.weight", "fc.1.weight", "fc.1.bias", "fc.3.weight", "fc.3.bias"])
        for parameter in judged where parameter.name != "fc.3.bias" {
            let g = parameter.portable(Array(gradients.buffer[parameter.offset..<(parameter.offset + parameter.count)]))
            #expect(relativeError(g, try golden.floats("head.gradient." + parameter.name).map(Double.init)) < 1e-4, "\(parameter.name)")
        }
        // The following batch norm removes what the bias adds: its gradient is zero except for rounding.
        let bias = try #require(judged.last), weight = try #require(judged.dropLast().last)
        #expect((0..<bias.count).allSatisfy { abs(gradients.pointer[bias.offset + $0]) < 1e-5 } && (0..<weight.count).contains { abs(gradients.pointer[weight.offset + $0]) > 1e-3 })
        let last = try #require(network.statistics.last)
        let running = weights.statistics.array[last.offset..<(last.offset + 2 * last.C)]
        let expected = try golden.floats("head.running_mean") + golden.floats("head.running_var")
        #expect(last.name == "fc.4" && relativeError(Array(running), expected.map(Double.init)) < 1e-5)
    }

    @Test func `a head is its text, and what its tensors' names and shapes tell`() throws {
        for head in [Head.linear(7), .mlp(hidden: 20, 5), Self.whole, Head([.linear(8), .relu, .linear(6), .relu, .linear(4, bias: false)]), Head([.linear(5), .l2Norm]),
            Head([.linear(8, bias: false), .batchNorm(), .relu, .linear(6, bias: false), .batchNormWithoutBias]), Head([.linear(8), .gelu, .linear(6)])] {
            #expect(Head(text: head.text) == head)
            let network = try #require(Network("tiny-resnet10", head: head))
            var shapes = Dictionary(uniqueKeysWithValues: network.parameters.map { ($0.name, $0.shape) })
            for s in network.statistics { shapes[s.name + ".running_mean"] = [s.C] }
            let found = try #require(Head(of: shapes, name: "fc"))
            #expect((found == head) == head.isToldByTensors, "\(found.text)")
            #expect(network.embeddingWidth == head.dimension)
        }
        #expect(Head(of: ["conv1.weight": [4, 3, 3, 3]], name: "fc") == Head.none)
        for text in ["", "linear", "linear 0", "linear x", "relu 3", "linear 4 bias", "batch-norm affine", "dense 4", "linear 4,, relu x"] { #expect(Head(text: text) == nil, "\(text)") }
    }

    /// Layers and numbers of parameters, as in the papers' code for these features.
    @Test(arguments: [
        ("moco-v1", 2048, "linear 128", 262_272), ("moco-v2", 2048, "linear 2048, relu, linear 128", 4_458_624), ("moco-v2", 512, "linear 512, relu, linear 128", 328_320),
        ("moco-v3", 2048, "linear 4096 no-bias, batch-norm, relu, linear 256 no-bias, batch-norm no-affine", 9_445_376),
        ("simclr", 2048, "linear 2048 no-bias, batch-norm, relu, linear 128 no-bias, batch-norm no-bias", 4_460_672),
        ("simclr-v2", 2048, "linear 2048 no-bias, batch-norm, relu, linear 2048 no-bias, batch-norm, relu, linear 128 no-bias, batch-norm no-bias", 8_659_072),
        ("simclr-seed", 2048, "linear 2048, batch-norm, relu, linear 128", 4_462_720), ("simclr-vissl", 2048, "linear 2048, relu, linear 128", 4_458_624),
        ("swav", 2048, "linear 2048, batch-norm, relu, linear 128, l2-norm", 4_462_720), ("swav", 4096, "linear 8192, batch-norm, relu, linear 128, l2-norm", 34_627_712),
        ("swav-no-batch-norm", 10240, "linear 10240, relu, linear 128, l2-norm", 106_178_688), ("byol", 2048, "linear 4096, batch-norm, relu, linear 256 no-bias", 9_449_472),
        ("simsiam", 2048, "linear 2048 no-bias, batch-norm, relu, linear 2048 no-bias, batch-norm, relu, linear 2048, batch-norm no-affine", 12_593_152),
        ("barlow-twins", 2048, "linear 8192 no-bias, batch-norm, relu, linear 8192 no-bias, batch-norm, relu, linear 8192 no-bias", 151_027_712),
        ("dino", 384, "linear 2048, gelu, linear 2048, gelu, linear 256, l2-norm", 384 * 2048 + 2048 + 2048 * 2048 + 2048 + 2048 * 256 + 256),
        ("disco", 512, "linear 2048, relu, linear 128", 1_312_896),
        ("prototype-scores", 512, "linear 2048, batch-norm, relu, linear 3000", 512 * 2048 + 2048 + 2 * 2048 + 2048 * 3000 + 3000),
        ("simreg", 512, "linear 1024, batch-norm, relu, linear 512, linear 1024, batch-norm, relu, linear 2048", 3_678_720),
    ])
    func `heads of papers have their layers and parameters`(name: String, features: Int, text: String, parameters: Int) throws {
        let head = try #require(Head.named(name, features: features))
        #expect(head.text == text && head == Head(text: text))
        #expect(Network(head, inputs: features).parameters.reduce(0) { $0 + $1.count } == parameters)
        #expect(Head.named(name, features: features, embedding: 77)?.dimension == 77 && Head.names.contains(name))
    }

    @Test func `no head has another name`() { #expect(Head.named("moco", features: 8) == nil && Head.names.count == 16) }

    @Test func `a batch norm with a scale alone is one whose bias is zero`() throws {
        let layers: [Head.Layer] = [.linear(7), .batchNorm(), .relu, .linear(5)]
        let whole = Network(Head(layers + [.batchNorm()]), inputs: 9), part = Network(Head(layers + [.batchNormWithoutBias]), inputs: 9)
        let (a, b) = (formulaWeights(whole), formulaWeights(part)), x = formula("x", 6 * 9), dy = formula("dy", 6 * 5)
        let bias = try #require(whole.parameters.last), N = 6
        #expect(bias.name == "4.bias" && part.parameters.map(\.name) == whole.parameters.dropLast().map(\.name))
        a.pointer(whole.parameters.count - 1).update(repeating: 0, count: bias.count)
        func results(_ weights: Weights) -> [[Float]] {
            let run = TrainingRun(weights.network, N: N, height: 1, width: 1), gradients = FloatBuffer(weights.network.parameterCount)
            let y = Array(UnsafeBufferPointer(start: run.forward(weights, images: x), count: dy.count))
            run.backward(weights, dOutput: dy, dParameters: gradients)
            let inference = InferenceRun(weights, output: .embedding, height: 1, width: 1)
            var embedded = [Float](repeating: .nan, count: dy.count)
            inference.run(images: x, N: N, into: &embedded)
            return [y, embedded] + weights.network.parameters.prefix(part.parameters.count).map { Array(gradients.buffer[$0.offset..<($0.offset + $0.count)]) }
        }
        #expect(results(a) == results(b))
    }

    @Test func `a batch norm and a rectifier behind it are one operation`() throws {
        let plain = try #require(Network("tiny-resnet10", head: .none)), network = try #require(Network("tiny-resnet10", head: Self.whole))
        let kinds = network.graph.nodes.indices.dropFirst(plain.graph.nodes.count).map { network.kind($0) }
        #expect(kinds == ["linear", "batch norm, relu", "linear", "batch norm", "L2 norm"])
        let names = network.graph.nodes.indices.suffix(5).map { network.layer($0) }
        #expect(names == ["fc.0", "fc.1", "fc.3", "fc.4", "l2-norm"])
    }
}
