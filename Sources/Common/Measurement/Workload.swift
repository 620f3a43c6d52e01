public import Networks

/// A workload to measure: what is done with a network, and the number and size of the images.
public struct Workload: Sendable, Equatable {
    public enum Kind: String, Sendable, CaseIterable {
        /// Forward pass, loss, backward pass, SGD step.
        case train
        /// Forward pass with folded batch norms, as in `embed`.
        case embed

        public var title: String { self == .train ? "training step" : "forward" }
    }

    public var kind: Kind
    public var network: String
    /// The height and width of an image.
    public var size: Int
    public var batch: Int

    public init(_ kind: Kind, _ network: String, size: Int, batch: Int) {
        self.kind = kind
        self.network = network
        self.size = size
        self.batch = batch
    }

    /// A network with a thousand outputs, like torchvision's.
    public static func network(_ name: String) -> Network? { Network(name, head: .linear(1000)) }

    /// The networks that are measured by default.
    public static let usual = ["resnet18", "resnet50", "mobilenet-v3-large", "efficientnet-b0"].filter { Network.names.contains($0) }

    /// Training and forward pass at 224×224, and training on small images.
    public static func plan(_ networks: [String]) -> [Workload] {
        func workloads(_ kind: Kind, _ size: Int) -> [Workload] {
            networks.map { Workload(kind, $0, size: size, batch: usualBatch($0, size: size)) }
        }
        return workloads(.train, 224) + workloads(.embed, 224) + workloads(.train, 64)
    }

    /// The default batch size.
    public static func usualBatch(_ network: String, size: Int) -> Int { size <= 64 ? 128 : network == "resnet50" ? 16 : 32 }

    public var title: String { "\(kind.title) \(size)×\(size)" }

    /// The arguments that tell a process what to measure.
    var arguments: [String] { [kind.rawValue, network, "--size", "\(size)", "--batch", "\(batch)"] }
}
