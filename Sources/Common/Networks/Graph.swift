/// A network as a list of operations, each on the value of an earlier one.
///
/// Values are numbered: 0 is the images, i + 1 is the output of operation i. A ``GraphBuilder`` creates the list from a
/// table; ``TrainingRun`` and ``InferenceRun`` run it.
public struct Graph: Sendable {
    public struct Node: Sendable {
        public let operation: any Operation
        /// The value it reads.
        public let input: Int
        /// The end of the parameters of this and all earlier operations, in floats.
        let parametersEnd: Int
    }

    public internal(set) var nodes: [Node] = []
    /// The value that holds the pooled features of an image.
    public internal(set) var features = 0
    /// The number of channels of the images.
    public let channels: Int

    init(channels: Int) { self.channels = channels }

    /// The offset, in floats, from which parameters have final gradients once the backward pass has completed operation
    /// `index`.
    public func finalParameters(after index: Int) -> Int { index > 0 ? nodes[index - 1].parametersEnd : 0 }

    /// The shape of every value for images of H by W.
    public func shapes(height: Int, width: Int) -> [Shape] {
        var shapes = [Shape(H: height, W: width, C: channels)]
        for node in nodes { shapes.append(node.operation.outputShape(shapes[node.input])) }
        return shapes
    }

    /// The multiply-adds of each operation for one image with the direct algorithm. Only convolutions, linear layers
    /// and attention are counted, including those inside squeeze-excite; everything else is memory-bound.
    public func multiplyAdds(height: Int, width: Int) -> [Int] {
        let shapes = shapes(height: height, width: width)
        return nodes.enumerated().map { index, node in node.operation.multiplyAdds(shapes[node.input], shapes[index + 1]) }
    }

    /// The numbers that the operations read and write for one image if nothing stays in a cache: each value once per
    /// pass over it.
    ///
    /// This is an estimate to tell where memory is the bound. Weights are not included.
    public func valuesMoved(height: Int, width: Int, training: Bool) -> Int {
        let shapes = shapes(height: height, width: width), fusion = Fusion(self, shapes)
        return nodes.enumerated().reduce(0) { sum, next in
            let (index, node) = next
            let traffic = node.operation.traffic(
                TrafficSite(
                    x: shapes[node.input], y: shapes[index + 1], readsImages: node.input == 0, isTraining: training,
                    fusedIntoConsumer: training ? fusion.normalizationInConsumer[index] : fusion.gatesInConsumer[index],
                    gradientInProducer: fusion.gradientInProducer[index]))
            return sum + traffic.forward + (training ? traffic.backward : 0)
        }
    }
}

/// Builds a graph operation by operation and collects its parameters. Each operation's file adds a method to it.
public struct GraphBuilder {
    public private(set) var graph: Graph
    public private(set) var parameters: [Parameter] = []
    public private(set) var statistics: [Statistics] = []
    private var channels: [Int]
    private var parameterCount = 0
    private var statisticsCount = 0

    /// The images.
    public let input = 0

    /// - Parameter channels: the number of channels of the images.
    public init(channels: Int = 3) {
        graph = Graph(channels: channels)
        self.channels = [channels]
    }

    /// Appends an operation on value `x` and returns its output value.
    mutating func add(_ operation: some Operation, _ x: Int) -> Int {
        graph.nodes.append(Graph.Node(operation: operation, input: x, parametersEnd: parameterCount))
        // Any size that all windows fit into.
        channels.append(operation.outputShape(Shape(H: 64, W: 64, C: channels[x])).C)
        return graph.nodes.count
    }

    /// Adds a parameter and returns its index.
    mutating func parameter(_ name: String, _ shape: [Int], _ role: Parameter.Role, _ initialization: Parameter.Initialization) -> Int {
        parameters.append(Parameter(name: name, shape: shape, role: role, initialization: initialization, offset: parameterCount))
        // Each parameter is aligned to a cache line.
        parameterCount += (shape.reduce(1, *) + 15) / 16 * 16
        return parameters.count - 1
    }

    /// Adds the weights of a convolution, initialized as normal with standard deviation √(2 / (K·R·S)) (Kaiming, fan
    /// out).
    mutating func kernel(_ name: String, _ shape: [Int], _ role: Parameter.Role = .convolution) -> Int {
        parameter(name + ".weight", shape, role, .normal((2 / Double(shape[0] * shape[2] * shape[3])).squareRoot()))
    }

    /// Adds running statistics and returns their index.
    mutating func runningStatistics(_ name: String, _ C: Int) -> Int {
        statistics.append(Statistics(name: name, C: C, offset: statisticsCount))
        statisticsCount += 2 * C
        return statistics.count - 1
    }

    /// The number of channels of a value.
    public func width(_ value: Int) -> Int { channels[value] }

    /// Sets the value that holds the features of an image.
    mutating func end(features: Int) { graph.features = features }
}
