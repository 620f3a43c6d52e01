import Kernels

/// A network's definition up to its features, and how torchvision continues from there.
protocol Trunk: Sendable {
    /// Appends the trunk to `graph` and returns its features (N, d).
    func build(_ graph: inout GraphBuilder) -> Int
    /// torchvision's name of the linear layer after the features.
    var headName: String { get }
    /// The dropout probability of the features before the head, in training.
    var dropout: Double { get }
    /// The initialization of the weights of a linear head with O outputs; nil for PyTorch's default.
    func headStart(_ O: Int) -> Parameter.Initialization?
    /// How bytes are converted to floats.
    var pixels: Pixels { get }
    /// The smallest image that leaves something to pool.
    var smallestImage: Int { get }
    /// The position embeddings; nil if it has none.
    var positions: PositionTable? { get }
    /// The same trunk with other position embeddings.
    func with(_ positions: PositionTable) -> any Trunk
    /// The same trunk with the given numbers of blocks per stage, and without the stages after them. nil for trunks
    /// that are not residual networks.
    func with(blocks: [Int]) -> (any Trunk)?
}

extension Trunk {
    var pixels: Pixels { .imageNet }
    var smallestImage: Int { 8 }
    var positions: PositionTable? { nil }
    func with(_ positions: PositionTable) -> any Trunk { self }
    func with(blocks: [Int]) -> (any Trunk)? { nil }
}

/// A network by name: a trunk and the head that turns features into an embedding.
public struct Network: Sendable {
    public let name: String
    public let head: Head
    /// The prefix of the names of the head's tensors, before a dot.
    public let headName: String
    public let graph: Graph
    public let parameters: [Parameter]
    public let statistics: [Statistics]
    /// The width of the features.
    public let featureWidth: Int
    /// How bytes are converted to the network's input.
    public var pixels: Pixels
    /// The position embeddings of a transformer.
    public let positions: PositionTable?
    /// The smallest image side that leaves something to pool.
    public let smallestImage: Int
    /// Whether it can be trained here and exported as ONNX. Transformers can only be teachers.
    public var trains: Bool { !graph.nodes.contains { $0.operation.isForInferenceAlone } }
    /// The sides of its images must be multiples of this.
    public var imageMultiple: Int { graph.nodes.first?.operation.imageMultiple ?? 1 }
    /// Advice for the user if images of this side are not supported.
    public func sizeRemedy(_ side: Int) -> String {
        let below = side / imageMultiple * imageMultiple, above = below + imageMultiple
        return "make images of \(below >= smallestImage ? "\(below) or \(above)" : "\(above)")"
    }
    /// Whether it accepts only square images: the SAME padding of others may differ in height and width.
    public var needsSquareImages: Bool { graph.nodes.contains { $0.operation.needsSquareImages } }

    /// The number of floats for all parameters; likewise for all statistics.
    public var parameterCount: Int { parameters.last.map { ($0.offset + $0.count + 15) / 16 * 16 } ?? 0 }
    public var statisticsCount: Int { statistics.last.map { $0.offset + 2 * $0.C } ?? 0 }
    /// The width of an embedding. Without a head the features are the embedding.
    public var embeddingWidth: Int { head.dimension ?? featureWidth }
    /// The number of channels of the images.
    public var channels: Int { graph.channels }

    /// The layer of operation `index`, by torchvision's name (`layer1.0.conv1`), or by its function if it has no
    /// parameters.
    public func layer(_ index: Int) -> String {
        let operation = graph.nodes[index].operation
        guard let parameter = operation.parameter else { return operation.name }
        let name = parameters[parameter].name
        return name.hasSuffix(".weight") ? String(name.dropLast(7)) : name
    }

    /// The kind of work of operation `index`: `3×3`, `1×1 stride 2`, `batch norm`.
    public func kind(_ index: Int) -> String { graph.nodes[index].operation.kind }

    /// - Parameters:
    ///   - channels: the number of channels of the images.
    ///   - positions: the position embeddings of a transformer; nil for those of its original training.
    /// - Returns: nil if there is no network of this name.
    public init?(_ name: String, head: Head, channels: Int = 3, positions: PositionTable? = nil) {
        guard var trunk = Network.tables[name] else { return nil }
        if let positions { trunk = trunk.with(positions) }
        self.init(name, trunk, head, channels)
    }

    /// A residual network with fewer blocks and stages than its definition. Tests compare the widest networks with
    /// PyTorch in this form, since whole ones do not fit into a test's memory.
    ///
    /// - Parameter blocks: the number of blocks of each stage.
    package init?(_ name: String, head: Head, blocks: [Int]) {
        guard let trunk = Network.tables[name]?.with(blocks: blocks) else { return nil }
        self.init(name, trunk, head, 3)
    }

