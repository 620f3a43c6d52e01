public import Kernels
import Platform
import Randomness

/// The numbers of a network: what it has learnt and its running statistics.
public final class Weights: @unchecked Sendable {
    public let network: Network
    /// All parameters, each at its ``Parameter/offset``, convolutions as (K, R, S, C).
    public let parameters: FloatBuffer
    /// All running means and variances, each at its ``Statistics/offset``.
    public let statistics: FloatBuffer
    /// Batches that each statistic has seen (`num_batches_tracked`).
    public var batchesSeen: [Int]

    /// All zero, variances one.
    public init(_ network: Network) {
        self.network = network
        parameters = FloatBuffer(network.parameterCount)
        statistics = FloatBuffer(network.statisticsCount)
        batchesSeen = Array(repeating: 0, count: network.statistics.count)
        for s in network.statistics { (statistics.pointer + s.offset + s.C).update(repeating: 1, count: s.C) }
    }

    /// Another with the same numbers.
    public convenience init(copying other: Weights) {
        self.init(other.network)
        parameters.pointer.update(from: other.parameters.pointer, count: parameters.count)
        statistics.pointer.update(from: other.statistics.pointer, count: statistics.count)
        batchesSeen = other.batchesSeen
    }

    public func pointer(_ parameter: Int) -> UnsafeMutablePointer<Float> { parameters.pointer + network.parameters[parameter].offset }

    /// The numbers that torchvision's networks begin with: see ``Parameter/initialization``.
    public static func initialized(_ network: Network, seed: UInt64) -> Weights {
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
        return weights
    }
}
