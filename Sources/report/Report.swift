import ArgumentParser
import Pipeline
import Pages
import TensorStreams
import ToolSupport

/// Writes a report of a run as one page.
@main
struct ReportTool: Tool {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "Write one HTML file about a run of make distill: its results, how it learnt, and what it sees.",
        discussion: """
            The file is self-contained and fetches nothing; the same run gives the same bytes. The report of a run in progress shows the results so \
            far. The file has 10 MB at most, of which pictures take up to 7; of large sets it shows a part, evenly chosen.

            For several runs it shows their results side by side, their curves, and the differences in their settings; the table is also printed.

            With --views, a stream of augment, the page also shows what the student saw of a few images.

            Example:
              report --run runs/pictures -o report.html
              augment --data pictures --size 96 --limit 6 --batch 6 --epochs 6 | report --run runs/pictures --views -
              report --run runs/a --run runs/b -o compare.html
              make report NAME=pictures

            See also: evaluate table, inspect.
            """,
        version: productVersion)

    @Option(name: .customLong("run"), help: ArgumentHelp("The folder of the run (repeatable: several runs are compared).", valueName: "folder"))
    var folders: [String]

    @Option(help: ArgumentHelp("Show this stream of views of a few images; - is standard input (default: none).", valueName: "stream"))
    var views: String?

    @Flag(help: "Also write the logs' numbers for TensorBoard, to the folder tensorboard of the run.")
    var tensorboard = false

    @Option(help: ArgumentHelp("Also write the logs' numbers to this file as CSV: network, epoch, step and a column for each number.", valueName: "file"))
    var csv: String?

    @Option(name: .shortAndLong, help: "The page to write; - is standard output (default: report.html in the run's folder; for several runs, none).")
    var output: String?
    @OptionGroup var common: CommonOptions

    func validate() throws {
        let ofOne = [("--views", views != nil), ("--tensorboard", tensorboard), ("--csv", csv != nil)]
        if folders.count > 1, let (option, _) = ofOne.first(where: { $0.1 }) { throw ValidationError("\(option) works only with a single --run") }
        try checkFiles(outputs: ["-o": output, "--csv": csv], inputs: ["--views": views])
    }

    func run() throws {
        common.start()
        guard let folder = folders.first else { return }
        if folders.count > 1 {
            if let output { try OutputFile.check(output) }
            let comparison = try ComparisonPage(folders.map { try ReportedRun(in: $0) }) { if !common.quiet { Self.log($0) } }
            if let output { try OutputFile.write(comparison.html.text, to: output) }
            if output != OutputFile.standard { try OutputFile.write(comparison.text, to: OutputFile.standard) }
            return
        }
        let path = output ?? folder + "/report.html"
        for file in [path, csv] { if let file { try OutputFile.check(file) } }
        let run = try ReportedRun(in: folder)
        let page = try RunPage(run, views: views) { if !common.quiet { Self.log($0) } }
        try OutputFile.write(page.html.text, to: path)
        if tensorboard { try TensorBoard.write(run) }
        if let csv { try OutputFile.write(Courses.csv(run), to: csv) }
        if !common.quiet, path != OutputFile.standard { Self.log(path) }
    }
}
