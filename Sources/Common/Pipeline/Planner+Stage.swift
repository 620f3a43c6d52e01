import ToolSupport

/// Running or showing a single stage.
extension Planner {
    /// The make command that prints a stage's command. It writes nothing, so the run must already have the settings.
    func show(_ folder: RunFolder) throws -> Command {
        guard folder.isRun else { throw noRun(folder) }
        let preparation = try look { _ in [] }
        let name = try stage(preparation).name
        try checkOptions(preparation, folder, "SHOW=1 shows a stage with the run's own settings")
        let work = Work(preparation.run.stages, goals: [], folder: folder.path)
        return try command(preparation, goal: "done/\(name)", alone: (name, work.expected[name]?.schedule))
    }

    /// Checks that the typed settings are those of the run.
    ///
    /// - Parameter what: why the settings may not differ.
    /// - Throws: ``Failure`` `usage` if the run has other settings than those that were typed.
    func checkOptions(_ preparation: Preparation, _ folder: RunFolder, _ what: String) throws {
        for (file, words) in preparation.run.options {
            guard let bytes = try? TextFile.bytes(folder.file("options/\(file)")), bytes == Array(words.map { $0 + "\n" }.joined().utf8) else {
                throw Failure(
                    .usage, path: folder.path, "\(what), but other settings were given",
                    remedy: "leave them out, or run make distill with them first")
            }
        }
    }

    /// Prepares one stage, whether it is finished or not. Its inputs must exist and match the settings.
    func prepareStage(_ folder: RunFolder) throws -> Command {
        // A new run on the user's own images may start with a stage, but a named run without DATA must exist.
        if !folder.isRun, flags.value(of: "NAME") != nil, flags.value(of: "DATA") == nil { throw noRun(folder) }
        let (preparation, stage, work) = try whenLocked(folder) { () throws -> (Preparation, Stage, Work) in
            let preparation = try look { [try self.stage($0)] }, stage = try self.stage(preparation)
            let work = Work(preparation.run.stages, goals: stage.inputs, folder: folder.path)
            guard let missing = work.stages.last else { return (preparation, stage, work) }
            throw Failure(
                .noInput, path: folder.path, "\(stage.name) needs \(missing.name), which is not done with these settings",
                remedy: "run make distill, or that stage first")
        }
        try makeRoom([stage], preparation)
        try preparation.write()
        Interim.removeOutdated(work, in: folder.path)
        try StageTable(preparation.run.stages, work).save(in: folder.path)
        return try command(preparation, goal: "done/\(stage.name)", alone: (stage.name, work.expected[stage.name]?.schedule))
    }

    /// The failure for a run that does not exist, with the names of existing ones.
    func noRun(_ folder: RunFolder) -> Failure {
        let runs = flags.value(of: "RUNS") ?? "runs", name = folder.path.lastPathPart ?? ""
        let names = RunFolder.names(in: runs)
        guard !names.isEmpty else { return Failure(.usage, "NAME=\(name): there is no run in \(runs)", remedy: "run make distill first") }
        let nearest = Nearest.name(to: name, among: names).map { "did you mean \($0)? " } ?? ""
        let more = names.count > 20 ? " and \(names.count - 20) more" : ""
        return Failure(
            .usage, "NAME=\(name): there is no such run in \(runs)",
            remedy: nearest + "there \(names.count == 1 ? "is" : "are") \(names.prefix(20).joined(separator: ", "))\(more)")
    }

    /// The stage given by STAGE.
    private func stage(_ preparation: Preparation) throws -> Stage {
        let stages = preparation.run.stages, name = preparation.settings["STAGE"]
        if let stage = stages[name] { return stage }
        // If the number is too large, suggest the last stage of that kind.
        let last = StageName(name).numbered.flatMap { kind in stages.names.last { StageName($0).numbered == kind } }
        let nearest = (last ?? Nearest.name(to: name, among: stages.names)).map { "did you mean \($0)? " } ?? ""
        let what = name.isEmpty ? "STAGE is not given" : "STAGE=\(name): there is no such stage"
        throw Failure(.usage, what, remedy: nearest + "stages are \(kinds(stages.names))")
    }

    /// A short list of stage names: "student.0 to student.24, student,
    /// features.{teacher,student.0,student.24}.{train,test}, …, table".
    private func kinds(_ names: [String]) -> String {
        var parts: [String] = []
        let all = names.map { StageName($0) }
        for kind in all.compactMap(\.numbered).reduce(into: [String](), { if !$0.contains($1) { $0.append($1) } }) {
            let numbers = all.compactMap { $0.epoch(of: kind) }
            if let first = numbers.min(), let last = numbers.max() { parts.append("\(kind).\(first) to \(kind).\(last)") }
        }
        func list(_ words: [String]) -> String {
            "{" + words.reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }.joined(separator: ",") + "}"
        }
        for kind in StageName.judged {
            let own = all.filter { $0.kind == kind }
            if !own.isEmpty { parts.append("\(kind).\(list(own.compactMap(\.subject))).\(list(own.compactMap(\.part)))") }
        }
        return (parts + names.filter { $0 == StageName($0).kind }).joined(separator: ", ")
    }
}
