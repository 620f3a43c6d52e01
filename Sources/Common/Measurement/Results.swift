import Networks
public import TensorStreams

/// What a machine can do at most.
public struct Machine: Sendable {
    public var threads: Int
    /// Billions of operations a second with all threads, and with one.
    public var gigaflops: Double
    public var gigaflopsOfOne: Double
    /// Billions of bytes a second from and to memory.
    public var gigabytes: Double
    public var gigabytesOfOne: Double

    /// Takes over what another measurement found to be more.
    public mutating func takeBetter(_ other: Machine) {
        gigaflops = max(gigaflops, other.gigaflops)
        gigaflopsOfOne = max(gigaflopsOfOne, other.gigaflopsOfOne)
        gigabytes = max(gigabytes, other.gigabytes)
        gigabytesOfOne = max(gigabytesOfOne, other.gigabytesOfOne)
    }

    public var json: JSON {
        .object([
            "machine": .string(Processor.name), "threads": .integer(Int64(threads)), "gigaflops": .number(gigaflops),
            "gigaflops_one_thread": .number(gigaflopsOfOne), "gigabytes_per_second": .number(gigabytes),
            "gigabytes_per_second_one_thread": .number(gigabytesOfOne),
        ])
    }
}

/// How fast ours is.
public struct Measurement: Sendable {
    public var workload: Workload
    public var threads: Int
    /// Of a batch, with all threads and with one.
    public var seconds: Double
    public var secondsOfOne = Double.nan
    /// The most the process had, in bytes.
    public var memory: Int

    public init(workload: Workload, threads: Int, seconds: Double, memory: Int) {
        self.workload = workload
        self.threads = threads
        self.seconds = seconds
        self.memory = memory
    }

    public var imagesPerSecond: Double { Double(workload.batch) / seconds }
    public var imagesPerSecondOfOne: Double { Double(workload.batch) / secondsOfOne }
    /// How much faster all threads are than one.
    public var scaling: Double { secondsOfOne / seconds }
    /// Of the direct algorithm.
    public var gigaflops: Double { 2e-9 * Double(workload.multiplyAdds) / seconds }
    /// Billions of bytes a second that the plan's values make, if no cache keeps any.
    public var gigabytes: Double { 1e-9 * Double(workload.bytesMoved) / seconds }

    public var json: JSON {
        .object(workload.members.merging([
            "threads": .integer(Int64(threads)), "seconds_per_batch": .number(seconds), "seconds_per_batch_one_thread": .number(secondsOfOne),
            "images_per_second": .number(imagesPerSecond), "images_per_second_one_thread": .number(imagesPerSecondOfOne),
            "gigaflops": .number(gigaflops), "bytes_moved_per_batch": .integer(Int64(workload.bytesMoved)), "peak_memory": .integer(Int64(memory)),
        ]))
    }
}

/// A mode to run a network in another program.
public enum PeerMode: String, Sendable, CaseIterable {
    case nchw
    case channelsLast = "channels-last"
    case compile
    case onnxruntime
    case openvino

    public var title: String {
        switch self {
        case .nchw: "PyTorch NCHW"
        case .channelsLast: "PyTorch channels_last"
        case .compile: "torch.compile"
        case .onnxruntime: "onnxruntime"
        case .openvino: "OpenVINO"
        }
    }

    /// Those that can do it.
    static func modes(_ kind: Workload.Kind) -> [PeerMode] { kind == .train ? [.nchw, .channelsLast, .compile] : allCases }
}

/// Ours against the best of the others.
public struct Comparison: Sendable {
    /// One mode of a peer: the seconds of a batch and the most memory its process had, or why it does not run here.
    public struct Trial: Sendable {
        public var mode: PeerMode
        public var seconds: Double?
        public var memory: Int?
        public var failure: String?

        init(mode: PeerMode, seconds: Double? = nil, memory: Int? = nil, failure: String? = nil) {
            self.mode = mode
            self.seconds = seconds
            self.memory = memory
            self.failure = failure
        }
    }

    public struct Best: Sendable {
        public var mode: PeerMode
        /// Seconds of a batch, in the middle of the turns.
        public var ours: Double
        public var theirs: Double
        /// How many times faster ours was, pair by pair.
        public var ratios: [Double]
        /// The most memory our process had.
        public var memory: Int

        /// The middle of the ratios.
        public var ratio: Double { ratios.median }
    }

    public var workload: Workload
    public var best: Best?
    public var trials: [Trial]

    /// Our memory's share of the peer's that took least of all its modes, so that no mode makes us look better than we are.
    public var memoryRatio: Double? {
        guard let best, let least = trials.compactMap(\.memory).min() else { return nil }
        return Double(best.memory) / Double(least)
    }

    public var json: JSON {
        let modes = trials.map { trial in
            JSON.object([
                "mode": .string(trial.mode.title), "seconds_per_batch": trial.seconds.map { .number($0) } ?? .null,
                "peak_memory": trial.memory.map { .integer(Int64($0)) } ?? .null, "failure": trial.failure.map { .string($0) } ?? .null,
            ])
        }
        var members = workload.members
        members["peers"] = .array(modes)
        if let best {
            members = members.merging([
                "best": .string(best.mode.title), "seconds_per_batch": .number(best.ours), "seconds_per_batch_peer": .number(best.theirs),
                "ratio": .number(best.ratio), "ratios": .array(best.ratios.map { .number($0) }), "peak_memory": .integer(Int64(best.memory)),
                "memory_ratio": memoryRatio.map { .number($0) } ?? .null,
            ])
        }
        return .object(members)
    }
}

extension Workload {
    /// For one batch, by the direct algorithm.
    var multiplyAdds: Int {
        guard let graph = Workload.network(network)?.graph else { return 0 }
        return batch * zip(graph.multiplyAdds(height: size, width: size), graph.nodes).reduce(0) { sum, next in
            let (count, node) = next
            // The gradient of the images is not wanted.
            return sum + count * (kind == .embed ? 1 : node.input == 0 ? 2 : 3)
        }
    }

    /// For one batch: what the operations read and write if no cache keeps any of it.
    var bytesMoved: Int {
        guard let network = Workload.network(network) else { return 0 }
        let values = network.graph.valuesMoved(height: size, width: size, training: kind == .train)
        // A step zeroes, fills and reads the gradient, reads the parameters twice, and changes them and their momenta.
        return 4 * (batch * values + network.parameterCount * (kind == .train ? 9 : 1))
    }

    var members: JSON.Object {
        [
            "measures": .string(kind.rawValue), "network": .string(network), "size": .integer(Int64(size)), "batch": .integer(Int64(batch)),
        ]
    }
}
