import ArgumentParser
import Evaluation
import TensorStreams
import ToolSupport

@main
struct FindNeighbours: Tool {
    static let configuration = CommandConfiguration(
        commandName: "neighbours",
        abstract: "Find the nearest other images of each image by their features.",
        discussion: """
            Reads a stream of features and writes one file: 'index' i64 [n], the images in their order, and 'neighbours' i64 [n, k], for each image the numbers \
            of the other images nearest by cosine, the nearest first, and among equally near ones the earlier. The search is exact, and all features are in memory.

            Example: the bags of BINGO, for augment --bags:

              augment --data train.tar --recipe evaluation | embed --weights teacher.safetensors --features --drop images | neighbours -o bags.safetensors

            See also: embed, which makes features; augment, which draws from the bags; evaluate knn.
            """,
        version: productVersion)

    @Option(name: .short, help: "Neighbours per image.") var k = 5
    @Option(help: "The tensor that holds the features.") var tensor = "features"
    @Option(name: [.short, .long], help: "The file to write; *.safetensors or *.safetensors.zst.") var output: String
    @OptionGroup var common: TimedOptions
    @Argument(help: "The stream of features; - is standard input.") var input = "-"

    func validate() throws {
        try checkOption("-k", k, in: 1...KNNEvaluation.largestK - 1)
        if output == OutputFile.standard { throw ValidationError("-o takes a file, found '-'") }
        try checkFiles(outputs: ["-o": output, "--timing": common.timing], inputs: ["the input": input])
    }

    func run() throws {
        try common.start()
        try OutputFile.check(output)
        let stream = try FeatureStream(input, tensor: tensor, needsLabels: false)
        var progress = Progress(tool: "neighbours", unit: "images", total: stream.header.imageCount, common)
        let features = try stream.readAll { progress.add($0) }
        let found = try ImageNeighbours(features, k: k, of: stream.name)
        let document = TensorDocument(metadata: ["provenance": stream.header.provenance.adding(FindNeighbours.self).text], tensors: found.tensors)
        try DocumentFile.write(document, to: output)
        try progress.finish("\(found.k) neighbours per image, from features of \(stream.dimension) numbers")
    }
}
