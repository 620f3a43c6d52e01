public import Kernels
import Layers
import Platform
import Randomness

/// The parameters and running statistics of a network.
public final class Weights: @unchecked Sendable {
    public let network: Network
    /// All parameters, each at its ``Parameter/offset``, convolutions as (K, R, S, C).
    public let parameters: FloatBuffer
    /// All running means and variances, each at its ``Statistics/offset``.
    public let statistics: FloatBuffer
    /// The number of batches that each statistic has seen (`num_batches_tracked`).
    public var batchesSeen: [Int]

    private init(_ network: Network, parameters: FloatBuffer, statistics: FloatBuffer, batchesSeen: [Int]) {
        (self.network, self.parameters, self.statistics, self.batchesSeen) = (network, parameters, statistics, batchesSeen)
    }

    /// The same values, in the same memory, without the head: what computes the features. The trunk's parameters come
    /// before the head's.
    public var withoutHead: Weights {
        guard network.head != .none, let bare = network.with(.none) else { return self }
        precondition(zip(bare.parameters, network.parameters).allSatisfy { $0.name == $1.name && $0.offset == $1.offset })
        precondition(zip(bare.statistics, network.statistics).allSatisfy { $0.name == $1.name && $0.offset == $1.offset })
        return Weights(bare, parameters: parameters, statistics: statistics, batchesSeen: Array(batchesSeen.prefix(bare.statistics.count)))
    }

    /// The head as a network by itself, in the same memory, and the offset of its parameters among all. nil if there is
    /// no head with layers, or if the network already is a head.
    public var headAlone: (weights: Weights, offset: Int)? {
        guard let head = network.headAlone, let bare = network.with(.none) else { return nil }
        let first = bare.parameters.count, offset = network.parameters.dropFirst(first).first?.offset ?? bare.parameterCount
        let statistics = network.statistics.dropFirst(bare.statistics.count).first?.offset ?? bare.statisticsCount
        precondition(zip(network.parameters.dropFirst(first), head.parameters).allSatisfy { $0.offset == offset + $1.offset && $0.shape == $1.shape })
        precondition(zip(network.statistics.dropFirst(bare.statistics.count), head.statistics).allSatisfy { $0.offset == statistics + $1.offset })
        return (
            Weights(
                head, parameters: FloatBuffer(part: parameters, from: offset, count: head.parameterCount),
                statistics: FloatBuffer(part: self.statistics, from: statistics, count: head.statisticsCount), batchesSeen: Array(batchesSeen.dropFirst(bare.statistics.count))),
            offset)
    }

    /// The same network with its head replaced by a fixed random projection of the features to D numbers.
    ///
    /// The rows are Gaussian, made orthonormal and scaled by √(d/D), so that lengths and angles are approximately
    /// preserved (Johnson and Lindenstrauss 1984). The projection is the same for equal d and D.
    ///
    /// - Returns: nil if there are fewer features than D, or if there is no network with such a head.
    public func projected(to D: Int) -> Weights? {
        let trunk = withoutHead, d = network.featureWidth
        guard (1...d).contains(D), let projected = network.with(Head([.linear(D, bias: false)])), let last = projected.parameters.last else { return nil }
        precondition(projected.parameters.count == trunk.network.parameters.count + 1 && last.shape == [D, d])
        let weights = Weights(projected)
        weights.parameters.pointer.update(from: trunk.parameters.pointer, count: last.offset)
        weights.statistics.pointer.update(from: trunk.statistics.pointer, count: trunk.network.statisticsCount)
        weights.batchesSeen = trunk.batchesSeen
        var random = CounterRandom(seed: 0, .initialization), rows: [[Double]] = []
        for _ in 0..<D {
            var row = (0..<d).map { _ in random.normal() }
            // Orthogonalize twice, since one pass leaves rounding errors.
            for _ in 0..<2 {
                for other in rows {
                    let share = zip(row, other).reduce(0) { $0 + $1.0 * $1.1 }
                    for i in 0..<d { row[i] -= share * other[i] }
                }
            }
            let length = row.reduce(0) { $0 + $1 * $1 }.squareRoot()
            rows.append(row.map { $0 / length })
        }
        let scale = (Double(d) / Double(D)).squareRoot(), W = weights.parameters.pointer + last.offset
        for (k, row) in rows.enumerated() { for i in 0..<d { W[k * d + i] = Float(scale * row[i]) } }
        return weights
    }

    /// The same trunk with another, randomly initialized head.
    ///
    /// - Returns: nil if there is no network with such a head.
    public func replacingHead(by head: Head, seed: UInt64) -> Weights? {
        let trunk = withoutHead
        guard let network = network.with(head) else { return nil }
        precondition(zip(trunk.network.parameters, network.parameters).allSatisfy { $0.name == $1.name && $0.offset == $1.offset })
        let weights = Weights.initialized(network, seed: seed)
        if let last = trunk.network.parameters.last { weights.parameters.pointer.update(from: trunk.parameters.pointer, count: last.offset + last.count) }
        weights.statistics.pointer.update(from: trunk.statistics.pointer, count: trunk.network.statisticsCount)
        weights.batchesSeen.replaceSubrange(0..<trunk.batchesSeen.count, with: trunk.batchesSeen)
        return weights
    }

