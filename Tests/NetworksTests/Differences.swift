import Kernels
import Networks
import TensorStreams
import Testing
import TestSupport

/// How far a network's outputs and gradients in training mode differ from PyTorch's, which `Tests/golden/networks.py`
/// and `all_networks.py` computed.
struct Differences {
    /// ‖y − y'‖ / ‖y'‖
    let output: Double
    /// The errors of the gradients' lengths and of their projections on four directions, relative to PyTorch's length;
    /// each with the parameter with the largest error.
    var length = (error: 0.0, parameter: ""), projection = (error: 0.0, parameter: "")

    /// - Parameter key: the prefix of the names of the network's numbers.
    init(_ weights: Weights, N: Int, H: Int, W: Int, _ document: TensorDocument, _ key: String) throws {
        func doubles(_ name: String) throws -> [Double] { try #require(document.tensors["\(key).\(name)"]).withElements(as: Double.self) { Array($0) } }
        let run = TrainingRun(weights.network, N: N, height: H, width: W)
        let y = run.forward(weights, images: formula("pictures", N * H * W * 3))
        output = relativeError(Array(UnsafeBufferPointer(start: y, count: N * 128)), try doubles("training"))
        let gradients = FloatBuffer(weights.network.parameterCount)
        run.backward(weights, dOutput: formula("gradient", N * 128), dParameters: gradients)

        let expected = try doubles("gradients"), parameters = Self.torchOrder(weights.network)
        try #require(parameters.count * 5 == expected.count)
        let longest = stride(from: 0, to: expected.count, by: 5).map { expected[$0] }.max() ?? 0
        for (row, parameter) in parameters.enumerated() {
            let g = parameter.portable(Array(gradients.buffer[parameter.offset..<(parameter.offset + parameter.count)]))
            let norm = g.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
            let reference = max(expected[row * 5], 1e-4 * longest)  // Some are zero but for rounding.
            func note(_ found: Double, _ expected: Double, _ worst: inout (error: Double, parameter: String)) {
                let error = abs(found - expected) / reference
                if !(error <= worst.error) { worst = (error.isNaN ? .infinity : error, parameter.name) }
            }
            note(norm, expected[row * 5], &length)
            for i in 0..<4 {
                let direction = formula("\(parameter.name).\(i)", parameter.count)
                // A difference of relative size ε in a random position shows as ε·‖g‖/√3 here.
                note(zip(g, direction).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }, expected[row * 5 + 1 + i], &projection)
            }
        }
    }

    /// Single precision and Winograd tiles, layer after layer, accumulate to a little over 1e-4 in the worst of all
    /// directions.
    func expectSmall(_ name: String) {
        #expect(output < 1e-5)
        #expect(length.error <= 2e-4, "length of the gradient of \(length.parameter)")
        #expect(projection.error <= 3e-4, "gradient of \(projection.parameter), in a direction")
        if Effort.isLong { Effort.report("\(name): output within \(output), lengths of gradients \(length.error), their projections \(projection.error)") }
    }

    /// Parameters in the order of PyTorch's modules, which is ours except for the shortcut.
    private static func torchOrder(_ network: Network) -> [Parameter] {
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
            // A RegNet's block has the shortcut first, a ResNet's last.
            order += own.filter { $0.name.contains(".proj.") } + own.filter { !$0.name.contains("downsample") && !$0.name.contains(".proj.") }
            order += own.filter { $0.name.contains("downsample") }
            rest = rest.dropFirst(own.count)
        }
        return order
    }
}
