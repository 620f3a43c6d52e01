import ArgumentParser
import Evaluation
import ToolSupport

struct Table: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "table",
        abstract: "Print the closing table of a distillation out of the results of 'evaluate knn' and 'evaluate linear'.",
        discussion: """
            A row is a name and the JSON results that belong to it, in any order; an 'embedding:' before a k-NN result puts it in a \
            column of its own. A stage is a name and files of JSON objects, one or one a line, whose 'seconds' and 'images' are added up.

            Example:
              evaluate table --row 'teacher=teacher.knn.json,teacher.linear.json' \\
                --row 'student=knn.json,linear.json,embedding:embedding.json' \\
                --stage 'features=embed.json' --stage 'student=epoch.1.log,epoch.2.log' \\
                --file 'student=student.24.safetensors'

            See also: evaluate knn, evaluate linear.
            """)

    @Option(name: .customLong("row"), help: ArgumentHelp("A row and its results; may be given again.", valueName: "name=file,…"))
    var rows: [String] = []

    @Option(name: .customLong("stage"), help: ArgumentHelp("A stage and its timings; may be given again.", valueName: "name=file,…"))
    var stages: [String] = []

    @Option(name: .customLong("file"), help: ArgumentHelp("A file to tell of at the end; may be given again.", valueName: "name=path"))
    var files: [String] = []

    @Option(help: "The k of the k-NN columns.")
    var k = 10

    @OptionGroup var output: ResultOutput
    @OptionGroup var common: CommonOptions

    func validate() throws {
        if rows.isEmpty, stages.isEmpty, files.isEmpty { throw ValidationError("there is nothing to show: give --row, --stage or --file") }
        if k < 1 { throw ValidationError("--k takes 1 or more, found \(k)") }
        for (option, values) in [("--row", rows), ("--stage", stages), ("--file", files)] {
            for value in values { _ = try Self.split(value, option) }
        }
    }

    func run() throws {
        common.start()
        let result = try output.open()
        var table = ClosingTable(k: k)
        for row in rows {
            let (name, value) = try Self.split(row, "--row")
            for path in value.split(separator: ",").map(String.init) {
                let isEmbedding = path.hasPrefix("embedding:")
                try table.add(row: name, result: isEmbedding ? String(path.dropFirst("embedding:".count)) : path, isEmbedding: isEmbedding)
            }
        }
        for stage in stages {
            let (name, value) = try Self.split(stage, "--stage")
            for path in value.split(separator: ",").map(String.init) { try table.add(stage: name, timing: path) }
        }
        for file in files {
            let (name, path) = try Self.split(file, "--file")
            table.add(file: name, path: path)
        }
        try result.write(text: table.text, json: table.json)
    }

    private static func split(_ text: String, _ option: String) throws -> (String, String) {
        guard let equals = text.firstIndex(of: "="), equals > text.startIndex, text.index(after: equals) < text.endIndex else {
            throw ValidationError("\(option) takes NAME=FILE, found '\(text)'")
        }
        return (String(text[..<equals]), String(text[text.index(after: equals)...]))
    }
}
