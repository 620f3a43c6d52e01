import Evaluation
import History
import Pages
import ToolSupport

/// The results of a night as text and as a page.
struct NightReport {
    let night: History.Night
    /// The earlier nights.
    let known: [History.Night]
    var remarks: [String] = []
    var lines: [Comparison] = []

    init(night: History.Night, known: [History.Night]) { (self.night, self.known) = (night, known) }

    var hasFallen: Bool { lines.contains(where: \.hasFallen) }

    private var grid: [[String]] {
        [["run", "network", "epoch", "", "tonight", "since the last night", "since its best"]]
            + lines.map { line in
                let now = line.now, verdict = line.hasFallen ? "FALLEN" : line.isBelow ? "below its best" : ""
                let last = line.last == nil ? "first" : line.isUnchanged ? "unchanged" : line.last?.text ?? ""
                return [now.run, now.network, "\(now.epoch)", now.measure, "\(Progress.fixed(now.value, 1)) %", last, line.isUnchanged && !line.isBelow ? "" : (line.best?.text ?? ""), verdict]
            }
    }

    /// The results as a table, followed by the remarks.
    var text: String {
        var table = TextTable(grid.map { $0.map(\.printable) })
        table.leftColumns = [0, 1, 3]
        let body = lines.isEmpty ? "nothing to evaluate\n" : table.text
        return "night \(night.id), \(night.began)\n" + body + remarks.map { "\($0.printable)\n" }.joined()
    }

    /// The page with the results of all runs, night by night.
    func page(_ history: History) throws -> String {
        let all = try history.results(), nights = try history.nights()
        var page = Page("Nights")
        page.head = "<p>Night \(night.id), \(night.began). \(hasFallen ? "Something has fallen." : "Nothing has fallen.")</p>\n"
        let notes = remarks.map { "<li>\($0)</li>" as HTML }
        page.add("tonight", "Tonight", "\(HTML.table(grid[0] + [""], grid.dropFirst().map { $0 }))<ul class=\"soft\">\(notes)</ul>\n")
        var charts: [HTML] = []
        for run in Set(all.map(\.result.run)).sorted() {
            let own = all.filter { $0.result.run == run }
            let series = Set(own.map { "\($0.result.network)\u{0}\($0.result.measure)" }).sorted().map { key -> LineChart.Series in
                let parts = key.split(separator: "\u{0}").map(String.init)
                let points = own.filter { $0.result.network == parts[0] && $0.result.measure == parts[1] }
                return LineChart.Series("\(parts[0]), \(parts[1])", points.map { (Double($0.night), $0.result.value) })
            }
            charts.append(LineChart(run, x: "night", series, digits: 1).html)
        }
        page.add("runs", "Runs", charts.isEmpty ? "" : "<div class=\"grid\">\(charts)</div>\n")
        page.add("nights", "All nights", HTML.table(["night", "began", "ended"], nights.map { ["\($0.id)", $0.began, $0.ended ?? ($0.id == night.id ? "" : "interrupted")] }))
        return page.html(PictureBook(room: 0)).text
    }
}
