import Evaluation
import Pipeline
import Pages
import TensorStreams
import ToolSupport

/// The evaluation results of the networks, and the time of the stages.
struct Results {
    private let run: ReportedRun
    private var table = ClosingTable()

    /// - Parameter tell: receives messages about damaged results.
    init(_ run: ReportedRun, tell: (String) -> Void) {
        self.run = run
        func attempt(_ body: () throws -> Void) {
            do { try body() } catch { tell("\(error); left out") }
        }
        for subject in run.subjects where subject.isTeacher || subject.isLatest || subject.name.hasSuffix(".0") {
            for protocolName in ["classifier", "knn", "linear", "quality"] {
                if let path = run.result(subject, protocolName) { attempt { try table.add(row: subject.title, result: path) } }
            }
            if let path = run.result(subject, "embedding") { attempt { try table.add(row: subject.title, result: path, isEmbedding: true) } }
        }
        if let results = try? RunResults(in: run.folder) {
            for stage in results.timings { for path in stage.logs { attempt { try table.add(stage: stage.name, timing: path) } } }
            for probe in results.probes { attempt { try table.add(along: probe.name, epoch: probe.epoch, result: probe.path) } }
            results.notes.forEach { table.add(note: $0) }
        }
    }

    /// The state of the run, and its most important numbers.
    var head: HTML {
        let (done, all) = run.epochs
        let state = done >= all ? "\(all) epochs, all done." : "In progress: \(done) of \(all) epochs are done."
        let settings = ["METHOD", "STUDENT", "STUDENTS", run.settings.contains { $0.name == "TEACHERS" } ? "TEACHERS" : "TEACHER", "TEACHER_COMMAND", "SIZE", "BATCH"].compactMap { name in
            run.settings.first { $0.name == name }.map { "\($0.name) \($0.value)" }
        }.joined(separator: ", ")
        return "<p>\(state) <span class=\"soft\">\(settings)</span></p>\n<ul class=\"tiles\">\(tiles)</ul>\n"
    }

    /// The results of each student's latest network, beside the teacher's.
    private var tiles: [HTML] {
        let grid = table.grid
        guard let titles = grid.first, titles.count > 1 else { return [] }
        let titlesOfTeachers = Set(run.subjects.filter(\.isTeacher).map(\.title)), teachers = grid.dropFirst().filter { titlesOfTeachers.contains($0[0]) }, latest = Set(run.subjects.filter { $0.isLatest && !$0.isTeacher }.map(\.title))
        return grid.dropFirst().filter { latest.contains($0[0]) }.flatMap { row in
            titles.indices.dropFirst().filter { row[$0] != "–" }.map { column in
                let beside = teachers.filter { $0[column] != "–" }.map { "; \($0[0]) \($0[column])" }.joined()
                return "<li><span>\(titles[column])</span><b>\(row[column])</b><span>\(row[0])\(beside)</span></li>" as HTML
            }
        }
    }

    var html: HTML {
        let grid = table.grid
        guard let titles = grid.first, grid.count > 1 else { return "<p>Nothing has been evaluated yet.</p>" }
        let notes = table.notes.map { "<li>\($0)</li>" as HTML }
        return "\(HTML.table(titles, Array(grid.dropFirst())))<ul class=\"soft\">\(notes)</ul>\n\(published)\(course)"
    }

    /// Published results of the same students, if the images are ImageNet's.
    private var published: HTML {
        let students = Set(run.settings.filter { ["STUDENT", "STUDENTS"].contains($0.name) }.flatMap { $0.value.split(separator: " ").map(String.init) }).sorted()
        let classes = run.subjects.lazy.compactMap { run.result($0, "knn") }.first.flatMap { try? JSONFile.read($0) }?["by_class"]?["classes"]?.asArray?.compactMap(\.asString) ?? []
        let rows = students.flatMap { PublishedResult.comparable(student: $0, classes: classes) }
        guard !rows.isEmpty else { return "" }
        func percent(_ value: Double?) -> String { value.map { "\(Progress.fixed($0, 1)) %" } ?? "–" }
        return """
            <h3>Published</h3>
            \(HTML.table(["student", "method", "teacher, its top-1", "linear top-1", "linear top-5"], rows.map { [$0.student, $0.method, $0.teacher ?? "none", percent($0.top1), percent($0.top5)] }))
            <p class="soft">On ImageNet at 224×224, after 200 epochs and more, by each paper's own protocol; as listed by Xu et al., ICLR 2022. They are comparable with the numbers of evaluate linear --protocol.</p>

            """
    }

    /// The results over epochs, for students that were evaluated during training.
    private var course: HTML {
        let curves = table.courses
        guard let title = curves.first?.title else { return "" }
        let teachers = run.subjects.filter(\.isTeacher).compactMap { subject in table.number(row: subject.title, title: title).map { (subject.title, $0) } }
        let all = Double(run.epochs.all)
        let series = curves.map { curve -> LineChart.Series in
            let known = run.subjects.filter { !$0.isTeacher && $0.title.hasPrefix(curve.name + " ") }
            let first = known.first { $0.title.hasSuffix(" before") }.flatMap { table.number(row: $0.title, title: title) }.map { [(x: 0.0, y: $0)] } ?? []
            let last = known.first { $0.title.hasSuffix(" after") }.flatMap { table.number(row: $0.title, title: title) }.map { [(x: all, y: $0)] } ?? []
            return LineChart.Series(curve.name, first + curve.points.map { (Double($0.epoch), $0.value) } + last)
        }
        let reference = teachers.map { LineChart.Series($0, [(0, $1), (all, $1)], isReference: true) }
        return LineChart(title, series + reference, digits: 1).html
    }

    var times: HTML {
        let grid = table.stageGrid
        return grid.count > 1 ? HTML.table(grid[0], Array(grid.dropFirst())) : ""
    }
}