    /// The same network with a layer after its head: scores of K prototypes (K, D), where its embedding has D numbers.
    ///
    /// - Parameter isNormalized: whether the embedding is scaled to unit length first; one that already is stays
    ///   unchanged.
    /// - Returns: nil if the head has no such embedding, or if there is no network with such a head.
    public func appending(prototypes: [Float], count K: Int, isNormalized: Bool) -> Weights? {
        let D = network.embeddingWidth, layers = network.head.layers
        guard K > 0, network.head != .none, prototypes.count == K * D else { return nil }
        let between: [Head.Layer] = isNormalized && layers.last != .l2Norm ? [.l2Norm] : []
        guard let scored = network.with(Head(layers + between + [.linear(K, bias: false)])), let last = scored.parameters.last else { return nil }
        precondition(scored.parameters.count == network.parameters.count + 1 && last.shape == [K, D] && last.offset >= network.parameterCount)
        let weights = Weights(scored)
        weights.parameters.pointer.update(from: parameters.pointer, count: network.parameterCount)
        weights.statistics.pointer.update(from: statistics.pointer, count: network.statisticsCount)
        weights.batchesSeen = batchesSeen
        for (i, value) in last.native(prototypes).enumerated() { weights.parameters.pointer[last.offset + i] = value }
        return weights
    }

    /// The last layer of the head as prototypes (K, D) if it is linear without a bias; otherwise nil.
    public var prototypes: (rows: [Float], count: Int)? {
        guard network.head.endsInPrototypes, let K = network.head.dimension, let index = network.parameters.indices.last else { return nil }
        return (portable(index), K)
    }

    /// All parameters zero, all variances one.
    public init(_ network: Network) {
        self.network = network
        parameters = FloatBuffer(network.parameterCount)
        statistics = FloatBuffer(network.statisticsCount)
        batchesSeen = Array(repeating: 0, count: network.statistics.count)
        for s in network.statistics { (statistics.pointer + s.offset + s.C).update(repeating: 1, count: s.C) }
    }

    /// Counts one more batch for running statistics `index`.
    ///
    /// - Parameter momentum: the momentum of the layer. Statistics may differ from their initial values but have no
    ///   count, as in files that store none. They are then counted as having seen as many batches as `momentum` needs,
    ///   so that the next batch does not replace them.
    /// - Returns: the number of batches before this one.
    func countBatch(_ index: Int, momentum: Float) -> Int {
        let s = network.statistics[index], means = statistics.pointer + s.offset
        if batchesSeen[index] == 0, (0..<s.C).contains(where: { means[$0] != 0 || means[s.C + $0] != 1 }) {
            batchesSeen[index] = BatchNorm.batches(momentum: momentum)
        }
        defer { batchesSeen[index] += 1 }
        return batchesSeen[index]
    }

    /// A copy with the same values.
    public convenience init(copying other: Weights) {
        self.init(other.network)
        parameters.pointer.update(from: other.parameters.pointer, count: network.parameterCount)
        statistics.pointer.update(from: other.statistics.pointer, count: network.statisticsCount)
        batchesSeen = other.batchesSeen
    }

    public func pointer(_ parameter: Int) -> UnsafeMutablePointer<Float> { parameters.pointer + network.parameters[parameter].offset }

    /// Parameter `index` in PyTorch's order.
    public func portable(_ index: Int) -> [Float] {
        let parameter = network.parameters[index]
        return parameter.portable(Array(UnsafeBufferPointer(start: pointer(index), count: parameter.count)))
    }

    /// The mean and variance of running statistics `index`.
    public func running(_ index: Int) -> (mean: [Float], variance: [Float]) {
        let s = network.statistics[index], first = statistics.pointer + s.offset
        return (Array(UnsafeBufferPointer(start: first, count: s.C)), Array(UnsafeBufferPointer(start: first + s.C, count: s.C)))
    }

    /// The initial values of torchvision's networks; see ``Parameter/initialization``.
    ///
    /// - Parameter zeroInitResidual: whether γ of the last batch norm of each residual block is 0, so that a block
    ///   starts as its shortcut (Goyal et al., "Accurate, Large Minibatch SGD", 2017, section 5.1; torchvision's
    ///   `zero_init_residual`).
    public static func initialized(_ network: Network, seed: UInt64, zeroInitResidual: Bool = false) -> Weights {
        let weights = Weights(network)
        for (index, parameter) in network.parameters.enumerated() {
            var random = CounterRandom(seed: seed, .initialization, item: index)
            let p = weights.pointer(index)
            switch parameter.initialization {
            case .normal(let deviation):
                for i in 0..<parameter.count { p[i] = Float(deviation * random.normal()) }
            case .uniform(let bound):
                for i in 0..<parameter.count { p[i] = Float(random.uniform(-bound, bound)) }
            case .constant(let value): p.update(repeating: value, count: parameter.count)
            }
        }
        for node in network.graph.nodes where zeroInitResidual {
            guard let norm = node.operation as? BatchNormOperation, norm.residual != nil, let gamma = norm.affine?.gamma else { continue }
            weights.pointer(gamma).update(repeating: 0, count: network.parameters[gamma].count)
        }
        return weights
    }
}
