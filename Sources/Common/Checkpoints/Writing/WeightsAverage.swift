import Kernels
import Layers
public import Networks
import ToolSupport

/// The mean of several networks' weights, tensor by tensor: of snapshots of a training, or of several trainings from
/// the same start (Izmailov et al., "Averaging Weights Leads to Wider Optima", UAI 2018; Wortsman et al., "Model
/// soups", ICML 2022).
///
/// Means are computed in double precision and rounded once. Running statistics are averaged too, although the
/// averaged network would measure other statistics on images. For batch counts, the largest is kept.
public struct WeightsAverage {
    private let network: Network
    private let path: String
    private var parameters, statistics: [Double]
    private var batchesSeen: [Int]
    private var count = 1

    /// - Parameter path: the file of `weights`, for messages.
    public init(_ weights: Weights, path: String) {
        (network, self.path, batchesSeen) = (weights.network, path, weights.batchesSeen)
        parameters = (0..<network.parameterCount).map { unsafe Double(weights.parameters.pointer[$0]) }
        statistics = (0..<network.statisticsCount).map { unsafe Double(weights.statistics.pointer[$0]) }
    }

    /// Adds the weights of another network.
    ///
    /// - Throws: ``Failure`` `data` where the network, its head or its images differ.
    public mutating func add(_ weights: Weights, path: String) throws {
        let other = weights.network
        func check(_ found: String, _ expected: String) throws {
            guard found != expected else { return }
            throw Failure(.data, path: path, "is \(found) where \(self.path) is \(expected)", remedy: "average weights of one network")
        }
        func head(_ network: Network) -> String { "of the network \(network.name) " + (network.head == .none ? "without a head" : "with the head '\(network.head.text)'") }
        try check("of the network \(other.name)", "of the network \(network.name)")
        try check(head(other), head(network))
        try check("for images of \(other.channels) channels", "for images of \(network.channels) channels")
        func places(_ network: Network) -> String { "with \(network.positions.map { "\($0.count) position embeddings, \($0.interpolation.rawValue)" } ?? "no position embeddings")" }
        try check(places(other), places(network))
        try check("for pixels of \(other.pixels.text)", "for pixels of \(network.pixels.text)")
        guard other.parameters.map(\.shape) == network.parameters.map(\.shape), other.statisticsCount == network.statisticsCount else {
            throw Failure(.data, path: path, "has tensors of other shapes than \(self.path)", remedy: "average weights of one network")
        }
        for index in parameters.indices { unsafe parameters[index] += Double(weights.parameters.pointer[index]) }
        for index in statistics.indices { unsafe statistics[index] += Double(weights.statistics.pointer[index]) }
        for (index, seen) in weights.batchesSeen.enumerated() { batchesSeen[index] = max(batchesSeen[index], seen) }
        count += 1
    }

    /// The mean of all added weights.
    public func weights() -> Weights {
        let weights = Weights(network), count = Double(count)
        for (index, sum) in parameters.enumerated() { unsafe weights.parameters.pointer[index] = Float(sum / count) }
        for (index, sum) in statistics.enumerated() { unsafe weights.statistics.pointer[index] = Float(sum / count) }
        weights.batchesSeen = batchesSeen
        return weights
    }
}
