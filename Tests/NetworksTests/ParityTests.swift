import Kernels
import Networks
import Platform
import TensorStreams
import Testing
import TestSupport

@Suite struct ParityTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let name: String
        let N: Int, H: Int, W: Int
        var testDescription: String { "\(name), \(N) images of \(H)×\(W)" }
        var key: String { "\(name).\(N).\(H).\(W)" }

        /// With SEED's head.
        var weights: Weights {
            guard let table = ParityTests.shallow[name] else { return formulaWeights(name) }
            func network(_ head: Head) -> Network { Network(regNetY: name, depth: 5, w0: table.w0, wa: table.wa, wm: table.wm, group: table.group, head: head) }
            return formulaWeights(network(.mlp(hidden: network(.none).featureWidth, 128)))
        }
    }

    /// SEER's RegNetY-32GF and -64GF with their widths and groups, of 232 and 328 channels, in five blocks instead of twenty.
    static let shallow: [String: (w0: Double, wa: Double, wm: Double, group: Int)] = [
        "shallow-regnet-y-32gf": (232, 556.8, 2.53, 232), "shallow-regnet-y-64gf": (352, 730, 2.4, 328),
    ]

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
        Case(name: "shallow-regnet-y-32gf", N: 3, H: 64, W: 64), Case(name: "shallow-regnet-y-64gf", N: 3, H: 75, W: 64),
    ]

    let document: TensorDocument

    init() throws { document = try DocumentFile.read(golden("networks.safetensors")) }

    func doubles(_ key: String) throws -> [Double] {
        let tensor = try #require(document.tensors[key])
        return tensor.withElements(as: Double.self) { Array($0) }
    }

    @Test(arguments: cases)
    func `the folded network gives PyTorch's output in evaluation mode`(_ c: Case) throws {
        let weights = c.weights
        let run = InferenceRun(weights, output: .embedding, height: c.H, width: c.W)
        var result = [Float](repeating: .nan, count: c.N * 128)
        run.run(images: formula("pictures", c.N * c.H * c.W * 3), N: c.N, into: &result)
        #expect(relativeError(result, try doubles(c.key + ".inference")) < 1e-5)
    }

    @Test(arguments: cases)
    func `outputs and all gradients in training mode are PyTorch's`(_ c: Case) throws {
        let weights = c.weights
        let run = TrainingRun(weights.network, N: c.N, height: c.H, width: c.W)
        let y = run.forward(weights, images: formula("pictures", c.N * c.H * c.W * 3))
        #expect(relativeError(Array(UnsafeBufferPointer(start: y, count: c.N * 128)), try doubles(c.key + ".training")) < 1e-5)
        let gradients = FloatBuffer(weights.network.parameterCount)
        run.backward(weights, dOutput: formula("gradient", c.N * 128), dParameters: gradients)

        let expected = try doubles(c.key + ".gradients")
        // PyTorch lists parameters in the order of the modules, and so do we, but for the shortcut.
        let names = try torchOrder(weights.network)
        #expect(names.count * 5 == expected.count)
        let longest = stride(from: 0, to: expected.count, by: 5).map { expected[$0] }.max() ?? 0
        for (row, parameter) in names.enumerated() {
            let native = Array(gradients.buffer[parameter.offset..<(parameter.offset + parameter.count)])
            let g = parameter.portable(native)
            let norm = g.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
            let reference = max(expected[row * 5], 1e-4 * longest)  // Some are zero but for rounding.
            #expect(abs(norm - expected[row * 5]) <= 2e-4 * reference, "length of the gradient of \(parameter.name)")
            for i in 0..<4 {
                let direction = formula("\(parameter.name).\(i)", parameter.count)
                let projection = zip(g, direction).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
                // A difference of relative size ε in a random place shows as ε·‖g‖/√3 here. Single precision and Winograd's tiles, layer after
                // layer, come to a little over 1e-4 in the worst of all directions.
                #expect(abs(projection - expected[row * 5 + 1 + i]) <= 3e-4 * reference, "gradient of \(parameter.name), direction \(i)")
            }
        }

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

    private func torchOrder(_ network: Network) throws -> [Parameter] {
        func block(_ name: String) -> String? {
            let parts = name.split(separator: ".")
            if parts.count > 3, parts[0] == "trunk_output" { return parts[..<3].joined(separator: ".") }
            return parts.count > 2 && parts[0].hasPrefix("layer") ? "\(parts[0]).\(parts[1])" : nil
        }
        var order: [Parameter] = []
        var rest = network.parameters[...]
        while let first = rest.first {
            guard let name = block(first.name) else {
                order.append(first)
                rest.removeFirst()
                continue
            }
            let own = rest.prefix { block($0.name) == name }
            // A RegNet's block has it first, a ResNet's last.
            order += own.filter { $0.name.contains(".proj.") } + own.filter { !$0.name.contains("downsample") && !$0.name.contains(".proj.") }
            order += own.filter { $0.name.contains("downsample") }
            rest = rest.dropFirst(own.count)
        }
        return order
    }

    @Test func `parameters are as many as torchvision has`() throws {
        for (name, count) in [("resnet18", 11_176_512), ("resnet34", 21_284_672), ("resnet50", 23_508_032), ("resnet101", 42_500_160), ("resnet152", 58_143_808), ("resnet50-w2", 93_907_072),
            ("resnet50-w4", 375_378_176), ("resnet50-w5", 586_450_240), ("mobilenet-v3-large", 4_202_032), ("efficientnet-b0", 4_007_548), ("efficientnet-lite0", 3_371_008),
            ("regnet-y-400mf", 3_903_144), ("regnet-y-800mf", 5_647_512), ("regnet-y-1.6gf", 10_313_430), ("regnet-y-3.2gf", 17_923_338), ("regnet-y-8gf", 37_364_472), ("regnet-y-16gf", 80_565_140),
            ("regnet-y-32gf", 141_333_770), ("regnet-y-64gf", 276_457_786), ("regnet-y-128gf", 637_419_894), ("regnet-y-256gf", 1_272_156_138), ("seed-mobilenet-v3-large", 4_202_032),
            ("seed-efficientnet-b0", 4_007_548), ("seed-efficientnet-b1", 6_513_184), ("resnet18-small-stem", 11_168_832), ("resnet50-same", 23_508_032)] {
            let network = try #require(Network(name, head: .none))
            #expect(network.parameters.reduce(0) { $0 + $1.count } == count)
        }
        // State entries: each batch norm has five, each convolution one; torchvision's own fc has two more.
        for (name, count) in [("resnet50", 320), ("mobilenet-v3-large", 312), ("efficientnet-b0", 360)] {
            let network = try #require(Network(name, head: .linear(1000)))
            #expect(network.parameters.count + 3 * network.statistics.count == count)
        }
    }
}
