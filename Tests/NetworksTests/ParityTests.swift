import Kernels
import Networks
import TensorStreams
import Testing
import TestSupport

@Suite struct ParityTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let name: String
        let N: Int, H: Int, W: Int
        var testDescription: String { "\(name), \(N) images of \(H)×\(W)" }
        var key: String { "\(name).\(N).\(H).\(W)" }
    }

    static let cases = [
        Case(name: "resnet18", N: 4, H: 64, W: 64), Case(name: "resnet18", N: 3, H: 45, W: 71), Case(name: "resnet34", N: 4, H: 48, W: 64),
        Case(name: "resnet50", N: 4, H: 64, W: 64), Case(name: "small-resnet18", N: 4, H: 32, W: 32),
        Case(name: "tiny-resnet10", N: 5, H: 33, W: 27), Case(name: "mobilenet-v3-large", N: 6, H: 64, W: 64),
        Case(name: "mobilenet-v3-large", N: 3, H: 97, W: 75), Case(name: "efficientnet-b0", N: 6, H: 64, W: 64),
        Case(name: "efficientnet-b0", N: 3, H: 75, W: 97), Case(name: "resnet101", N: 2, H: 64, W: 64), Case(name: "wide-resnet50-2", N: 2, H: 64, W: 64),
        Case(name: "resnet50-w2", N: 2, H: 64, W: 64), Case(name: "mobilenet-v2", N: 6, H: 64, W: 64), Case(name: "mobilenet-v2", N: 3, H: 97, W: 75),
        Case(name: "mobilenet-v3-small", N: 6, H: 64, W: 64), Case(name: "efficientnet-b1", N: 4, H: 64, W: 64), Case(name: "efficientnet-b3", N: 3, H: 64, W: 64),
        Case(name: "efficientnet-lite0", N: 6, H: 64, W: 64), Case(name: "efficientnet-lite0", N: 3, H: 75, W: 75), Case(name: "efficientnet-lite2", N: 4, H: 66, W: 66),
        Case(name: "regnet-y-400mf", N: 4, H: 64, W: 64), Case(name: "regnet-y-400mf", N: 3, H: 75, W: 97), Case(name: "regnet-y-800mf", N: 3, H: 64, W: 64),
        Case(name: "regnet-y-1.6gf", N: 3, H: 64, W: 64), Case(name: "regnet-y-8gf", N: 2, H: 64, W: 64), Case(name: "regnet-y-16gf", N: 2, H: 64, W: 64),
        Case(name: "seed-mobilenet-v3-large", N: 6, H: 64, W: 64), Case(name: "seed-mobilenet-v3-large", N: 3, H: 97, W: 75),
        Case(name: "seed-efficientnet-b0", N: 6, H: 64, W: 64), Case(name: "seed-efficientnet-b1", N: 3, H: 75, W: 97),
        Case(name: "resnet18-small-stem", N: 4, H: 33, W: 27), Case(name: "resnet50-small-stem", N: 2, H: 32, W: 32),
        Case(name: "resnet50-same", N: 4, H: 64, W: 64), Case(name: "resnet50-same", N: 2, H: 75, W: 75),
    ]

    let document: TensorDocument

    init() throws { document = try DocumentFile.read(golden("networks.safetensors")) }

    func doubles(_ key: String) throws -> [Double] {
        let tensor = try #require(document.tensors[key])
        return tensor.withElements(as: Double.self) { Array($0) }
    }

    @Test(arguments: cases)
    func `the folded network gives PyTorch's output in evaluation mode`(_ c: Case) throws {
        let weights = formulaWeights(c.name)
        let run = InferenceRun(weights, output: .embedding, height: c.H, width: c.W)
        var result = [Float](repeating: .nan, count: c.N * 128)
        run.run(images: formula("pictures", c.N * c.H * c.W * 3), N: c.N, into: &result)
        #expect(relativeError(result, try doubles(c.key + ".inference")) < 1e-5)
    }

    @Test(arguments: cases)
    func `outputs and all gradients in training mode are PyTorch's`(_ c: Case) throws {
        let weights = formulaWeights(c.name)
        let differences = try Differences(weights, N: c.N, H: c.H, W: c.W, document, c.key)
        differences.expectSmall(c.testDescription)
        let running = try doubles(c.key + ".running")
        func means(_ name: String) throws -> [Double] {
            let s = try #require(weights.network.statistics.first { $0.name == name })
            let all = weights.statistics.array
            return [all[s.offset..<(s.offset + s.C)], all[(s.offset + s.C)..<(s.offset + 2 * s.C)]].map { $0.reduce(0.0) { $0 + Double($1) } / Double(s.C) }
        }
        let norms = weights.network.statistics.map(\.name)
        let (first, late) = (try #require(norms.first), norms.contains("layer4.0.bn2") ? "layer4.0.bn2" : try #require(norms.last))
        try #require(running.count == 4)
        for (a, b) in zip(try means(first) + means(late), running) { #expect(abs(a - b) <= 1e-5 * max(1, abs(b))) }
    }

    @Test func `entries of a state_dict are as many as torchvision has`() throws {
        // State entries: each batch norm has five, each convolution one; torchvision's own fc has two more.
        for (name, count) in [("resnet50", 320), ("mobilenet-v3-large", 312), ("efficientnet-b0", 360)] {
            let network = try #require(Network(name, head: .linear(1000)))
            #expect(network.parameters.count + 3 * network.statistics.count == count)
        }
    }
}
