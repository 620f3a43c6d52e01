/// Outputs that a run does not store because a neighbouring operation computes them as it reads: batch norms in
/// training, squeeze-excite products in inference.
public struct Fusion: Sendable {
    /// For each operation: whether it is a batch norm without a residual that its only consumer applies
    /// (``NormalizedInput``).
    public let normalizationInConsumer: [Bool]
    /// For each operation: whether it is a batch norm without a residual whose input gradient is computed by its
    /// producer (``NormalizedGradient``).
    public let gradientInProducer: [Bool]
    /// For each operation: whether it is a squeeze-excite whose gates are applied by its consumer.
    public let gatesInConsumer: [Bool]
    /// For each operation: whether a batch norm is the only reader of its output.
    let isNormalized: [Bool]

    public init(_ graph: Graph, _ shapes: [Shape]) {
        let nodes = graph.nodes
        // For each value, the operations that read it.
        var consumers = [[Int]](repeating: [], count: nodes.count + 1)
        for (index, node) in nodes.enumerated() {
            consumers[node.input].append(index)
            if let residual = node.operation.residual { consumers[residual].append(index) }
        }
        func consumer(_ index: Int) -> Int? { consumers[index + 1].count == 1 ? consumers[index + 1].first : nil }
        func isPlainNorm(_ node: Graph.Node) -> Bool { node.operation is BatchNormOperation && node.operation.residual == nil }

        normalizationInConsumer = nodes.enumerated().map { index, node in
            guard isPlainNorm(node), let reader = consumer(index) else { return false }
            return nodes[reader].operation.canNormalizeInput(shapes[nodes[reader].input])
        }
        gradientInProducer = nodes.map { node in
            guard isPlainNorm(node), node.input > 0 else { return false }
            let producer = nodes[node.input - 1]
            return producer.operation.canNormalizeGradient(shapes[producer.input])
        }
        isNormalized = nodes.indices.map { index in
            consumer(index).map { nodes[$0].operation is BatchNormOperation && nodes[$0].input == index + 1 } ?? false
        }
        // Gates are kept until the next convolution. So it must come directly after, and run directly after, with its
        // batch norm.
        let isNormalized = isNormalized
        gatesInConsumer = nodes.enumerated().map { index, node in
            let next = index + 1
            guard node.operation is SqueezeExciteOperation, consumer(index) == next, isNormalized[next], nodes[next + 1].input == next + 1 else { return false }
            return nodes[next].operation.canMultiplyInput(shapes[next])
        }
    }
}
