import ArgumentParser
import Checkpoints
import Networks
import TensorStreams
import ToolSupport
import Training

@main
struct ConvertWeights: Tool {
    static let configuration = CommandConfiguration(
        commandName: "convert-weights",
        abstract: "Extract the network from a checkpoint, ours or another program's, and write its weights alone, under torchvision's names or others.",
        discussion: """
            Reads torch.save files, safetensors and our own checkpoints, in the layouts of MoCo, SwAV, SimCLR, BYOL, SimSiam, Barlow Twins, DINO, \
            VISSL, solo-learn, lightly, OpenSelfSup and Hugging Face, and reports what it took. What only training needs (momenta, queue) is left out. \
            PyTorch loads the result as it is:

              convert-weights student.24.safetensors -o student.safetensors
              python3 -c 'import safetensors.torch as s; print(len(s.load_file("student.safetensors")))'
              convert-weights student.24.safetensors -o student.pth
              python3 -c 'import torch; print(len(torch.load("student.pth", weights_only=True)))'

            A file *.onnx is for onnxruntime, OpenVINO and others. --names detectron2 and --names mmdetection write backbones of detectors; the last line \
            gives the configuration that goes with them.

            See also: inspect, which shows what is in a checkpoint; train-step, which makes them.
            """,
        version: productVersion)

    @Argument(help: "A checkpoint, or weights alone; - is standard input for safetensors. Several with --average.") var inputs: [String]
    @OptionGroup var reading: WeightsArguments
    @Option(help: "Whose tensor names to write: \(WeightsWriter.targets.joined(separator: ", ")).") var names = WeightsWriter.targets[0]
    @Flag(help: "Write the mean of the weights of several inputs of the same network.") var average = false
    @Flag(help: "Store the weights in half precision.") var half = false
    @Flag(help: "Leave out the head and keep what computes the features.") var backbone = false
    @Option(help: "Replace the head by a fixed random projection of the features to this many numbers, which a student learns best from a teacher without a head.") var project: Int?
    @Flag(help: "Append the prototypes of a SwAV checkpoint to its head as the last layer: embed --logits then gives their scores, for train-step --objective swav-distillation.")
    var prototypes = false
    @Flag(help: "For ONNX: take images as bytes (N, H, W, 3), as augment makes them, and convert them to numbers in the graph.") var bytes = false
    @Flag(help: "For ONNX: fold batch norms into the convolutions before them.") var fold = false
    @Option(name: [.short, .long], help: "The file to write; *.safetensors, *.safetensors.zst, *.pth, *.onnx, and for detectron2 *.pkl.") var output: String
    @OptionGroup var common: CommonOptions

    func validate() throws {
        for input in inputs { try checkFiles(outputs: ["-o": output], inputs: ["the input": input]) }
        guard inputs.filter({ $0 == OutputFile.standard }).count < 2 else { throw ValidationError("standard input is given twice; name a file") }
        guard !average || inputs.count > 1 else { throw ValidationError("--average takes two inputs or more") }
        guard WeightsWriter.targets.contains(names) else { throw ValidationError("--names '\(names)' is not one of \(WeightsWriter.targets.joined(separator: ", "))") }
        try checkOption("--project", project, in: 1...65536)
        guard !backbone || project == nil else { throw ValidationError("--backbone leaves out the head that --project makes; give one of them") }
        guard !prototypes || !(average || backbone || project != nil) else { throw ValidationError("--prototypes goes with one checkpoint and its head; leave out --average, --backbone and --project") }
        guard !half || !isONNX else { throw ValidationError("--half goes with *.safetensors and *.pth") }
        try WeightsFormat.check(output)
        guard !bytes || isONNX else { throw ValidationError("--bytes goes with *.onnx alone") }
        guard !fold || isONNX else { throw ValidationError("--fold goes with *.onnx alone") }
    }

    private var isONNX: Bool { WeightsFormat(output) == .onnx }

    func run() throws {
        common.start()
        // Not in validate(): there, the value of an unknown option would count as an input.
        guard average || inputs.count == 1 else { throw Failure(.usage, "\(inputs.count) inputs are given where one is expected", remedy: "give --average to write their mean") }
        try WeightsWriter.check(output, names: names)
        let (found, metadata, told) = try read()
        let weights = try project.map { try projected(found, to: $0) } ?? (backbone ? found.withoutHead : found)
        guard !isONNX || weights.network.trains else {
            throw Failure(.data, path: inputs[0], "is a \(weights.network.name), which cannot be written as ONNX", remedy: "write *.safetensors")
        }
        if bytes { try WeightsDocument.checkColours(weights.network, path: inputs[0]) }
        let writer = try WeightsWriter(weights, to: output, names: names)
        if isONNX {
            try ONNXFile.write(weights, to: output, takesBytes: bytes, folds: fold, provenance: metadata["provenance"] ?? "")
        } else {
            try writer.write(to: output, half: half, metadata: metadata, input: inputs[0])
        }
        if !common.quiet { ConvertWeights.log(([told] + (writer.note.map { [$0] } ?? [])).joined(separator: "; ")) }
    }

    private func projected(_ weights: Weights, to D: Int) throws -> Weights {
        guard let projected = weights.projected(to: D) else {
            throw Failure(.usage, "--project \(D): a \(weights.network.name) has \(weights.network.featureWidth) features", remedy: "give as many or fewer")
        }
        return projected
    }

    private func scored(_ weights: Weights, _ rows: Tensor) throws -> Weights {
        guard rows.dtype.isFloating, rows.shape.count == 2, (2...65536).contains(rows.shape[0]),
            let scored = weights.appending(prototypes: try rows.floats(), count: rows.shape[0], isNormalized: true)
        else { throw Failure(.data, path: inputs[0], "has prototypes of shape \(rows.shape) where its embedding has \(weights.network.embeddingWidth) numbers") }
        return scored
    }

    /// The weights to write, the metadata for every format, and a description of what was read.
    private func read() throws -> (Weights, [String: String], String) {
        let needsNoHead = backbone || project != nil, file = try reading.open(inputs[0], needsNoHead: needsNoHead, wantsPrototypes: prototypes)
        var metadata = file.metadata, told = file.coverage, weights = file.weights
        if needsNoHead, weights.network.head != .none { told += "; its head is left out" }
        var provenance = Provenance(text: metadata["provenance"] ?? "")
        if average {
            var mean = WeightsAverage(weights, path: inputs[0])
            for input in inputs.dropFirst() {
                let other = try reading.open(input, needsNoHead: needsNoHead)
                try mean.add(other.weights, path: input)
                metadata = metadata.filter { other.metadata[$0.key] == $0.value }
                provenance.lines += Provenance(text: other.metadata["provenance"] ?? "").lines.filter { !provenance.lines.contains($0) }
            }
            weights = mean.weights()
            told = "mean of \(inputs.count) networks, including their running statistics; the first is \(told)"
        }
        if let rows = file.prototypes {
            weights = try scored(weights, rows)
            told += "; scores of \(rows.shape[0]) prototypes"
        }
        metadata["provenance"] = provenance.adding(ConvertWeights.self).text
        return (weights, metadata, told)
    }
}
