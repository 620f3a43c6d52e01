public import ArgumentParser
import Checkpoints
public import Networks
import TensorStreams
import ToolSupport

@main
struct ConvertWeights: Tool {
    static let configuration = CommandConfiguration(
        commandName: "convert-weights",
        abstract: "Take the network out of a checkpoint of whichever program: weights alone, under torchvision's names.",
        discussion: """
            It reads what torch.save wrote, safetensors and our own checkpoints, in the layouts of MoCo, SwAV, SimCLR, BYOL, SimSiam, Barlow Twins, DINO, \
            VISSL, solo-learn, lightly, OpenSelfSup and Hugging Face, and says what it took. What only training needs (momenta, queue) is left out. PyTorch \
            loads the result as it is:

              convert-weights student.24.safetensors -o student.safetensors
              python3 -c 'import safetensors.torch as s; print(len(s.load_file("student.safetensors")))'

            A file *.onnx is for onnxruntime, OpenVINO and others.

            See also: inspect, which shows what is in a checkpoint; train-step, which makes them.
            """,
        version: productVersion)

    @Argument(help: "A checkpoint, or weights alone; - is standard input for safetensors.") var input: String
    @Option(help: "The network (default: what the file says or its tensors fit).") var network: String?
    @Option(help: "Whose definition of it: torchvision or seed, which has \(Network.definedBySEED.joined(separator: ", ")) of its own.") var definition: Definition?
    @Option(help: "What the names of the network begin with (default: what a known layout says).") var prefix: String?
    @Flag(help: "Store the weights in half precision.") var half = false
    @Flag(help: "Leave out the head: keep what makes the features.") var backbone = false
    @Flag(help: "Of ONNX: take images as bytes (N, H, W, 3), as augment makes them, and make numbers of them in the graph.") var bytes = false
    @Option(name: [.short, .long], help: "The file to write; *.safetensors, *.safetensors.zst or *.onnx.") var output: String
    @OptionGroup var common: CommonOptions

    func validate() throws {
        try checkFiles(outputs: ["-o": output], inputs: ["the input": input])
        guard !half || !isONNX else { throw ValidationError("--half goes with *.safetensors alone") }
        guard !bytes || isONNX else { throw ValidationError("--bytes goes with *.onnx alone") }
    }

    private var isONNX: Bool { output.hasSuffix(".onnx") }

    func run() throws {
        common.start()
        let file = try WeightsFile(input, network: try WeightsDocument.networkName(network, by: definition), prefix: prefix), weights = backbone ? try file.weights.withoutHead() : file.weights
        let provenance = Provenance(text: file.metadata["provenance"] ?? "").adding(ConvertWeights.self).text
        if isONNX {
            try ONNXFile.write(weights, to: output, takesBytes: bytes, provenance: provenance)
        } else {
            let tensors = WeightsDocument.tensors(of: weights)
            var metadata = file.metadata
            // What is of a training and not of its weights.
            for key in ["head", "objective", "epoch", "steps", "kl"] { metadata[key] = nil }
            metadata.merge(WeightsDocument.metadata(of: weights.network)) { $1 }
            metadata["provenance"] = provenance
            try DocumentFile.write(TensorDocument(metadata: metadata, tensors: half ? halved(tensors) : tensors), to: output)
        }
        if !common.quiet { ConvertWeights.log(file.coverage) }
    }

    private func halved(_ tensors: [String: Tensor]) throws -> [String: Tensor] {
        var halved = tensors
        for (name, tensor) in tensors.sorted(by: { $0.key < $1.key }) where tensor.dtype == .f32 {
            let half = try tensor.converted(to: .f16)
            guard try half.floats().allSatisfy(\.isFinite) else {
                throw Failure(.data, path: input, location: "'\(name)'", "holds numbers above 65504, which half precision cannot hold", remedy: "leave out --half")
            }
            halved[name] = half
        }
        return halved
    }
}

extension Definition: ExpressibleByArgument {}
