import Pipeline
import Evaluation
import Pages
import TensorStreams
import ToolSupport

/// How the run was made: its commands, the version of the tools, and the settings.
struct Provenance {
    private let run: ReportedRun

    init(_ run: ReportedRun) { self.run = run }

    var html: HTML {
        let commands = run.commands.joined(separator: "\n"), rows = run.settings.map { [$0.name, $0.value] }
        let stages = run.subjects.compactMap { subject -> HTML? in
            let path = run.result(subject, "knn") ?? run.result(subject, "quality")
            guard let path, let json = try? JSONFile.read(path), let lines = (json["test"] ?? json["samples"])?["provenance"]?.asArray?.compactMap(\.asString), !lines.isEmpty else { return nil }
            return "<h3>\(subject.title)</h3><pre>\(lines.joined(separator: "\n"))</pre>"
        }
        return """
            <pre>\(commands)</pre>
            <p class="soft">seed \(productVersion). One stage alone: <code>make stage NAME=\(ReportedRun.quoted(run.name)) STAGE=student.1 SHOW=1</code> prints its command.</p>
            \(HTML.details("settings", HTML.table(["setting", "value"], rows)))\(stages.isEmpty ? "" : HTML.details("where the evaluated features come from", "\(stages)"))
            """
    }
}
