import ArgumentParser
import Measurement
import Networks
import ToolSupport

struct Turn: Tool {
    static let configuration = CommandConfiguration(
        abstract: "Measure one network, one turn for each line of input; `measure` starts this for each measurement.",
        discussion: """
            Prints {"ready": true}, then {"seconds": …} for a batch after each line `run`, and {"memory": …} in bytes after the last line.

              echo run | benchmark turn train resnet18 --size 224 --batch 32
            """)

    @Argument(help: "What to measure: train or embed.") var kind: Workload.Kind
    @Argument(help: "The network.") var network: String
    @Option(help: "Height and width of the images.") var size = 224
    @Option(help: "Images in a batch.") var batch = 32
    @Option(help: "Minimum length of a turn in seconds.") var seconds = 1.0
    @OptionGroup var common: CommonOptions

    func validate() throws {
        try Turn.check(network, size: size)
        guard kind == .embed || Network.trainable.contains(network) else { throw ValidationError("\(network) cannot be trained here, only used as a teacher") }
        try Turn.check(size: size, batch: batch, seconds: seconds)
    }

    func run() throws {
        common.start()
        let run = WorkloadRun(Workload(kind, network, size: size, batch: batch))
        try Turns.serve(seconds: seconds) { run.runBatch() }
    }

    static func check(_ name: String, size: Int) throws {
        guard let network = Network(name, head: .none) else {
            throw ValidationError("no network is named '\(name)'; \(Nearest.remedy(name, among: Network.names, list: "'initialize --help' lists all"))")
        }
        guard size >= network.smallestImage else { throw ValidationError("\(name) takes a --size of \(network.smallestImage) and more") }
        guard size % network.imageMultiple == 0 else { throw ValidationError("\(name) takes a --size that is a multiple of \(network.imageMultiple)") }
    }

    static func check(size: Int, batch: Int, seconds: Double) throws {
        guard (8...4096).contains(size) else { throw ValidationError("--size takes 8 to 4096, found \(size)") }
        guard (1...65536).contains(batch) else { throw ValidationError("--batch takes 1 to 65536, found \(batch)") }
        guard seconds >= 0, seconds <= 3600 else { throw ValidationError("--seconds takes 0 to 3600, found \(seconds)") }
    }
}
