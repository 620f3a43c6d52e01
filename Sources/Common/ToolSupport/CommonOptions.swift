public import ArgumentParser
import Parallel

/// The options that have the same meaning in every tool.
public struct CommonOptions: ParsableArguments {
    @Option(name: .long, help: "Number of threads; results do not depend on it (default: one for each available processor; ranks on one machine share them equally).")
    public var threads: Int?

    @Flag(name: [.short, .long], help: "Print nothing but errors.")
    public var quiet = false

    public init() {}

    public func validate() throws {
        try checkOption("--threads", threads, in: 1...1024)
    }

    /// Starts the threads. Each tool calls it first in `run()`.
    public func start() {
        _ = StandardError.stage  // before any program is started, which must not inherit it
        Parallel.setThreads(threads ?? max(1, Parallel.processors / RankVariables.localCount))
    }
}

/// The options of tools that run long enough to be timed.
public struct TimedOptions: ParsableArguments {
    @OptionGroup public var common: CommonOptions

    @Option(name: .long, help: ArgumentHelp("Write the time taken and the amount processed to this file as JSON.", valueName: "file"))
    public var timing: String?

    public init() {}

    public var quiet: Bool { common.quiet }

    /// Starts the threads. Each tool calls it first in `run()`.
    ///
    /// - Throws: a ``Failure`` where the timing file cannot be created.
    public func start() throws {
        if let timing { try OutputFile.check(timing) }
        common.start()
    }
}
