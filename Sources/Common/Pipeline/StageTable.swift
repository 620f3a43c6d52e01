import ToolSupport

/// The list of a run's stages with the expected contents of their records: `stages` in the run's folder, for `plan
/// finish`.
///
///     student.3 4f1d… 24 train,teacher student.3.safetensors
///
/// A line has the name, the fingerprint, the epochs of the schedule, the ``Source``s that the stage reads, and the
/// files it makes; `-` stands for none.
struct StageTable {
    struct Line {
        let name: String
        let fingerprint: String
        let schedule: Int?
        let sources: [Source]
        let outputs: [String]
    }

    static let file = "stages"
    private static let end = "end of stages"
    let lines: [Line]

    init(_ list: StageList, _ work: Work) {
        lines = list.stages.compactMap { stage in
            work.expected[stage.name].map {
                Line(
                    name: stage.name, fingerprint: $0.fingerprint, schedule: $0.schedule, sources: Source.allCases.filter(stage.sources.contains),
                    outputs: stage.outputs)
            }
        }
    }

    init(in folder: String) throws {
        let path = folder + "/" + StageTable.file
        guard let lines = try TextFile.read(path, end: StageTable.end) else { throw Failure(.noInput, path: path, "does not exist", remedy: "run make distill") }
        self.lines = lines.compactMap { line in
            let words = line.split(separator: " ").map(String.init)
            guard words.count >= 4 else { return nil }
            let sources = words[3].split(separator: ",").compactMap { Source(rawValue: String($0)) }
            return Line(name: words[0], fingerprint: words[1], schedule: Int(words[2]), sources: sources, outputs: Array(words[4...]))
        }
    }

    func save(in folder: String) throws {
        let lines = lines.map { line in
            let sources = line.sources.isEmpty ? "-" : line.sources.map(\.rawValue).joined(separator: ",")
            return ([line.name, line.fingerprint, line.schedule.map { "\($0)" } ?? "-", sources] + line.outputs).joined(separator: " ")
        }
        try TextFile.write(lines, end: StageTable.end, to: folder + "/" + StageTable.file)
    }

    subscript(name: String) -> Line? { lines.first { $0.name == name } }
}
