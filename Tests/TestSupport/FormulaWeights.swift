import Kernels
public import Networks

/// A network with weights from the formula, as `networks.py` fills torchvision's.
///
/// - Parameter hidden: whether the head has a hidden layer.
public func formulaWeights(_ name: String, dimension: Int = 128, hidden: Bool = true) -> Weights {
    guard let trunk = Network(name, head: .none),
        let network = Network(name, head: hidden ? .mlp(hidden: trunk.featureWidth, dimension) : .linear(dimension))
    else {
        preconditionFailure("no network is named \(name)")
    }
    return formulaWeights(network)
}

/// The same for any network.
public func formulaWeights(_ network: Network) -> Weights {
    let weights = Weights(network)
    for (index, parameter) in network.parameters.enumerated() {
        var u = formula(parameter.name, parameter.count)
        switch parameter.role {
        case .convolution, .depthwise:
            let scale = Float((6 / Double(parameter.shape[0] * parameter.shape[2] * parameter.shape[3])).squareRoot())
            u = u.map { $0 * scale }
        case .matrix: u = u.map { $0 / Float(Double(parameter.shape[1]).squareRoot()) }
        case .scale: u = u.map { 1 + 0.2 * $0 }
        case .bias:
            // Weights of linear layers and of squeeze-excite are small; those of batch norm are far from the kinks of
            // the following layers.
            let small = ["fc.", "classifier.", "_fc."].contains { parameter.name.hasPrefix($0) } || parameter.name.contains(".fc")
            let sizes: [Float] = small ? [0] : parameter.name.hasPrefix("features.") || parameter.name.hasPrefix("conv.") ? [1.5] : [3, 3, 3, -3]
            u = u.enumerated().map { sizes[$0.offset % sizes.count] + 0.1 * $0.element }
        }
        weights.pointer(index).update(from: parameter.native(u), count: parameter.count)
    }
    for s in network.statistics {
        for (i, u) in formula(s.name + ".running_mean", s.C).enumerated() { weights.statistics.pointer[s.offset + i] = 0.1 * u }
        for (i, u) in formula(s.name + ".running_var", s.C).enumerated() { weights.statistics.pointer[s.offset + s.C + i] = 1 + 0.5 * u }
    }
    return weights
}
