import Kernels
import Layers
import Networks
import TensorStreams
import Testing
import TestSupport

/// Vision transformers against timm's (`Tests/golden/transformers.py`).
@Suite struct TransformerTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let name: String
        let N: Int, H: Int, W: Int
        let interpolation: PositionGrid.Interpolation
        var word: String { interpolation == .plain ? "plain" : interpolation == .offset ? "offset" : "antialiased" }
        var testDescription: String { "\(name), \(N) images of \(H)×\(W), \(word)" }
        var key: String { "\(name).\(N).\(H).\(W).\(word)" }
    }

    static let cases = [
        Case(name: "vit-small-16", N: 2, H: 224, W: 224, interpolation: .plain), Case(name: "vit-small-16", N: 3, H: 64, W: 96, interpolation: .offset),
        Case(name: "vit-small-16-moco-v3", N: 2, H: 112, W: 112, interpolation: .plain), Case(name: "vit-base-8", N: 2, H: 40, W: 56, interpolation: .antialiased),
        Case(name: "vit-large-14", N: 1, H: 42, W: 28, interpolation: .plain), Case(name: "dinov2-small", N: 2, H: 98, W: 70, interpolation: .offset),
        Case(name: "dinov2-small", N: 2, H: 112, W: 112, interpolation: .plain),
        Case(name: "dinov2-small-registers", N: 2, H: 84, W: 126, interpolation: .antialiased),
    ]

    /// Like `fill` in transformers.py.
    private func weights(_ network: Network) -> Weights {
        let weights = Weights(network)
        for (index, parameter) in network.parameters.enumerated() {
            let u = formula(parameter.name, parameter.count), inputs = Float(parameter.shape.dropFirst().reduce(1, *))
            let values: [Float] = switch (parameter.role, parameter.shape.count) {
            case (.convolution, _), (.matrix, _): u.map { $0 * (3 / inputs).squareRoot() }
            case (.scale, _): u.map { 1 + 0.2 * $0 }
            case (_, 3): u.map { 0.5 * $0 }
            default: u.map { 0.1 * $0 }
            }
            weights.pointer(index).update(from: parameter.native(values), count: values.count)
        }
        return weights
    }

    @Test(arguments: cases)
    func `class tokens are timm's, at sizes that they were not trained at too`(_ c: Case) throws {
        let document = try DocumentFile.read(golden("transformers.safetensors"))
        let first = try #require(Network(c.name, head: .none)?.positions)
        let network = try #require(Network(c.name, head: .none, positions: PositionTable(side: first.side, interpolation: c.interpolation)))
        let run = InferenceRun(weights(network), output: .features, height: c.H, width: c.W)
        var result = [Float](repeating: .nan, count: c.N * network.featureWidth)
        run.run(images: formula("pictures", c.N * c.H * c.W * 3), N: c.N, into: &result)
        let expected = try #require(document.tensors[c.key]).withElements(as: Double.self) { Array($0) }
        #expect(relativeError(result, expected) < 1e-5)
    }

    struct Grid: Sendable, CustomTestStringConvertible {
        let name: String
        let N: Int, H: Int, W: Int, side: Int
        let hasClass: Bool
        var testDescription: String { "\(name), \(N) images of \(H)×\(W), \(side)² positions\(hasClass ? " and the class token's" : "")" }
    }

    /// Images larger than the position grid, also on one side only; and positions of patches alone, with registers and
    /// without.
    @Test(arguments: [
        Grid(name: "vit-small-16", N: 2, H: 80, W: 112, side: 3, hasClass: true), Grid(name: "vit-small-16", N: 1, H: 80, W: 48, side: 4, hasClass: false),
        Grid(name: "dinov2-small-registers", N: 2, H: 70, W: 98, side: 4, hasClass: false), Grid(name: "dinov2-small", N: 2, H: 84, W: 70, side: 5, hasClass: false),
    ], PositionGrid.Interpolation.allCases)
    func `class tokens are timm's where positions grow, and where the class token has none`(_ c: Grid, _ interpolation: PositionGrid.Interpolation) throws {
        let document = try DocumentFile.read(golden("transformer-positions.safetensors"))
        let table = PositionTable(side: c.side, hasClass: c.hasClass, interpolation: interpolation), network = try #require(Network(c.name, head: .none, positions: table))
        let word = interpolation == .plain ? "plain" : interpolation == .offset ? "offset" : "antialiased"
        let run = InferenceRun(weights(network), output: .features, height: c.H, width: c.W)
        var result = [Float](repeating: .nan, count: c.N * network.featureWidth)
        run.run(images: formula("pictures", c.N * c.H * c.W * 3), N: c.N, into: &result)
        let expected = try #require(document.tensors["\(c.name).\(c.N).\(c.H).\(c.W).\(c.side).\(c.hasClass ? "class" : "patches").\(word)"]).withElements(as: Double.self) { Array($0) }
        #expect(relativeError(result, expected) < 1e-5)
    }

    @Test func `position tables are told by their counts`() {
        #expect(PositionTable(count: 197) == PositionTable(side: 14) && PositionTable(count: 1369) == PositionTable(side: 37, hasClass: false))
        #expect(PositionTable(count: 3) == nil && PositionTable(count: 0) == nil && PositionTable(count: 1 << 40) == nil)
    }

    @Test func `transformers are teachers alone`() throws {
        for name in Network.names where name.hasPrefix("vit-") || name.hasPrefix("dinov2-") {
            #expect(!Network.trainable.contains(name))
        }
        #expect(Network.trainable.contains("resnet18") && Network.trainable.contains("mobilenet-v3-large"))
    }
}
