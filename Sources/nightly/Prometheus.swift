import History
import ToolSupport

/// A text file for the textfile collector of Prometheus' node exporter.
enum Prometheus {
    static func write(_ lines: [Comparison], to path: String) throws {
        var text = "# HELP seed_nightly_percent Result of the newest checkpoint of a run, in percent.\n# TYPE seed_nightly_percent gauge\n"
        func labels(_ line: Comparison) -> String {
            "run=\"\(escaped(line.now.run))\",network=\"\(escaped(line.now.network))\",measure=\"\(escaped(line.now.measure))\""
        }
        for line in lines { text += "seed_nightly_percent{\(labels(line))} \(line.now.value)\n" }
        text += "# HELP seed_nightly_epoch Epochs that it was trained for.\n# TYPE seed_nightly_epoch gauge\n"
        for line in lines { text += "seed_nightly_epoch{\(labels(line))} \(line.now.epoch)\n" }
        text += "# HELP seed_nightly_fallen Whether it is significantly worse than before.\n# TYPE seed_nightly_fallen gauge\n"
        for line in lines { text += "seed_nightly_fallen{\(labels(line))} \(line.isBelow ? 1 : 0)\n" }
        try OutputFile.write(text, to: path)
    }

    private static func escaped(_ text: String) -> String { text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n") }
}
