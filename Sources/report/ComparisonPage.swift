import Evaluation
import Pages
import Pipeline
import TensorStreams
import ToolSupport

/// A comparison of several runs: results, training curves, and settings that differ.
struct ComparisonPage {
    private let runs: [ReportedRun]
    private let names: [String]
    private var table = ClosingTable()

    /// - Parameter tell: receives messages about damaged results.
    init(_ runs: [ReportedRun], tell: (String) -> Void) throws {
        self.runs = runs
        // If run names are not unique, use the folders as names.
        let own = runs.map(\.name)
        names = Set(own).count == own.count ? own : runs.map(\.folder)
        guard Set(names).count == names.count else { throw Failure(.usage, "--run names \(names.first { name in names.count { $0 == name } > 1 } ?? "") twice", remedy: "name each run once") }
        for (run, name) in zip(runs, names) {
            for subject in run.subjects where subject.isLatest && !subject.isTeacher {
                let title = run.subjects.count(where: { $0.isLatest && !$0.isTeacher }) > 1 ? "\(name), \(subject.title)" : name
                for protocolName in ["classifier", "knn", "linear", "quality", "embedding"] {
                    guard let path = run.result(subject, protocolName) else { continue }
                    do { try table.add(row: title, result: path, isEmbedding: protocolName == "embedding") } catch { tell("\(error); left out") }
                }
            }
        }
    }

    /// A header row, and a row for each setting that differs between the runs.
    private var differences: [[String]] {
        let settings = runs.map { run in Dictionary(run.settings.map { ($0.name, $0.value) }, uniquingKeysWith: { $1 }) }
        var names: [String] = []
        for run in runs { for setting in run.settings where !names.contains(setting.name) { names.append(setting.name) } }
        let rows = names.map { name in [name] + settings.map { $0[name] ?? "–" } }.filter { Set($0.dropFirst()).count > 1 }
        return [[""] + self.names] + rows + [["epochs done"] + runs.map { "\($0.epochs.done) of \($0.epochs.all)" }]
    }

    /// The tables as plain text.
    var text: String {
        var settings = TextTable(differences.map { $0.map(\.printable) })
        settings.leftColumns = Set(0...runs.count)
        let results = table.grid.count > 1 ? TextTable(table.grid.map { $0.map(\.printable) }).text + table.notes.map { "\($0.printable)\n" }.joined() : "nothing has been evaluated yet\n"
        return results + "\n" + settings.text
    }

    var html: HTML {
        var page = Page(names.joined(separator: ", "))
        let grid = table.grid, notes = table.notes.map { "<li>\($0)</li>" as HTML }
        page.add("results", "Results", grid.count > 1 ? "\(HTML.table(grid[0], Array(grid.dropFirst())))<ul class=\"soft\">\(notes)</ul>\n" : "<p>Nothing has been evaluated yet.</p>")
        page.add("settings", "What differs", HTML.table(differences[0], Array(differences.dropFirst())))
        let charts = Courses.comparing(zip(names, runs).flatMap { name, run in
            run.courses.filter { $0.title != "teacher" }.map { (run.courses.count(where: { $0.title != "teacher" }) > 1 ? "\(name), \($0.title)" : name, $0.logs) }
        })
        page.add("training", "Training", charts.isEmpty ? "" : "<div class=\"grid\">\(charts)</div>\n")
        return page.html(PictureBook(room: 0))
    }
}
