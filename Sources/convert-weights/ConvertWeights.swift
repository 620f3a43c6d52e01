import ArgumentParser
import Checkpoints
import Networks
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

            See also: inspect, which shows what is in a checkpoint; train-step, which makes them.
            """,
        version: productVersion)

    @Argument(help: "A checkpoint, or weights alone; - is standard input for safetensors.") var input: String
    @Option(help: "The network (default: what the file says or its tensors fit).") var network: String?
    @Option(help: "What the names of the network begin with (default: what a known layout says).") var prefix: String?
    @Flag(help: "Store the weights in half precision.") var half = false
    @Flag(help: "Leave out the head: keep what makes the features.") var backbone = false
    @Option(name: [.short, .long], help: "The file to write; *.safetensors or *.safetensors.zst.") var output: String
    @OptionGroup var common: CommonOptions

    func validate() throws {
        try checkFiles(outputs: ["-o": output], inputs: ["the input": input])
    }

    func run() throws {
        common.start()
        let file = try WeightsFile(input, network: network, prefix: prefix), weights = file.weights
        var tensors = WeightsDocument.tensors(of: weights)
        if backbone { tensors = tensors.filter { !$0.key.hasPrefix(weights.network.headName + ".") } }
        if half { tensors = try halved(tensors) }
        var metadata = file.metadata
        // What is of a training and not of its weights.
        for key in ["head", "objective", "epoch", "steps", "kl"] { metadata[key] = nil }
        metadata.merge(WeightsDocument.metadata(of: weights.network)) { $1 }
        if backbone { metadata["head"] = nil }
        metadata["provenance"] = Provenance(text: metadata["provenance"] ?? "")
            .adding(ConvertWeights.self).text
        try DocumentFile.write(TensorDocument(metadata: metadata, tensors: tensors), to: output)
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
