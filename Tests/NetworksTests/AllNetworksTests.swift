import Kernels
import Networks
import TensorStreams
import Testing
import TestSupport

/// Every trainable network against torchvision's or its definition in `Tests/golden/networks.py`: the numbers of
/// `Tests/golden/all_networks.py`.
@Suite struct AllNetworksTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let name: String
        /// The blocks of each stage; nil for all.
        var blocks: [Int]?
        let N: Int, H: Int, W: Int
        var testDescription: String { "\(name), \(blocks.map { "\($0) blocks" } ?? "whole"), \(N) images of \(H)×\(W)" }
        var key: String { "\(name).\(blocks.map { $0.map(String.init).joined(separator: "-") } ?? "all").\(N).\(H).\(W)" }

        /// Networks with given blocks have an MLP head.
        var weights: Weights {
            guard let blocks else { return formulaWeights(name) }
            guard let trunk = Network(name, head: .none, blocks: blocks), let network = Network(name, head: .mlp(hidden: trunk.featureWidth, 128), blocks: blocks) else {
                preconditionFailure("\(name) has no blocks")
            }
            return formulaWeights(network)
        }
    }

    /// The networks that ``ParityTests`` lacks; the widest with fewer blocks and stages.
    static let trained = [
        Case(name: "resnet152", N: 2, H: 64, W: 64), Case(name: "wide-resnet101-2", blocks: [1, 1, 2, 1], N: 2, H: 64, W: 64), Case(name: "resnet50-w4", blocks: [1, 1, 1], N: 2, H: 64, W: 64),
        Case(name: "resnet50-w5", blocks: [1, 1, 1], N: 2, H: 48, W: 64), Case(name: "efficientnet-b2", N: 3, H: 75, W: 97), Case(name: "efficientnet-lite1", N: 4, H: 66, W: 66),
        Case(name: "regnet-y-3.2gf", N: 3, H: 64, W: 64), Case(name: "regnet-y-32gf", blocks: [1, 1, 1, 1], N: 2, H: 64, W: 64),
        Case(name: "regnet-y-64gf", blocks: [1, 1, 1], N: 2, H: 48, W: 64), Case(name: "regnet-y-128gf", blocks: [1, 1, 1], N: 2, H: 64, W: 48),
        Case(name: "regnet-y-256gf", blocks: [1, 1, 1], N: 2, H: 48, W: 48), Case(name: "tiny-resnet18", N: 5, H: 33, W: 27), Case(name: "resnet34-small-stem", N: 3, H: 33, W: 27),
        Case(name: "resnet101-small-stem", blocks: [1, 1, 2, 1], N: 2, H: 32, W: 32), Case(name: "resnet152-small-stem", blocks: [1, 2, 1, 1], N: 2, H: 33, W: 27),
        Case(name: "resnet50-w2-small-stem", blocks: [1, 1, 1], N: 2, H: 32, W: 32), Case(name: "resnet50-w4-small-stem", blocks: [1, 1], N: 2, H: 17, W: 24),
        Case(name: "resnet50-w5-small-stem", blocks: [1, 1], N: 2, H: 16, W: 16), Case(name: "wide-resnet50-2-small-stem", blocks: [1, 1, 1], N: 2, H: 33, W: 27),
        Case(name: "wide-resnet101-2-small-stem", blocks: [1, 2, 1], N: 2, H: 32, W: 32),
    ]

    /// All networks that fit in memory: whole ones, and some with fewer blocks.
    static let pooled =
        [
            Case(name: "resnet18", N: 3, H: 45, W: 71), Case(name: "resnet34", N: 2, H: 48, W: 64), Case(name: "resnet50", N: 2, H: 64, W: 64), Case(name: "resnet101", N: 2, H: 64, W: 64),
            Case(name: "resnet152", N: 2, H: 64, W: 64), Case(name: "resnet50-same", N: 2, H: 75, W: 75), Case(name: "wide-resnet50-2", N: 2, H: 64, W: 64),
            Case(name: "wide-resnet101-2", N: 2, H: 64, W: 64), Case(name: "resnet50-w2", N: 2, H: 64, W: 64), Case(name: "mobilenet-v2", N: 2, H: 97, W: 75),
            Case(name: "mobilenet-v3-small", N: 2, H: 97, W: 75), Case(name: "mobilenet-v3-large", N: 2, H: 97, W: 75), Case(name: "efficientnet-b0", N: 2, H: 75, W: 97),
            Case(name: "efficientnet-b1", N: 2, H: 75, W: 97), Case(name: "efficientnet-b2", N: 2, H: 75, W: 97), Case(name: "efficientnet-b3", N: 2, H: 75, W: 97),
            Case(name: "efficientnet-lite0", N: 2, H: 75, W: 75), Case(name: "efficientnet-lite1", N: 2, H: 66, W: 66), Case(name: "efficientnet-lite2", N: 2, H: 66, W: 66),
            Case(name: "regnet-y-400mf", N: 2, H: 75, W: 97), Case(name: "regnet-y-800mf", N: 2, H: 75, W: 97), Case(name: "regnet-y-1.6gf", N: 2, H: 75, W: 97),
            Case(name: "regnet-y-3.2gf", N: 2, H: 75, W: 97), Case(name: "regnet-y-8gf", N: 2, H: 64, W: 64), Case(name: "regnet-y-16gf", N: 2, H: 64, W: 64),
            Case(name: "seed-mobilenet-v3-large", N: 2, H: 97, W: 75), Case(name: "seed-efficientnet-b0", N: 2, H: 75, W: 97), Case(name: "seed-efficientnet-b1", N: 2, H: 75, W: 97),
            Case(name: "small-resnet18", N: 2, H: 33, W: 27), Case(name: "tiny-resnet18", N: 2, H: 33, W: 27), Case(name: "tiny-resnet10", N: 2, H: 33, W: 27),
            Case(name: "resnet18-small-stem", N: 2, H: 33, W: 27), Case(name: "resnet34-small-stem", N: 2, H: 33, W: 27), Case(name: "resnet50-small-stem", N: 2, H: 32, W: 32),
        ] + trained.filter { $0.blocks != nil }

    let document: TensorDocument

    init() throws { document = try DocumentFile.read(golden("all-networks.safetensors")) }

    // Ranks, shards and batches of other sizes give the same embeddings, to the last bit.
    @Test(arguments: pooled)
    func `an image has the same embedding whatever comes with it`(_ c: Case) {
        let N = 37, weights = c.weights, D = weights.network.embeddingWidth, size = c.H * c.W * 3
        let images = formula("images", N * size)
        func run(_ rows: Range<Int>) -> [Float] {
            let run = InferenceRun(weights, output: .embedding, height: c.H, width: c.W, batch: rows.count)
            var values = [Float](repeating: 0, count: rows.count * D)
            images.withUnsafeBufferPointer { images in
                guard let images = images.baseAddress else { return }
                run.run(images: images + rows.lowerBound * size, N: rows.count, into: &values)
            }
            return values
        }
        let whole = run(0..<N)
        for cuts in [[0, 1, 3, 8, 24, 37], [0, 16, 32, 37]] {
            let parts = zip(cuts, cuts.dropFirst()).flatMap { run($0..<$1) }
            #expect(firstDifference(parts, whole) == nil, "cut at \(cuts)")
        }
    }

    private func doubles(_ key: String) throws -> [Double] { try #require(document.tensors[key]).withElements(as: Double.self) { Array($0) } }

    @Test(arguments: trained)
    func `the folded network gives PyTorch's output in evaluation mode`(_ c: Case) throws {
        let run = InferenceRun(c.weights, output: .embedding, height: c.H, width: c.W)
        var result = [Float](repeating: .nan, count: c.N * 128)
        run.run(images: formula("pictures", c.N * c.H * c.W * 3), N: c.N, into: &result)
        #expect(relativeError(result, try doubles(c.key + ".inference")) < 1e-5)
    }

    @Test(arguments: trained)
    func `outputs and all gradients in training mode are PyTorch's`(_ c: Case) throws {
        try Differences(c.weights, N: c.N, H: c.H, W: c.W, document, c.key).expectSmall(c.testDescription)
    }

    /// For each image, the length of its features and sixteen of them.
    @Test(arguments: pooled)
    func `pooled features are PyTorch's`(_ c: Case) throws {
        let weights = c.weights, d = weights.network.featureWidth, run = InferenceRun(weights, output: .features, height: c.H, width: c.W)
        var result = [Float](repeating: .nan, count: c.N * d)
        run.run(images: formula("pictures", c.N * c.H * c.W * 3), N: c.N, into: &result)
        let expected = try doubles(c.key + ".features")
        try #require(expected.count == c.N * 17)
        for n in 0..<c.N {
            let row = result[(n * d)..<((n + 1) * d)].map(Double.init), length = row.reduce(0) { $0 + $1 * $1 }.squareRoot(), own = expected[(n * 17)..<((n + 1) * 17)]
            let found = [Float(length)] + (0..<16).map { Float(row[$0 * (d / 16)]) }
            #expect(relativeError(found, Array(own)) < 1e-5, "image \(n)")
            // The error of a single number, relative to the usual size of the features.
            let usual = own[own.startIndex] / Double(d).squareRoot()
            for i in 1...16 { #expect(abs(Double(found[i]) - own[own.startIndex + i]) < 1e-4 * max(usual, abs(own[own.startIndex + i])), "image \(n), number \((i - 1) * (d / 16))") }
        }
    }

    @Test func `parameters are as many as torchvision, the definitions and timm have, of every network`() throws {
        let transformers = try DocumentFile.read(golden("transformer-positions.safetensors"))
        for name in Network.names {
            let network = try #require(Network(name, head: .none)), other = name.replacing("-moco-v3", with: "")
            let tensor = try #require(document.tensors["\(name).parameters"] ?? transformers.tensors["\(other).parameters"], "\(name)")
            #expect(try tensor.integers() == [network.parameters.reduce(0) { $0 + $1.count }], "\(name)")
        }
    }

    @Test func `every network that can be trained has numbers of PyTorch's here or in ParityTests`() {
        let known = Set(ParityTests.cases.map(\.name) + Self.trained.map(\.name))
        #expect(Network.trainable.filter { !known.contains($0) } == [])
    }
}