    private init(_ name: String, _ trunk: any Trunk, _ head: Head, _ channels: Int) {
        self.positions = trunk.positions
        smallestImage = trunk.smallestImage
        var builder = GraphBuilder(channels: channels)
        var x = trunk.build(&builder)
        featureWidth = builder.width(x)
        pixels = trunk.pixels
        builder.end(features: x)
        if head != .none, trunk.dropout > 0 { x = builder.dropout(x, trunk.dropout) }
        head.build(&builder, x, name: trunk.headName, start: trunk.headStart)
        headName = trunk.headName
        self.name = name
        self.head = head
        graph = builder.graph
        parameters = builder.parameters
        statistics = builder.statistics
    }

    /// A head as a network by itself, from rows of `inputs` numbers to its output rows: BYOL's predictor.
    ///
    /// Its parameters are named as in PyTorch's `Sequential`: `0.weight`.
    public init(_ head: Head, inputs: Int) { self.init(head, inputs: inputs, name: "head", dropout: 0) }

    private init(_ head: Head, inputs: Int, name: String, dropout: Double) {
        var builder = GraphBuilder(channels: inputs)
        builder.end(features: builder.input)
        let x = dropout > 0 ? builder.dropout(builder.input, dropout) : builder.input
        head.build(&builder, x, name: "") { _ in nil }
        (self.name, headName, featureWidth, self.head, pixels, positions, smallestImage) = (name, "", inputs, head, .imageNet, nil, 1)
        (graph, parameters, statistics) = (builder.graph, builder.parameters, builder.statistics)
    }

    /// The layers after the features as a network by itself, from rows of features to the embedding; nil if there are
    /// none.
    public var headAlone: Network? {
        guard head != .none, let trunk = Network.tables[name] else { return nil }
        return Network(head, inputs: featureWidth, name: name + " head", dropout: trunk.dropout)
    }

    /// The same network with another head; nil if this is a head as a network by itself.
    public func with(_ head: Head) -> Network? {
        var network = Network(name, head: head, channels: channels, positions: positions)
        network?.pixels = pixels
        return network
    }

    /// The names that ``init(_:head:channels:positions:)`` knows, sorted.
    public static var names: [String] { tables.keys.sorted() }

    /// The names of the networks that can be trained here; see ``trains``.
    public static let trainable: [String] = names.filter { Network($0, head: .none)?.trains == true }

    /// The names of heads in all networks.
    public static let headNames = Set(tables.values.map(\.headName)).sorted()
    /// The ``headName`` of the network with this name.
    public static func headName(of name: String) -> String? { tables[name]?.headName }
    /// The tensor that reads the images in the network with this name: (K, channels, R, S).
    public static func stemName(of name: String) -> String? { Network(name, head: .none)?.parameters.first?.name }

    /// The tensors that read the images, over all networks.
    public static let stems: [String] = Set(names.compactMap(stemName)).sorted()

    /// The ``headName`` of the network whose trunk consists only of these tensors.
    public static func headName(ofTrunk tensors: Set<String>) -> String? {
        names.first { name in Network(name, head: .none)?.parameters.allSatisfy { tensors.contains($0.name) } == true }.flatMap(headName)
    }

    /// The most channels of an image.
    public static let mostChannels = 1024

    private static let tables: [String: any Trunk] = named.merging(smallStems) { $1 }

    /// ResNets for large images, with the stem for small ones, as `resnet50-small-stem`. Programs that train on CIFAR
    /// use such networks.
    private static var smallStems: [String: any Trunk] {
        Dictionary(uniqueKeysWithValues: named.compactMap { name, trunk in
            guard let large = trunk as? ResNet, large.stem == .large, !large.hasSamePadding else { return nil }
            return (name + "-small-stem", ResNet(block: large.block, depths: large.depths, width: large.width, stem: .small, innerFactor: large.innerFactor))
        })
    }

