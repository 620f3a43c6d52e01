public import Networks

/// Something to be measured: what is done with a network, for how many pictures of what size.
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
    /// Height and width of a picture.
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

    /// Training and forward at 224×224, and training on small pictures.
    public static func plan(_ networks: [String]) -> [Workload] {
        func batch(_ network: String) -> Int { network == "resnet50" ? 16 : 32 }
        return networks.map { Workload(.train, $0, size: 224, batch: batch($0)) }
            + networks.map { Workload(.embed, $0, size: 224, batch: batch($0)) }
            + networks.map { Workload(.train, $0, size: 64, batch: 128) }
    }

    public var title: String { "\(kind.title) \(size)×\(size)" }

    /// The words that tell a process what to measure.
    var arguments: [String] { [kind.rawValue, network, "--size", "\(size)", "--batch", "\(batch)"] }
}
