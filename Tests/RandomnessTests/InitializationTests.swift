import Kernels
import Networks
import Testing

@Suite struct InitializationTests {
    let network: Network
    let weights: Weights

    init() throws {
        network = try #require(Network("resnet18", head: .mlp(hidden: 512, 128)))
        weights = Weights.initialized(network, seed: 11)
    }

    func values(_ index: Int, of weights: Weights) -> [Float] {
        Array(UnsafeBufferPointer(start: weights.pointer(index), count: network.parameters[index].count))
    }

    @Test func `convolutions are normal with Kaiming's deviation over the fan out`() {
        for (index, parameter) in network.parameters.enumerated() where parameter.role == .convolution {
            let v = values(index, of: weights).map { Double($0) }, n = Double(v.count)
            let expected = (2 / Double(parameter.shape[0] * parameter.shape[2] * parameter.shape[3])).squareRoot()
            let mean = v.reduce(0, +) / n, deviation = (v.reduce(0) { $0 + $1 * $1 } / n - mean * mean).squareRoot()
            // Five standard deviations of the sampling error.
            #expect(abs(mean) < 5 * expected / n.squareRoot(), "\(parameter.name)")
            #expect(abs(deviation / expected - 1) < 5 / (2 * n).squareRoot(), "\(parameter.name)")
            // Uniform numbers with this deviation would all lie within 1.74 of it.
            #expect(v.contains { abs($0) > 2.5 * expected }, "\(parameter.name)")
        }
    }

    @Test func `linear layers and their biases are uniform within one over the root of their inputs`() throws {
        for (name, inputs) in [("fc.0.weight", 512), ("fc.0.bias", 512), ("fc.2.weight", 512), ("fc.2.bias", 512)] {
            let index = try #require(network.parameters.firstIndex { $0.name == name })
            let v = values(index, of: weights).map { Double($0) }, bound = 1 / Double(inputs).squareRoot()
            #expect(v.allSatisfy { abs($0) <= bound * (1 + 1e-6) }, "\(name)")
            #expect(v.contains { $0 > 0.9 * bound } && v.contains { $0 < -0.9 * bound }, "\(name)")
            let square = v.reduce(0) { $0 + $1 * $1 } / Double(v.count)
            #expect(abs(square / (bound * bound / 3) - 1) < 5 * 0.9 / Double(v.count).squareRoot(), "\(name)")
        }
    }

    @Test func `linear layers of the mobile networks begin as torchvision draws them`() throws {
        func numbers(_ network: String, _ name: String) throws -> [Double] {
            let network = try #require(Network(network, head: .linear(400))), weights = Weights.initialized(network, seed: 3)
            let index = try #require(network.parameters.firstIndex { $0.name == name })
            return UnsafeBufferPointer(start: weights.pointer(index), count: network.parameters[index].count).map { Double($0) }
        }
        for name in ["classifier.0", "classifier.3"] {
            let v = try numbers("mobilenet-v3-large", name + ".weight"), n = Double(v.count)
            let deviation = (v.reduce(0) { $0 + $1 * $1 } / n).squareRoot()
            #expect(abs(deviation / 0.01 - 1) < 5 / (2 * n).squareRoot() && v.contains { abs($0) > 0.03 }, "\(name)")
            #expect(try numbers("mobilenet-v3-large", name + ".bias").allSatisfy { $0 == 0 })
        }
        let v = try numbers("efficientnet-b0", "classifier.1.weight")
        #expect(v.allSatisfy { abs($0) <= 0.05 + 1e-8 } && v.contains { abs($0) > 0.049 })
        #expect(try numbers("efficientnet-b0", "classifier.1.bias").allSatisfy { $0 == 0 })
        #expect(try numbers("efficientnet-b0", "features.2.0.block.2.fc1.bias").allSatisfy { $0 == 0 })
        let depthwise = try numbers("efficientnet-b0", "features.6.1.block.1.0.weight"), n = Double(depthwise.count)
        let deviation = (depthwise.reduce(0) { $0 + $1 * $1 } / n).squareRoot()
        #expect(abs(deviation / (2 / (1152.0 * 25)).squareRoot() - 1) < 5 / (2 * n).squareRoot())
    }

    @Test func `batch norms begin as the identity`() {
        for (index, parameter) in network.parameters.enumerated() where parameter.name.contains("bn") || parameter.name.contains("downsample.1") {
            let expected: Float = parameter.role == .scale ? 1 : 0
            #expect(values(index, of: weights).allSatisfy { $0 == expected }, "\(parameter.name)")
        }
        let statistics = weights.statistics.array
        for s in network.statistics {
            #expect(statistics[s.offset..<(s.offset + s.C)].allSatisfy { $0 == 0 })
            #expect(statistics[(s.offset + s.C)..<(s.offset + 2 * s.C)].allSatisfy { $0 == 1 })
        }
        #expect(weights.batchesSeen.allSatisfy { $0 == 0 })
    }

    @Test(arguments: [("resnet18", "bn2"), ("resnet50", "bn3"), ("regnet-y-400mf", "f.c.1"), ("mobilenet-v2", "conv.3")])
    func `on request the last batch norm of each residual block begins with zeros, and nothing else differs`(_ name: String, _ norm: String) throws {
        let network = try #require(Network(name, head: .linear(8))), usual = Weights.initialized(network, seed: 4), zero = Weights.initialized(network, seed: 4, zeroInitResidual: true)
        var count = 0
        for (index, parameter) in network.parameters.enumerated() {
            let v = UnsafeBufferPointer(start: zero.pointer(index), count: parameter.count), u = UnsafeBufferPointer(start: usual.pointer(index), count: parameter.count)
            if v.elementsEqual(u) { continue }
            count += 1
            let isLast = parameter.name.hasSuffix(norm + ".weight"), isZero = v.allSatisfy { $0 == 0 }
            #expect(isLast && isZero, "\(parameter.name)")
        }
        // MobileNetV2 has shortcuts in ten of its seventeen blocks.
        #expect(count == ["resnet18": 8, "resnet50": 16, "regnet-y-400mf": 16, "mobilenet-v2": 10][name])
    }

    @Test func `the seed alone decides, and no two tensors share their numbers`() {
        let equal = Weights.initialized(network, seed: 11).parameters.array == weights.parameters.array
        #expect(equal)
        let other = Weights.initialized(network, seed: 12)
        var beginnings = Set<[Float]>()
        let drawn = network.parameters.indices.filter { values($0, of: weights).prefix(8).contains { $0 != 0 && $0 != 1 } }
        for index in drawn {
            let differs = values(index, of: weights) != values(index, of: other)
            #expect(differs, "\(network.parameters[index].name)")
            // With the scale divided out, two parameters would be equal here if they were drawn from the same numbers.
            let v = values(index, of: weights)
            beginnings.insert(v.prefix(4).map { ($0 / v[0] * 1000).rounded() })
        }
        #expect(beginnings.count == drawn.count && drawn.count == 24)
    }
}
