public import Networks

/// Something to be measured: what is done with a network, for how many images of what size.
public struct Workload: Sendable, Equatable {
    public enum Kind: String, Sendable, CaseIterable {
        /// Forward, a loss, backward, SGD.
        case train
        /// Forward with folded batch norms, as `embed` runs it.
        case embed

        public var title: String { self == .train ? "training step" : "forward" }
    }

    public var kind: Kind
    public var network: String
    /// Height and width of an image.
    public var size: Int
    public var batch: Int

    public init(_ kind: Kind, _ network: String, size: Int, batch: Int) {
        self.kind = kind
        self.network = network
        self.size = size
        self.batch = batch
    }

    /// A thousand outputs, as torchvision's networks have.
    public static func network(_ name: String) -> Network? { Network(name, head: .linear(1000)) }

    /// The networks that are measured unless others are asked for.
    public static let usual = ["resnet18", "resnet50", "mobilenet-v3-large", "efficientnet-b0"].filter { Network.names.contains($0) }

    /// Training and forward at 224×224, and training on small images.
    public static func plan(_ networks: [String]) -> [Workload] {
        func workloads(_ kind: Kind, _ size: Int) -> [Workload] {
            networks.map { Workload(kind, $0, size: size, batch: usualBatch($0, size: size)) }
        }
        return workloads(.train, 224) + workloads(.embed, 224) + workloads(.train, 64)
    }

    /// Images in a batch unless others are asked for.
    public static func usualBatch(_ network: String, size: Int) -> Int { size <= 64 ? 128 : network == "resnet50" ? 16 : 32 }

    public var title: String { "\(kind.title) \(size)×\(size)" }

    /// The words that tell a process what to measure.
    var arguments: [String] { [kind.rawValue, network, "--size", "\(size)", "--batch", "\(batch)"] }
}
