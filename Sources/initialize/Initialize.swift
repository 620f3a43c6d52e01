import ArgumentParser
import Checkpoints
import Networks
import TensorStreams
import ToolSupport
import Training

@main
struct Initialize: Tool {
    static let configuration = CommandConfiguration(
        commandName: "initialize",
        abstract: "Make an untrained network, or give a trained network a new head.",
        discussion: """
            Weights are drawn as in PyTorch. The head is MoCo-v2's and SEED's: two linear layers with a ReLU between them.

            Example: the student that a distillation starts from:

              initialize --network resnet18 --embedding 128 --seed 1 -o student.0.safetensors

            Example: what fine-tuning starts from, a student with a classifier of 20 classes in place of its head:

              initialize --from student.safetensors --classes 20 -o classifier.0.safetensors

            See also: train-step, which trains it; inspect, which shows what is in it.
            """,
        version: productVersion)

    @Option(help: "The network: \(Network.names.joined(separator: ", ")) (default with --from: the one that the file names or its tensors fit).") var network: String?
    @Option(help: ArgumentHelp("Take all but the head from this file: a checkpoint, a safetensors file or a torch.save file.", valueName: "file")) var from: String?
    @Option(help: "Whose definition of the network: torchvision, or seed, which has its own \(Network.definedBySEED.joined(separator: ", ")).") var definition: Definition?
    @Option(help: "Dimension of the embedding; for distillation the teacher's (default: 128, or that of a named head). 0 leaves out the head.")
    var embedding: Int?
    @Option(help: "Width of the head's hidden layer (default: that of the features). 0 makes the head one linear layer.") var hidden: Int?
    @Option(help: ArgumentHelp("Make the head a classifier: one linear layer for this many classes, in place of --embedding and --hidden.", valueName: "C")) var classes: Int?
    @Option(help: """
        The head layer by layer, in place of --embedding and --hidden: 'linear 512, batch-norm, relu, linear 128'. The layers are linear WIDTH, \
        linear WIDTH no-bias, batch-norm, batch-norm no-bias, batch-norm no-affine, relu, gelu and l2-norm. Or a paper's head by name, whose width --embedding \
        changes: \(Head.names.joined(separator: ", ")).
        """) var head: String?
    @Option(help: ArgumentHelp(
        "Append the last layer of this network's head, a teacher's prototypes, to the head, for train-step --objective swav-distillation --frozen-prototypes on.", valueName: "file"))
    var prototypes: String?
    @Flag(help: "Start each residual block as its shortcut: γ of its last batch norm is 0, as in SimCLR, BYOL, SimSiam and Barlow Twins.") var zeroInitResidual = false
    @Option(help: "The seed of the random weights.") var seed: UInt64 = 0
    @Option(name: [.short, .long], help: "The checkpoint to write; *.safetensors or *.safetensors.zst.") var output: String
    @OptionGroup var common: CommonOptions

    func validate() throws {
        try checkFiles(outputs: ["-o": output], inputs: ["--from": from, "--prototypes": prototypes])
        guard network != nil || from != nil else { throw ValidationError("say what to begin with: --network names a network, --from a file of weights") }
        if definition != nil, network == nil { throw ValidationError("--definition says whose network --network is; name one") }
        if let network, !Network.names.contains(network), definition == nil {
            throw ValidationError("no network is named '\(network)'" + (Nearest.name(to: network, among: Network.names).map { "; did you mean \($0)?" } ?? ""))
        }
        try checkOption("--embedding", embedding, in: (isNamedHead ? 1 : 0)...65536)
        try checkOption("--hidden", hidden, in: 0...65536)
        try checkOption("--classes", classes, in: 1...65536)
        if classes != nil, head != nil || embedding != nil || hidden != nil { throw ValidationError("--classes makes the head; leave out --head, --embedding and --hidden") }
        if classes != nil, prototypes != nil { throw ValidationError("--classes makes a classifier, which --prototypes cannot follow; leave one of them out") }
        if prototypes != nil, head == nil, embedding == 0 { throw ValidationError("--prototypes follow a head; leave out --embedding 0") }
        if from != nil, head == nil, embedding == nil, classes == nil { throw ValidationError("--from leaves out the head; say which one to make: --classes, --head or --embedding") }
        if from != nil, zeroInitResidual { throw ValidationError("--zero-init-residual applies to random weights, and is of no use with --from; leave it out") }
        if isNamedHead {
            guard hidden == nil else { throw ValidationError("--hidden is of no use with --head; leave it out") }
        } else if let head {
            guard let layers = Head(text: head), layers.dimension != nil else { throw ValidationError("--head '\(head)' is neither layers nor a paper's head; \(Head.remedy(head))") }
            let head = layers
            guard head.isOfUsualSize() else { throw ValidationError("--head has layers wider than 65536, or a matrix of more than \(1 << 28) numbers") }
            guard hidden == nil, embedding == nil else { throw ValidationError("--hidden and --embedding are of no use with the layers of --head; leave them out") }
        }
        guard (embedding ?? 128) * (hidden ?? 1) <= 1 << 28 else { throw ValidationError("--hidden times --embedding is \(1 << 28) at most") }
    }

