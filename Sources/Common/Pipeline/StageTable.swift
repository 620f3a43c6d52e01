import ToolSupport

/// The list of a run's stages with what each will have been when it is done: `stages` in the run's folder, for `plan finish`.
struct StageTable {
    struct Line {
        let name: String
        let fingerprint: String
        let schedule: Int?
        let outputs: [String]
    }

    static let file = "stages"
    private static let end = "end of stages"
    let lines: [Line]

    init(_ list: StageList, _ work: Work) {
        lines = list.stages.compactMap { stage in
            work.expected[stage.name].map { Line(name: stage.name, fingerprint: $0.fingerprint, schedule: $0.schedule, outputs: stage.outputs) }
        }
    }

    init(in folder: String) throws {
        let path = folder + "/" + StageTable.file
        guard let lines = try TextFile.read(path, end: StageTable.end) else { throw Failure(.noInput, path: path, "is not there", remedy: "run make distill") }
        self.lines = lines.compactMap { line in
            let words = line.split(separator: " ").map(String.init)
            guard words.count >= 3 else { return nil }
            return Line(name: words[0], fingerprint: words[1], schedule: Int(words[2]), outputs: Array(words[3...]))
        }
    }

    func save(in folder: String) throws {
        try TextFile.write(
            lines.map { ([$0.name, $0.fingerprint, $0.schedule.map { "\($0)" } ?? "-"] + $0.outputs).joined(separator: " ") }, end: StageTable.end,
            to: folder + "/" + StageTable.file)
    }

    subscript(name: String) -> Line? { lines.first { $0.name == name } }
}
