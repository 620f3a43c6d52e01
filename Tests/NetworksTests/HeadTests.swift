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
        #expect(relativeError(Array(UnsafeBufferPointer(start: y, count: 6 * 32)), try golden.floats("head.training").map(Double.init)) < 1e-5)
        let gradients = FloatBuffer(network.parameterCount)
        run.backward(weights, dOutput: formula("gradient", 6 * 32), dParameters: gradients)
        let judged = network.parameters.filter { $0.name.hasPrefix("fc.") || $0.name == "conv1.weight" }
        #expect(judged.map(\.name) == ["conv1.weight", "fc.0.weight", "fc.1.weight", "fc.1.bias", "fc.3.weight", "fc.3.bias"])
        for parameter in judged where parameter.name != "fc.3.bias" {
            let g = parameter.portable(Array(gradients.buffer[parameter.offset..<(parameter.offset + parameter.count)]))
            #expect(relativeError(g, try golden.floats("head.gradient." + parameter.name).map(Double.init)) < 1e-4, "\(parameter.name)")
        }
        // The batch norm behind it takes off what the bias adds: its gradient is zero but for rounding.
        let bias = try #require(judged.last), weight = try #require(judged.dropLast().last)
        #expect((0..<bias.count).allSatisfy { abs(gradients.pointer[bias.offset + $0]) < 1e-5 } && (0..<weight.count).contains { abs(gradients.pointer[weight.offset + $0]) > 1e-3 })
        let last = try #require(network.statistics.last)
        let running = weights.statistics.array[last.offset..<(last.offset + 2 * last.C)]
        let expected = try golden.floats("head.running_mean") + golden.floats("head.running_var")
        #expect(last.name == "fc.4" && relativeError(Array(running), expected.map(Double.init)) < 1e-5)
    }

    @Test func `a head is its text, and what its tensors' names and shapes tell`() throws {
        for head in [Head.linear(7), .mlp(hidden: 20, 5), Self.whole, Head([.linear(8), .relu, .linear(6), .relu, .linear(4, bias: false)]), Head([.linear(5), .l2Norm])] {
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

    @Test func `a batch norm and a rectifier behind it are one operation`() throws {
        let plain = try #require(Network("tiny-resnet10", head: .none)), network = try #require(Network("tiny-resnet10", head: Self.whole))
        let kinds = network.graph.nodes.indices.dropFirst(plain.graph.nodes.count).map { network.kind($0) }
        #expect(kinds == ["linear", "batch norm, relu", "linear", "batch norm", "L2 norm"])
        let names = network.graph.nodes.indices.suffix(5).map { network.layer($0) }
        #expect(names == ["fc.0", "fc.1", "fc.3", "fc.4", "l2-norm"])
    }
}
