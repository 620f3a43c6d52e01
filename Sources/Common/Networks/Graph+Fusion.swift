import Kernels
import Layers

/// What a run does not write, since a neighbour makes it where it reads: batch norms in training, squeeze-excite's products to embed.
extension Graph {
    /// By value: the operations that read it.
    private var readers: [[Int]] {
        var readers = [[Int]](repeating: [], count: nodes.count + 1)
        for (index, node) in nodes.enumerated() {
            readers[node.input].append(index)
            if case .batchNorm(_, _, _, _, _, let residual?, _) = node.operation { readers[residual].append(index) }
        }
        return readers
    }

    /// For each operation: whether it is a batch norm without a residual whose only reader copies what it reads anyway, and so can normalise
    /// it itself (``NormalizedInput``).
    func normalizedByReader(_ shapes: [(H: Int, W: Int, C: Int)]) -> [Bool] {
        let readers = readers
        return nodes.enumerated().map { index, node in
            guard case .batchNorm(_, _, _, _, _, nil, _) = node.operation, readers[index + 1].count == 1, let reader = readers[index + 1].first
            else { return false }
            switch nodes[reader].operation {
            case .depthwise, .squeezeExcite: return true
            case .convolution: return convolution(reader, shapes).map { $0.copiesInput } ?? false
            case .batchNorm, .maxPool, .averagePool, .linear, .activation, .dropout: return false
            }
        }
    }

    /// For each operation: whether it is a batch norm without a residual, and what it reads was made by a layer that copies its gradient anyway,
    /// and so can take it back through the batch norm itself (``NormalizedGradient``).
    func gradientByMaker(_ shapes: [(H: Int, W: Int, C: Int)]) -> [Bool] {
        nodes.map { node in
            guard case .batchNorm(_, _, _, _, _, nil, _) = node.operation, node.input > 0 else { return false }
            switch nodes[node.input - 1].operation {
            case .depthwise: return true
            case .convolution: return convolution(node.input - 1, shapes).map { $0.joinsGradients } ?? false
            case .batchNorm, .squeezeExcite, .maxPool, .averagePool, .linear, .activation, .dropout: return false
            }
        }
    }

    /// For each operation: if it is a batch norm right behind the convolution that makes its input, pieces of N images whose moments that
    /// convolution finds; nil if it finds none.
    func measuredByMaker(_ shapes: [(H: Int, W: Int, C: Int)], N: Int) -> [Int?] {
        nodes.enumerated().map { index, node in
            guard case .batchNorm = node.operation, index > 0, node.input == index else { return nil }
            return convolution(index - 1, shapes)?.momentPieces(N: N)
        }
    }

    /// Whether operation `index` is a squeeze-excite that only the convolution right after it reads, and its batch norm right after that: then
    /// that convolution can multiply by the gates as it reads.
    public func gatedByReader(_ index: Int, _ shapes: [(H: Int, W: Int, C: Int)]) -> Bool {
        let next = index + 1
        guard case .squeezeExcite = nodes[index].operation, next + 1 < nodes.count, case .batchNorm = nodes[next + 1].operation,
            nodes[next + 1].input == next + 1
        else { return false }
        return readers[next] == [next] && convolution(next, shapes)?.copiesInput ?? false
    }

    /// The layer of operation `index`, if it is a convolution.
    func convolution(_ index: Int, _ shapes: [(H: Int, W: Int, C: Int)]) -> Convolution? {
        guard case .convolution(_, let kernel, let stride, let padding, let K) = nodes[index].operation else { return nil }
        return Convolution(window: Window(shapes[nodes[index].input], kernel: kernel, stride: stride, padding: padding), K: K)
    }
}
