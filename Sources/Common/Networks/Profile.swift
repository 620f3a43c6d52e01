/// A stopwatch that charges the elapsed time to the part of a run that has just ended, so that the parts add up to the
/// whole.
///
///     run.profile = profile
///     run.forward(weights, images: images)  // Each operation is charged here,
///     profile.lap("loss")                   // and what comes after the last one here.
public final class Profile {
    /// The pass of an operation: its outputs, the gradient of its inputs, or that of its weights.
    public enum Pass: Int, CaseIterable, Sendable { case forward, toData, toWeights }

    public struct Entry: Sendable {
        public fileprivate(set) var seconds = 0.0
        /// Multiply-adds of the direct algorithm, even if a faster algorithm saves some.
        public fileprivate(set) var multiplyAdds = 0.0

        public init() {}

        fileprivate init(seconds: Double) { self.seconds = seconds }

        public static func += (a: inout Entry, b: Entry) {
            a.seconds += b.seconds
            a.multiplyAdds += b.multiplyAdds
        }

        /// Billions of operations per second, counting two per multiply-add; nil for work that has no such count.
        public var gigaflops: Double? { multiplyAdds > 0 && seconds > 0 ? 2e-9 * multiplyAdds / seconds : nil }
    }

    public let network: Network
    /// For each operation of the graph, its passes in the order of ``Pass/rawValue``.
    public private(set) var operations: [[Entry]]
    /// The parts that are not operations of the network, in order of first appearance.
    public private(set) var parts: [(name: String, entry: Entry)] = []
    public private(set) var batches = 0
    public private(set) var images = 0
    private var last = ContinuousClock.now

    /// Starts the stopwatch.
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

    /// The total time charged.
    public var seconds: Double {
        operations.joined().reduce(0) { $0 + $1.seconds } + parts.reduce(0) { $0 + $1.entry.seconds }
    }

    private func split() -> Double {
        let now = ContinuousClock.now
        defer { last = now }
        return (now - last) / .seconds(1)
    }
}
