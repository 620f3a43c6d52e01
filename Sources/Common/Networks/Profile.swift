/// A stopwatch that charges every moment of a run to the part of it that has just ended, so that the parts add up to the whole.
///
///     run.profile = profile
///     run.forward(weights, images: images)  // Each operation is charged here,
///     profile.lap("loss")                   // and what comes after the last one here.
public final class Profile {
    /// What is done for an operation: its outputs, the gradient of its inputs, or that of its weights.
    public enum Pass: Int, CaseIterable, Sendable { case forward, toData, toWeights }

    public struct Entry: Sendable {
        public fileprivate(set) var seconds = 0.0
        /// Those of the direct algorithm, however they were saved.
        public fileprivate(set) var multiplyAdds = 0.0

        public init() {}

        fileprivate init(seconds: Double) { self.seconds = seconds }

        public static func += (a: inout Entry, b: Entry) {
            a.seconds += b.seconds
            a.multiplyAdds += b.multiplyAdds
        }

        /// Billions of operations a second, two for each product and sum; nil for work that is not counted so.
        public var gigaflops: Double? { multiplyAdds > 0 && seconds > 0 ? 2e-9 * multiplyAdds / seconds : nil }
    }

    public let network: Network
    /// For each operation of the graph, its passes in the order of ``Pass/rawValue``.
    public private(set) var operations: [[Entry]]
    /// What is not an operation of the network, in the order in which it first came.
    public private(set) var parts: [(name: String, entry: Entry)] = []
    public private(set) var batches = 0
    public private(set) var images = 0
    private var last = ContinuousClock.now

    /// Starts the watch.
    public init(_ network: Network) {
        self.network = network
        operations = Array(repeating: Array(repeating: Entry(), count: Pass.allCases.count), count: network.graph.nodes.count)
    }

    /// Charges the time since the last call to a pass of an operation.
    public func lap(_ operation: Int, _ pass: Pass, multiplyAdds: Int) {
        operations[operation][pass.rawValue].seconds += split()
        operations[operation][pass.rawValue].multiplyAdds += Double(multiplyAdds)
    }

    /// Charges the time since the last call to a part outside the network.
    public func lap(_ part: String) {
        let seconds = split()
        if let index = parts.firstIndex(where: { $0.name == part }) {
            parts[index].entry.seconds += seconds
        } else {
            parts.append((part, Entry(seconds: seconds)))
        }
    }

    public func count(images: Int) {
        batches += 1
        self.images += images
    }

    /// All that has been charged.
    public var seconds: Double {
        operations.joined().reduce(0) { $0 + $1.seconds } + parts.reduce(0) { $0 + $1.entry.seconds }
    }

    private func split() -> Double {
        let now = ContinuousClock.now
        defer { last = now }
        return (now - last) / .seconds(1)
    }
}
