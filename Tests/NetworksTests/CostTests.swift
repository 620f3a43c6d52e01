import Networks
import Testing

struct CostTests {
    /// Billions of multiply-adds that torchvision gives for each of its weights (`_ops`), which count the same head.
    @Test(arguments: [("resnet18", 1.814), ("resnet34", 3.664), ("resnet50", 4.089), ("mobilenet-v3-large", 0.217), ("efficientnet-b0", 0.386)])
    func `the work of an image is what torchvision says`(name: String, billions: Double) throws {
        let network = try #require(Network(name, head: .linear(1000)))
        let counts = network.graph.multiplyAdds(height: 224, width: 224)
        #expect(abs(1e-9 * Double(counts.reduce(0, +)) - billions) < 0.001)
    }

    @Test func `values are moved at least once, and more to train`() throws {
        let graph = try #require(Network("tiny-resnet10", head: .none)).graph
        let made = graph.shapes(height: 32, width: 32).reduce(0) { $0 + $1.H * $1.W * $1.C }
        let forward = graph.valuesMoved(height: 32, width: 32, training: false), training = graph.valuesMoved(height: 32, width: 32, training: true)
        #expect(forward > made / 2 && training > 3 * forward && training < 20 * made)
        // Four times the pixels give four times the traffic, except for values without a position.
        let larger = graph.valuesMoved(height: 64, width: 64, training: true)
        #expect(abs(Double(larger) / Double(training) - 4) < 0.05)
    }

    @Test func `every operation has a name and a kind`() throws {
        let network = try #require(Network("resnet50", head: .mlp(hidden: 2048, 128)))
        let layers = network.graph.nodes.indices.map { (network.layer($0), network.kind($0)) }
        #expect(layers.allSatisfy { !$0.0.isEmpty && !$0.1.isEmpty })
        #expect(layers.contains { $0 == ("conv1", "7×7 stride 2") } && layers.contains { $0 == ("layer2.0.conv2", "3×3 stride 2") })
        #expect(layers.contains { $0 == ("layer1.0.bn3", "batch norm, sum, relu") } && layers.contains { $0 == ("fc.0", "linear") })
    }

    @Test(arguments: ["efficientnet-b0", "mobilenet-v3-large"])
    func `all squeeze-excites leave their products to the convolution behind them`(name: String) throws {
        let graph = try #require(Network(name, head: .none)).graph, fusion = Fusion(graph, graph.shapes(height: 64, width: 64))
        let excites = graph.nodes.map { $0.operation is SqueezeExciteOperation }
        #expect(excites.count { $0 } >= 8 && fusion.gatesInConsumer == excites)
    }
}
