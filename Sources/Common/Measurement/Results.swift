import Networks
public import TensorStreams

/// The peak performance of a machine.
public struct Machine: Sendable {
    public var threads: Int
    /// Billions of operations per second with all threads, and with one.
    public var gigaflops: Double
    public var gigaflopsOfOne: Double
    /// Billions of bytes per second from and to memory.
    public var gigabytes: Double
    public var gigabytesOfOne: Double

    /// Takes the larger values of two measurements.
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

/// The speed of our program on one workload.
public struct Measurement: Sendable {
    public var workload: Workload
    public var threads: Int
    /// The seconds per batch, with all threads and with one.
    public var seconds: Double
    public var secondsOfOne = Double.nan
    /// The peak memory of the process, in bytes.
    public var memory: Int

    public init(workload: Workload, threads: Int, seconds: Double, memory: Int) {
        self.workload = workload
        self.threads = threads
        self.seconds = seconds
        self.memory = memory
    }

    public var imagesPerSecond: Double { Double(workload.batch) / seconds }
    public var imagesPerSecondOfOne: Double { Double(workload.batch) / secondsOfOne }
    /// The speedup of all threads over one.
    public var scaling: Double { secondsOfOne / seconds }
    /// Billions of operations per second, counted for the direct algorithm.
    public var gigaflops: Double { 2e-9 * Double(workload.multiplyAdds) / seconds }
    /// Billions of bytes per second of the plan's values, if no cache keeps any.
    public var gigabytes: Double { 1e-9 * Double(workload.bytesMoved) / seconds }

    public var json: JSON {
        .object(workload.members.merging([
            "threads": .integer(Int64(threads)), "seconds_per_batch": .number(seconds), "seconds_per_batch_one_thread": .number(secondsOfOne),
            "images_per_second": .number(imagesPerSecond), "images_per_second_one_thread": .number(imagesPerSecondOfOne),
            "gigaflops": .number(gigaflops), "bytes_moved_per_batch": .integer(Int64(workload.bytesMoved)), "peak_memory": .integer(Int64(memory)),
        ]))
    }
}

/// A way to run a network in another program.
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

    /// The modes that support a kind of workload.
    static func modes(_ kind: Workload.Kind) -> [PeerMode] { kind == .train ? [.nchw, .channelsLast, .compile] : allCases }
}

/// Our program against the best of the others.
public struct Comparison: Sendable {
    /// One mode of a peer: the seconds per batch and the peak memory of its process, or why it does not run here.
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
        /// The median seconds per batch.
        public var ours: Double
        public var theirs: Double
        /// How many times faster our program was, pair by pair.
        public var ratios: [Double]
        /// The peak memory of our process.
        public var memory: Int

        /// The median of the ratios.
        public var ratio: Double { ratios.median }
    }

    public var workload: Workload
    public var best: Best?
    public var trials: [Trial]

    /// Our memory relative to the peer mode with the least memory, so that no mode makes our program look better than
    /// it is.
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
    /// The multiply-adds of one batch, by the direct algorithm.
    var multiplyAdds: Int {
        guard let graph = Workload.network(network)?.graph else { return 0 }
        return batch * zip(graph.multiplyAdds(height: size, width: size), graph.nodes).reduce(0) { sum, next in
            let (count, node) = next
            // The gradient of the images is not needed.
            return sum + count * (kind == .embed ? 1 : node.input == 0 ? 2 : 3)
        }
    }

    /// The bytes that the operations of one batch read and write if no cache keeps any.
    var bytesMoved: Int {
        guard let network = Workload.network(network) else { return 0 }
        let values = network.graph.valuesMoved(height: size, width: size, training: kind == .train)
        // A step zeroes, fills and reads the gradient, reads the parameters twice, and updates them and their momenta.
        return 4 * (batch * values + network.parameterCount * (kind == .train ? 9 : 1))
    }

    var members: JSON.Object {
        [
            "measures": .string(kind.rawValue), "network": .string(network), "size": .integer(Int64(size)), "batch": .integer(Int64(batch)),
        ]
    }
}