    private static let named: [String: any Trunk] = [
        "mobilenet-v2": MobileNetV2(),
        "mobilenet-v3-large": MobileNetV3.large,
        "mobilenet-v3-small": MobileNetV3.small,
        "efficientnet-b0": EfficientNet.scaled(width: 1, depth: 1, dropout: 0.2),
        "efficientnet-b1": EfficientNet.scaled(width: 1, depth: 1.1, dropout: 0.2),
        "efficientnet-b2": EfficientNet.scaled(width: 1.1, depth: 1.2, dropout: 0.3),
        "efficientnet-b3": EfficientNet.scaled(width: 1.2, depth: 1.4, dropout: 0.3),
        "efficientnet-lite0": EfficientNetLite(width: 1, depth: 1, dropout: 0.2),
        "efficientnet-lite1": EfficientNetLite(width: 1, depth: 1.1, dropout: 0.2),
        "efficientnet-lite2": EfficientNetLite(width: 1.1, depth: 1.2, dropout: 0.3),
        // SEED's own definitions, used by its released students.
        "seed-mobilenet-v3-large": SEEDMobileNetV3(),
        "seed-efficientnet-b0": SEEDEfficientNet(depth: 1, resolution: 224),
        "seed-efficientnet-b1": SEEDEfficientNet(depth: 1.1, resolution: 240),
        "resnet18": ResNet(block: .basic, depths: [2, 2, 2, 2], width: 64, stem: .large),
        "resnet34": ResNet(block: .basic, depths: [3, 4, 6, 3], width: 64, stem: .large),
        "resnet50": ResNet(block: .bottleneck, depths: [3, 4, 6, 3], width: 64, stem: .large),
        "resnet101": ResNet(block: .bottleneck, depths: [3, 4, 23, 3], width: 64, stem: .large),
        "resnet152": ResNet(block: .bottleneck, depths: [3, 8, 36, 3], width: 64, stem: .large),
        "resnet50-same": ResNet(block: .bottleneck, depths: [3, 4, 6, 3], width: 64, stem: .large, hasSamePadding: true),
        // SimCLR's and SwAV's: two, four or five times as many channels everywhere, including the stem.
        "resnet50-w2": ResNet(block: .bottleneck, depths: [3, 4, 6, 3], width: 128, stem: .large),
        "resnet50-w4": ResNet(block: .bottleneck, depths: [3, 4, 6, 3], width: 256, stem: .large),
        "resnet50-w5": ResNet(block: .bottleneck, depths: [3, 4, 6, 3], width: 320, stem: .large),
        // torchvision's: the inner convolutions of a bottleneck are twice as wide.
        "wide-resnet50-2": ResNet(block: .bottleneck, depths: [3, 4, 6, 3], width: 64, stem: .large, innerFactor: 2),
        "wide-resnet101-2": ResNet(block: .bottleneck, depths: [3, 4, 23, 3], width: 64, stem: .large, innerFactor: 2),
        // Facebook's DINO and MoCo-v3, and timm's.
        "vit-small-8": VisionTransformer(.small, patch: 8),
        "vit-small-14": VisionTransformer(.small, patch: 14),
        "vit-small-16": VisionTransformer(.small, patch: 16),
        "vit-base-8": VisionTransformer(.base, patch: 8),
        "vit-base-14": VisionTransformer(.base, patch: 14),
        "vit-base-16": VisionTransformer(.base, patch: 16),
        "vit-large-8": VisionTransformer(.large, patch: 8),
        "vit-large-14": VisionTransformer(.large, patch: 14),
        "vit-large-16": VisionTransformer(.large, patch: 16),
        // MoCo-v3's small network has heads of 32 numbers, which its tensors do not reveal.
        "vit-small-16-moco-v3": VisionTransformer(.small, patch: 16, heads: 12),
        "dinov2-small": VisionTransformer(.small, patch: 14, side: 518, layerScale: true),
        "dinov2-base": VisionTransformer(.base, patch: 14, side: 518, layerScale: true),
        "dinov2-large": VisionTransformer(.large, patch: 14, side: 518, layerScale: true),
        "dinov2-small-registers": VisionTransformer(.small, patch: 14, side: 518, layerScale: true, registers: 4),
        "dinov2-base-registers": VisionTransformer(.base, patch: 14, side: 518, layerScale: true, registers: 4),
        "dinov2-large-registers": VisionTransformer(.large, patch: 14, side: 518, layerScale: true, registers: 4),
        "regnet-y-400mf": RegNetY(depth: 16, w0: 48, wa: 27.89, wm: 2.09, group: 8),
        "regnet-y-800mf": RegNetY(depth: 14, w0: 56, wa: 38.84, wm: 2.4, group: 16),
        "regnet-y-1.6gf": RegNetY(depth: 27, w0: 48, wa: 20.71, wm: 2.65, group: 24),
        "regnet-y-3.2gf": RegNetY(depth: 21, w0: 80, wa: 42.63, wm: 2.66, group: 24),
        "regnet-y-8gf": RegNetY(depth: 17, w0: 192, wa: 76.82, wm: 2.19, group: 56),
        "regnet-y-16gf": RegNetY(depth: 18, w0: 200, wa: 106.23, wm: 2.48, group: 112),
        "regnet-y-32gf": RegNetY(depth: 20, w0: 232, wa: 115.89, wm: 2.53, group: 232),
        // SEER's.
        "regnet-y-64gf": RegNetY(depth: 20, w0: 352, wa: 147.48, wm: 2.4, group: 328),
        "regnet-y-128gf": RegNetY(depth: 27, w0: 456, wa: 160.83, wm: 2.52, group: 264),
        "regnet-y-256gf": RegNetY(depth: 27, w0: 640, wa: 230.83, wm: 2.53, group: 373),
        // For small images: the stem of MoCo's CIFAR demonstration, and a half or a quarter of the width.
        "small-resnet18": ResNet(block: .basic, depths: [2, 2, 2, 2], width: 32, stem: .small),
        "tiny-resnet18": ResNet(block: .basic, depths: [2, 2, 2, 2], width: 16, stem: .small),
        "tiny-resnet10": ResNet(block: .basic, depths: [1, 1, 1, 1], width: 16, stem: .small),
    ]
}
