public import ArgumentParser
import Measurement
import Parallel
import TensorStreams
import ToolSupport

struct Measure: Tool {
    static let configuration = CommandConfiguration(abstract: "Measure networks and print a table.")

    @Argument(help: "Networks (default: \(Workload.usual.joined(separator: ", "))).") var networks: [String] = []
    @Option(help: "Height and width of the images (default: 224, and 64 for training).") var size: Int?
    @Option(help: "Images in a batch (default: 32, 16 for resnet50; 128 up to 64×64).") var batch: Int?
    @Option(help: ArgumentHelp("Only this: train or embed.", valueName: "kind")) var only: Workload.Kind?
    @Option(help: "Seconds that a turn takes at least.") var seconds = 1.0
    @Option(help: "Turns of each measurement, of which the middle one counts.") var turns = 3
    @Option(help: ArgumentHelp("A program that runs the networks in other ways, to take turns with; see pipelines/peers.py.", valueName: "command"))
    var peers: String?
    @Option(help: "Turns of each side.") var pairs = 4
    @Option(help: ArgumentHelp("Append what the peers' program says on its standard error to this file.", valueName: "file")) var messages: String?
    @Option(name: [.short, .long], help: ArgumentHelp("Write each measurement as a JSON line to this file.", valueName: "file")) var output: String?
    @OptionGroup var common: CommonOptions

    func validate() throws {
        try checkFiles(outputs: ["standard output": OutputFile.standard, "-o": output, "--messages": messages])
        for name in networks { try Turn.check(name) }
        try Turn.check(size: size ?? 224, batch: batch ?? 32, seconds: seconds)
        guard (1...1000).contains(turns) else { throw ValidationError("--turns takes 1 to 1000, found \(turns)") }
        guard (1...1000).contains(pairs) else { throw ValidationError("--pairs takes 1 to 1000, found \(pairs)") }
    }

    func run() throws {
        common.start()
        var settings = Bench.Settings(program: [Benchmark.program], threads: Parallel.threads)
        settings.seconds = seconds
        settings.turns = turns
        settings.peers = peers
        settings.pairs = pairs
        settings.errors = messages
        let bench = Bench(settings) { if !common.quiet { Benchmark.log($0) } }
        var file = try output.map { try OutputFile($0) }
        var lines: [JSON] = []

        let versions = try bench.versions()
        var machine = bench.machine()
        var measurements: [Measurement] = [], comparisons: [Comparison] = []
        for workload in plan {
            let measurement = try bench.measure(workload)
            measurements.append(measurement)
            lines.append(measurement.json)
        }
        for workload in plan {
            guard let comparison = try bench.compare(workload) else { break }
            comparisons.append(comparison)
            lines.append(comparison.json)
        }
        // The machine may have given less than it can when it was asked first.
        machine.takeBetter(bench.machine())
        for line in [machine.json] + lines { try file?.write(line.text + "\n") }
        try file.take()?.commit()
        print(Report.heading(machine, versions: versions) + "\n\n" + Report.table(measurements, machine), terminator: "")
        if !comparisons.isEmpty { print("\n" + Report.table(comparisons) + "\n" + Report.summary(comparisons), terminator: "") }
        if let note = bench.note { print("\n" + note) }
    }

    private var plan: [Workload] {
        let networks = networks.isEmpty ? Workload.usual : networks
        var plan = Workload.plan(networks)
        if size != nil || batch != nil {
            plan = Workload.Kind.allCases.flatMap { kind in
                networks.map { Workload(kind, $0, size: size ?? 224, batch: batch ?? Workload.usualBatch($0, size: size ?? 224)) }
            }
        }
        return plan.filter { only == nil || $0.kind == only }
    }
}

extension Workload.Kind: ExpressibleByArgument {}
