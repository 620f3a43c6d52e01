import Kernels
import Layers

extension Graph {
    /// Products of two numbers, and sums of them, that each operation takes for one image by the direct algorithm. Only convolutions and
    /// linear layers are counted: all else is bound by memory.
    public func multiplyAdds(height: Int, width: Int) -> [Int] {
        let shapes = shapes(height: height, width: width)
        return nodes.enumerated().map { index, node in
            let (x, y) = (shapes[node.input], shapes[index + 1])
            switch node.operation {
            case .convolution(_, let kernel, _, _, let K): return y.H * y.W * K * kernel * kernel * x.C
            case .linear(_, _, let O): return x.C * O
            case .depthwise(_, let kernel, _, _): return y.H * y.W * y.C * kernel * kernel
            case .squeezeExcite(_, let K, _, _): return 2 * x.C * K
            case .batchNorm, .maxPool, .averagePool, .activation, .dropout: return 0
            }
        }
    }

    /// Numbers that the operations read and write for one image, if no cache keeps any: each value once for every pass over it. An
    /// estimate, for telling where memory bounds; weights are left out.
    public func valuesMoved(height: Int, width: Int, training: Bool) -> Int {
        let shapes = shapes(height: height, width: width), counts = shapes.map { $0.H * $0.W * $0.C }
        let (normalizedByReader, gradientByMaker) = (normalizedByReader(shapes), gradientByMaker(shapes))
        return nodes.enumerated().reduce(0) { sum, next in
            let (index, node) = next
            let (x, y) = (counts[node.input], counts[index + 1])
            let moved: (forward: Int, backward: Int)
            switch node.operation {
            // Back: dy and x for the weights, dy and dx; or dy but once.
            case .convolution:
                let joined = convolution(index, shapes).map { $0.joinsGradients } ?? false
                moved = (x + y, x + (joined ? y : 2 * y) + (node.input == 0 ? 0 : x))
            // Statistics, then the values; back dy and x for the sums, then dy, x, dx. Where a neighbour makes what is second, it reads x instead of
            // y, and back x besides dy. Forward alone it is folded away but for the sum.
            case .batchNorm(_, _, _, _, _, let residual, _):
                let forward = training ? (normalizedByReader[index] ? x : 2 * x + y) : 0
                moved = (forward + (residual == nil ? 0 : y), (gradientByMaker[index] ? 3 : 5) * x + (residual == nil ? 0 : y))
            // Back: dy, x and dx, both gradients at once.
            case .depthwise: moved = (x + y, 2 * x + y)
            // Means, then the products, which to embed its reader may make; back dy and x for the sums, then dy and dx.
            case .squeezeExcite: moved = (!training && gatedByReader(index, shapes) ? x : 2 * x + y, x + 3 * y)
            case .maxPool, .averagePool, .linear, .activation, .dropout: moved = (x + y, x + y)
            }
            return sum + moved.forward + (training ? moved.backward : 0)
        }
    }
}

extension Network {
    /// The layer that operation `index` is, by torchvision's name, or by what it does where it learns nothing: `layer1.0.conv1`.
    public func layer(_ index: Int) -> String {
        switch graph.nodes[index].operation {
        case .convolution(let weight, _, _, _, _), .linear(let weight, _, _), .batchNorm(let weight, _, _, _, _, _, _), .depthwise(let weight, _, _, _):
            let name = parameters[weight].name
            return name.hasSuffix(".weight") ? String(name.dropLast(7)) : name
        case .squeezeExcite(let weight, _, _, _): return String(parameters[weight].name.dropLast(".fc1.weight".count))
        case .maxPool: return "maxpool"
        case .averagePool: return "avgpool"
        case .activation(let activation): return "\(activation)"
        case .dropout: return "dropout"
        }
    }

    /// The kind of work that operation `index` is: `3×3`, `1×1 stride 2`, `batch norm`.
    public func kind(_ index: Int) -> String {
        switch graph.nodes[index].operation {
        case .convolution(_, let kernel, let stride, _, _): "\(kernel)×\(kernel)" + (stride > 1 ? " stride \(stride)" : "")
        case .linear: "linear"
        case .batchNorm(_, _, _, _, _, let residual, let activation):
            "batch norm" + (residual == nil ? "" : ", sum") + (activation == .none ? "" : ", \(activation)")
        case .maxPool, .averagePool: "pooling"
        case .depthwise(_, let kernel, let stride, _): "depthwise \(kernel)×\(kernel)" + (stride > 1 ? " stride \(stride)" : "")
        case .squeezeExcite: "squeeze-excite"
        case .activation: "activation"
        case .dropout: "dropout"
        }
    }
}
