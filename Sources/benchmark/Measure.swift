public import ArgumentParser
import Measurement
import Networks
import Parallel
import Platform
import TensorStreams
import ToolSupport

struct Measure: Tool {
    static let configuration = CommandConfiguration(abstract: "Measure networks and print a table.")

    @Argument(help: "Networks (default: \(Workload.usual.joined(separator: ", "))).") var networks: [String] = []
    @Option(help: "Height and width of the images (default: 224, and 64 for training).") var size: Int?
    @Option(help: "Images in a batch (default: 32, or 16 for resnet50; 128 for images up to 64×64).") var batch: Int?
    @Option(help: ArgumentHelp("Measure only this: train or embed.", valueName: "kind")) var only: Workload.Kind?
    @Option(help: "Minimum length of a turn in seconds.") var seconds = 1.0
    @Option(help: "Turns of each measurement; the median counts.") var turns = 3
    @Option(help: ArgumentHelp("Compare with a program that runs the networks in other modes, turn by turn; see pipelines/peers.py.", valueName: "command"))
    var peers: String?
    @Option(help: ArgumentHelp("Compare instead with another build of these tools, in this folder, turn by turn.", valueName: "build")) var against: String?
    @Option(help: "Turns of each side in a comparison (default: 4, or 15 with --against).") var pairs: Int?
    @Option(help: ArgumentHelp("Append the standard error of the --peers program to this file.", valueName: "file")) var messages: String?
    @Option(name: [.short, .long], help: ArgumentHelp("Write each measurement to this file as a line of JSON.", valueName: "file")) var output: String?
    @OptionGroup var common: CommonOptions

    func validate() throws {
        try checkFiles(outputs: ["standard output": OutputFile.standard, "-o": output, "--messages": messages])
        for name in networks { try Turn.check(name, size: size ?? 224) }
        if let teacher = networks.first(where: { !Network.trainable.contains($0) }), only != .embed {
            throw ValidationError("\(teacher) cannot be trained here, only used as a teacher; add --only embed")
        }
        try Turn.check(size: size ?? 224, batch: batch ?? 32, seconds: seconds)
        guard (1...1000).contains(turns) else { throw ValidationError("--turns takes 1 to 1000, found \(turns)") }
        // With fewer pairs there is no confidence interval.
        let fewest = against == nil ? 1 : MedianInterval.fewest
        if let pairs, !(fewest...1000).contains(pairs) { throw ValidationError("--pairs takes \(fewest) to 1000\(against == nil ? "" : " with --against"), found \(pairs)") }
        if let against {
            guard peers == nil else { throw ValidationError("--against and --peers are two comparisons; give one") }
            guard unsafe access("\(against)/benchmark", X_OK) == 0 else { throw ValidationError("--against: \(against) has no benchmark; give the folder of a build, such as .build/release") }
        }
    }

    func run() throws {
        common.start()
        var settings = Bench.Settings(program: [Benchmark.program], threads: Parallel.threads)
        settings.seconds = seconds
        settings.turns = turns
        settings.peers = peers
        settings.pairs = pairs ?? (against == nil ? 4 : 15)
        settings.errors = messages
        let bench = Bench(settings) { if !common.quiet { Benchmark.log($0) } }
        var file = try output.map { try OutputFile($0) }
        let report = try against.map { try compare(bench, with: "\($0)/benchmark") } ?? measure(bench)
        for line in report.lines { try file?.write(line.text + "\n") }
        try file.take()?.commit()
        print(report.text, terminator: "")
        if let note = bench.note { print("\n" + note) }
    }

    private typealias Result = (text: String, lines: [JSON])

    private func measure(_ bench: Bench) throws -> Result {
        let versions = try bench.versions()
        var machine = bench.machine()
        let measurements = try plan.map(bench.measure), comparisons = try plan.compactMap(bench.compare)
        // The machine may have been slower at the first measurement.
        machine.takeBetter(bench.machine())
        var text = Report.heading(machine, versions: versions) + "\n\n" + Report.table(measurements, machine)
        if !comparisons.isEmpty { text += "\n" + Report.table(comparisons) + "\n" + Report.summary(comparisons) }
        return (text, [machine.json] + measurements.map(\.json) + comparisons.map(\.json))
    }

    private func compare(_ bench: Bench, with program: String) throws -> Result {
        let comparisons = try plan.map { try bench.compare($0, against: [program]) }
        return (Report.table(comparisons), comparisons.map(\.json))
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
