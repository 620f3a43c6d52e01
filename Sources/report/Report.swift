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
        abstract: "Writes one HTML file that shows a run of make distill: what it is worth, how it learnt, and what it sees.",
        discussion: """
            The file holds all that it shows and fetches nothing; the same run gives the same bytes. A run that is under way has a report of what is \
            there. It has 10 MB at most, its pictures 7: of large sets it shows a part, evenly chosen.

            Of several runs it shows what they are worth side by side, their curves, and what differs in their settings; the table is printed too.

            --views takes a stream of augment, so that the page shows what the student saw of a few images.

            Example:
              report --run runs/pictures -o report.html
              augment --data pictures --size 96 --limit 6 --batch 6 --epochs 6 | report --run runs/pictures --views -
              report --run runs/a --run runs/b -o compare.html
              make report NAME=pictures

            See also: evaluate table, inspect.
            """,
        version: productVersion)

    @Option(name: .customLong("run"), help: ArgumentHelp("The folder of the run; several are compared.", valueName: "folder"))
    var folders: [String]

    @Option(help: ArgumentHelp("A stream of views of a few images; - is standard input (default: none are shown).", valueName: "stream"))
    var views: String?

    @Flag(help: "Write the logs' numbers for TensorBoard too, into the folder tensorboard of the run.")
    var tensorboard = false

    @Option(help: ArgumentHelp("Write the logs' numbers as CSV to this file too: network, epoch, step and a column for each.", valueName: "file"))
    var csv: String?

    @Option(name: .shortAndLong, help: "The page to write; - is standard output (default: report.html in the run's folder; of several runs none).")
    var output: String?
    @OptionGroup var common: CommonOptions

    func validate() throws {
        let ofOne = [("--views", views != nil), ("--tensorboard", tensorboard), ("--csv", csv != nil)]
        if folders.count > 1, let (option, _) = ofOne.first(where: { $0.1 }) { throw ValidationError("\(option) goes with one --run") }
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
