import Evaluation
import Pages
import Pipeline
import TensorStreams
import ToolSupport

/// The training curves of the networks, from the logs of train-step. The lines of a log are spread evenly over its epoch.
struct Courses {
    private let run: ReportedRun

    init(_ run: ReportedRun) { self.run = run }

    var html: HTML {
        let parts = run.courses.map { title, logs -> HTML in
            let charts = Self.charts(logs)
            return charts.isEmpty ? "" : "\(run.courses.count > 1 ? "<h3>\(title)</h3>\n" as HTML : "")<div class=\"grid\">\(charts)</div>\n"
        }
        return "\(parts)"
    }

    /// The charts: for each line the log key, the name, and whether it is a reference for the others.
    private static let together: [(title: String, lines: [(key: String, name: String, isReference: Bool)])] = [
        ("loss", [("loss", "loss", false), ("floor", "floor: the entropy of the targets", true), ("uniform_loss", "of a student that knows nothing", true), ("small_loss", "of the small crops", false)]),
        ("divergence from the teacher", [("kl", "KL", false)]),
        ("learning rate", [("learning_rate", "learning rate", false)]),
        ("agreement", [("agreement", "nearest row of the queue is the teacher's", false)]),
        ("cosine of different images", [("student_cosine", "student", false), ("teacher_cosine", "teacher", true)]),
        ("effective rank of the student's rows", [("effective_rank", "effective rank", false)]),
        ("norm of the gradient", [("gradient_norm", "gradient", false)]),
        ("images a second", [("images_per_second", "images/s", false)]),
    ]
    /// Keys that are not worth a chart over epochs.
    private static let untold: Set<String> = ["epoch", "step", "images", "seconds", "queue_real", "waiting", "spread", "teacher_temperature", "centre"]

    /// The numbers of the logs by name, over epochs.
    static func values(_ logs: [String]) -> [String: [(x: Double, y: Double)]] {
        var values: [String: [(x: Double, y: Double)]] = [:]
        for path in logs {
            let lines = (try? JSONFile.readLines(path)) ?? []
            for (place, line) in lines.enumerated() {
                guard case .object(let members) = line, let epoch = line["epoch"]?.asNumber else { continue }
                for member in members { if let y = member.value.asNumber { values[member.key, default: []].append((epoch + Double(place + 1) / Double(lines.count), y)) } }
            }
        }
        return values
    }

    /// The evaluation results of a student after each evaluated epoch, in %, by name.
    static func judged(_ run: ReportedRun, _ network: String) -> [(name: String, epoch: Int, value: Double)] {
        run.subjects.filter { $0.network == network }.flatMap { subject -> [(name: String, epoch: Int, value: Double)] in
            guard let epoch = subject.epoch else { return [] }
            func json(_ kind: String) -> JSON? { run.result(subject, kind).flatMap { try? JSONFile.read($0) } }
            let near = json("knn").flatMap(Worth.nearest), alike = json("quality").flatMap(Worth.teachersNeighbours)
            let linear = json("linear")?["results"]?.asArray?.first?["top1"]?.asNumber
            return [("knn_top1", near), ("linear_top1", linear), ("neighbours_of_teacher", alike)].compactMap { name, value in value.map { (name, epoch, $0) } }
        }
    }

    /// All logs as one CSV table.
    ///
    /// Each log line is a row, grouped by network and in order. Behind the rows of a network come its evaluation
    /// results, at the end of their epochs.
    static func csv(_ run: ReportedRun) -> String {
        var lines: [(network: String, values: [String: Double])] = [], keys: Set<String> = []
        for (title, logs) in run.courses {
            for path in logs {
                for line in (try? JSONFile.readLines(path)) ?? [] {
                    guard case .object(let members) = line else { continue }
                    let values = Dictionary(members.compactMap { member in member.value.asNumber.map { (member.key, $0) } }, uniquingKeysWith: { $1 })
                    keys.formUnion(values.keys)
                    lines.append((title, values))
                }
            }
            // The result of an untrained network belongs to no epoch.
            for (name, epoch, value) in judged(run, title) where epoch > 0 {
                keys.insert(name)
                lines.append((title, ["epoch": Double(epoch - 1), name: value]))
            }
        }
        let columns = ["epoch", "step"].filter(keys.contains) + keys.subtracting(["epoch", "step"]).sorted()
        let rows = lines.map { line in ([line.network.csvField] + columns.map { line.values[$0].map { $0 == $0.rounded() && abs($0) < 1e15 ? "\(Int($0))" : "\($0)" } ?? "" }).joined(separator: ",") }
        return ([(["network"] + columns.map(\.csvField)).joined(separator: ",")] + rows).map { $0 + "\n" }.joined()
    }

    /// The charts that compare several trainings: one chart per quantity, with a line per training.
    static func comparing(_ trainings: [(name: String, logs: [String])]) -> [HTML] {
        let all = trainings.map { ($0.name, values($0.logs)) }
        return together.flatMap { chart in
            chart.lines.filter { !$0.isReference }.map { line in
                LineChart(chart.title, all.compactMap { name, values in values[line.key].map { LineChart.Series(name, $0) } }, digits: chart.title == "images a second" ? 0 : 4).html
            }
        }.filter { $0 != "" }
    }

    private static func charts(_ logs: [String]) -> [HTML] {
        let values = values(logs)
        let known = Set(together.flatMap { $0.lines.map(\.key) }).union(untold)
        let further = values.keys.filter { !known.contains($0) }.sorted().map { (title: $0.replacing("_", with: " "), lines: [(key: $0, name: $0.replacing("_", with: " "), isReference: false)]) }
        return (together + further).map { chart in
            let series = chart.lines.compactMap { line in values[line.key].map { LineChart.Series(line.name, $0, isReference: line.isReference) } }
            return LineChart(chart.title, series, digits: chart.title == "images a second" ? 0 : 4).html
        }.filter { $0 != "" }
    }
}
