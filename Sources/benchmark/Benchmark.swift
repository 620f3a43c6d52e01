import ArgumentParser
import Platform
import ToolSupport

@main
struct Benchmark: Tool {
    static let configuration = CommandConfiguration(
        commandName: "benchmark",
        abstract: "Measure how fast networks train and embed on this machine, and compare with other programs.",
        discussion: """
            Example:

              benchmark resnet18 --size 64 --batch 128

            Weights and images are random; each measurement runs in its own process. `make bench` measures the usual networks, and \
            `make bench PEERS=1` runs them in turn with PyTorch, onnxruntime and OpenVINO.

            The options of a measurement: benchmark measure --help. See also: train-step --profile and embed --profile, which show where the time goes.
            """,
        version: productVersion, subcommands: [Measure.self, Turn.self], defaultSubcommand: Measure.self)

    /// The path of this program, to start it again.
    static var program: String {
        let link = "/proc/self/exe"
        return unsafe access(link, X_OK) == 0 ? link : CommandLine.arguments[0]
    }
}