    /// Reads a file whose head will be replaced.
    private func begun(_ name: String?) -> WeightsFile.Reading {
        var reading = WeightsFile.Reading(network: name)
        reading.needsNoHead = true
        return reading
    }

    private var isNamedHead: Bool { head.map(Head.names.contains) == true }

    func run() throws {
        common.start()
        let name = try WeightsDocument.networkName(network, by: definition) ?? network
        let file = try from.map { try WeightsFile($0, begun(name)) }
        guard let trunk = file?.weights.network ?? name.flatMap({ Network($0, head: .none) }) else { throw Failure(.software, "the network '\(name ?? "")' has no table") }
        let head: Head =
            switch (self.head, embedding ?? 128, hidden ?? trunk.featureWidth) {
            case _ where classes != nil: .linear(classes ?? 0)
            case (let head?, _, _): Head.named(head, features: trunk.featureWidth, embedding: embedding) ?? Head(text: head) ?? .none
            case (nil, 0, _): .none
            case (nil, let embedding, 0): .linear(embedding)
            case (nil, let embedding, let hidden): .mlp(hidden: hidden, embedding)
            }
        guard head.isOfUsualSize(features: trunk.featureWidth) else {
            throw Failure(.usage, "the head has layers wider than 65536, or a matrix of more than \(1 << 28) numbers", remedy: "take a narrower one")
        }
        let headed = try file.map { try begun($0, head) } ?? trunk.with(head).map { Weights.initialized($0, seed: seed, zeroInitResidual: zeroInitResidual) }
        guard let headed else { throw Failure(.software, "the network '\(trunk.name)' takes no head") }
        let weights = try prototypes.map { try scored(headed, by: $0) } ?? headed
        let network = weights.network
        let provenance = Provenance(text: file?.metadata["provenance"] ?? "").adding(Initialize.self)
        let document = TensorDocument(
            metadata: WeightsDocument.metadata(of: weights.network).merging(["epoch": "0", "steps": "0", "provenance": provenance.text]) { $1 },
            tensors: WeightsDocument.tensors(of: weights))
        try DocumentFile.write(document, to: output)
        if let file, !common.quiet { Initialize.log("\(file.coverage); the head is new: \(network.head == .none ? "none" : network.head.text)") }
        let numbers = network.parameters.reduce(0) { $0 + $1.count }
        if !common.quiet { Initialize.log("\(network.name) with \(network.parameters.count) parameters of \(numbers) numbers") }
    }

    /// - Parameter path: a network whose head ends in prototypes.
    private func scored(_ weights: Weights, by path: String) throws -> Weights {
        guard let (rows, K) = try WeightsFile(path).weights.prototypes else {
            throw Failure(.data, path: path, "has a head whose last layer does not hold prototypes", remedy: "make it with convert-weights --prototypes")
        }
        guard let scored = weights.appending(prototypes: rows, count: K, isNormalized: false) else {
            throw Failure(
                .usage, path: path, "has prototypes of \(rows.count / K) numbers where the student's embedding has \(weights.network.embeddingWidth)",
                remedy: "give --embedding \(rows.count / K), or a --head that ends in that width")
        }
        return scored
    }

    /// The network of a file with another head.
    private func begun(_ file: WeightsFile, _ head: Head) throws -> Weights? {
        let network = file.weights.network
        guard network.trains else {
            throw Failure(.data, path: from, "is a \(network.name), which can be a teacher but cannot be trained", remedy: "name a ResNet, RegNet, MobileNet or EfficientNet")
        }
        return file.weights.replacingHead(by: head, seed: seed)
    }
}
