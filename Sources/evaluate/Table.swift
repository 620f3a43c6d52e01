import ArgumentParser
import Evaluation
import Pipeline
import TensorStreams
import ToolSupport

struct Table: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "table",
        abstract: "Print the closing table of a distillation from the results of the other evaluations.",
        discussion: """
            A row is a name and its JSON results, in any order. 'embedding:' before a k-NN result puts it in a \
            column of its own. Results of 'evaluate quality' are for data without labels. A stage is a name and files of JSON objects, one per file or one per line, whose 'seconds' and 'images' are added up.

            Each remark of the evaluations is printed once, with the rows it applies to.

            For a run of make distill, --run finds all this by itself and writes table.txt and table.json to the run's folder.

            Example:
              evaluate table --run runs/demonstration
              evaluate table --row 'teacher=teacher.knn.json,teacher.linear.json' \\
                --row 'student=knn.json,linear.json,embedding:embedding.json' \\
                --stage 'features=embed.json' --stage 'student=epoch.1.log,epoch.2.log' \\
                --file 'student=student.24.safetensors'

            See also: evaluate knn, linear, accuracy, quality.
            """)

    @Option(name: .customLong("run"), help: ArgumentHelp("The folder of a run, whose results, timings and files make up the table.", valueName: "folder"))
    var runFolder: String?

    @Option(name: .customLong("row"), help: ArgumentHelp("A row and its results (repeatable).", valueName: "name=file,…"))
    var rows: [String] = []

    @Option(name: .customLong("stage"), help: ArgumentHelp("A stage and its timings (repeatable).", valueName: "name=file,…"))
    var stages: [String] = []

    @Option(name: .customLong("file"), help: ArgumentHelp("A file to list at the end (repeatable).", valueName: "name=path"))
    var files: [String] = []

    @Option(help: "The k of the k-NN columns.")
    var k = 10

    @OptionGroup var output: ResultOutput
    @OptionGroup var common: CommonOptions

    func validate() throws {
        if runFolder != nil, !(rows.isEmpty && stages.isEmpty && files.isEmpty) { throw ValidationError("--run cannot be combined with --row, --stage or --file") }
        if runFolder == nil, rows.isEmpty, stages.isEmpty, files.isEmpty { throw ValidationError("there is nothing to show; give --run, --row, --stage or --file") }
        if k < 1 { throw ValidationError("--k takes 1 or more, found \(k)") }
        for (option, values) in [("--row", rows), ("--stage", stages), ("--file", files)] {
            for value in values { _ = try Self.split(value, option) }
        }
    }

    func run() throws {
        common.start()
        let result = try output.open()
        if let runFolder {
            let table = try ClosingTable(k: k, of: runFolder)
            // Each file is written atomically; the stage is done when both exist.
            for (name, text) in [("table.json", table.json.text + "\n"), ("table.txt", table.text)] {
                try OutputFile.write(text, to: runFolder + "/" + name)
            }
            return try result.write(text: table.text, json: table.json)
        }
        var table = ClosingTable(k: k)
        for row in rows {
            let (name, value) = try Self.split(row, "--row")
            for path in value.parts(",").filter({ !$0.isEmpty }) {
                let isEmbedding = path.hasPrefix("embedding:")
                try table.add(row: name, result: isEmbedding ? String(path.dropFirst("embedding:".count)) : path, isEmbedding: isEmbedding)
            }
        }
        for stage in stages {
            let (name, value) = try Self.split(stage, "--stage")
            for path in value.parts(",").filter({ !$0.isEmpty }) { try table.add(stage: name, timing: path) }
        }
        for file in files {
            let (name, path) = try Self.split(file, "--file")
            table.add(file: name, path: path)
        }
        try result.write(text: table.text, json: table.json)
    }

    private static func split(_ text: String, _ option: String) throws -> (String, String) {
        let parts = text.parts("=", most: 2)
        guard parts.count == 2, parts.allSatisfy({ !$0.isEmpty }) else { throw ValidationError("\(option) takes NAME=FILE, found '\(text)'") }
        return (parts[0], parts[1])
    }
}

extension ClosingTable {
    /// The table of the run in `folder`.
    init(k: Int, of folder: String) throws {
        self.init(k: k)
        let run = try RunResults(in: folder)
        for row in run.rows {
            for path in row.results { try add(row: row.name, result: path) }
            if let embedding = row.embedding { try add(row: row.name, result: embedding, isEmbedding: true) }
        }
        for stage in run.timings {
            for path in stage.logs {
                // Times are only reported: a log truncated by a power failure does not spoil the table.
                do { try add(stage: stage.name, timing: path) } catch { add(note: "\(stage.name): \(path) has no timings") }
            }
        }
        for probe in run.probes { try add(along: probe.name, epoch: probe.epoch, result: probe.path) }
        run.notes.forEach { add(note: $0) }
        for file in run.files { add(file: file.name, path: file.path) }
    }
}
