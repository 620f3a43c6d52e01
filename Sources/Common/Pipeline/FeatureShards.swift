import Platform
import TensorStreams
import ToolSupport

/// Shards of the networks' features, each made by a separate process: `shards/STAGE.FINGERPRINT.3-of-8.tensors.zst`.
/// The next make merges them.
///
/// The fingerprint is that of the stage, as in its record. A shard with other options, data or weights is therefore
/// never used.
enum FeatureShards {
    static let setting = "SHARD"
    static let folder = "shards"

    static func file(_ stage: String, _ fingerprint: String, _ shard: StreamShard) -> String {
        "\(folder)/\(stage).\(fingerprint).\(shard.number)-of-\(shard.count).tensors.zst"
    }

    /// - Throws: ``Failure`` `usage` if SHARD is not a shard.
    static func shard(_ settings: RunSettings) throws -> StreamShard {
        let text = settings[setting]
        guard let shard = StreamShard(text) else {
            throw Failure(.usage, text.isEmpty ? "\(setting) is not given" : "\(setting)=\(text): is not a part", remedy: "give one such as 3/8, the third of eight")
        }
        return shard
    }

    /// Whether a shard is undamaged. It is read to its end, with all checksums. A file that cannot be read at all does
    /// not count as damaged.
    static func isWhole(_ path: String) -> Bool {
        do {
            let reader = try StreamReader(path)
            while try reader.next() != nil {}
            return true
        } catch let failure as Failure where failure.kind == .data { return false } catch { return true }
    }

    /// Removes the shards of stages that are finished or have different inputs now.
    static func removeOutdated(_ work: Work, in path: String) {
        let wanted = work.stages.compactMap { stage in work.expected[stage.name].map { "\(stage.name).\($0.fingerprint)." } }
        for name in FolderNames.all(in: "\(path)/\(folder)") where !wanted.contains(where: name.hasPrefix) { FolderNames.remove("\(path)/\(folder)/\(name)") }
    }
}

extension Planner {
    /// Makes a shard of the missing features, for networks that are trained.
    ///
    /// It changes nothing in the run except for its own files, so other processes can work on other shards.
    func prepareShard(_ folder: RunFolder) throws -> Command? {
        guard folder.isRun else { throw noRun(folder) }
        try folder.share(say)
        let preparation = try look { _ in [] }, shard = try FeatureShards.shard(preparation.settings)
        try checkOptions(preparation, folder, "make shard uses the run's own settings")
        let work = Work(preparation), toDo = Set(work.stages.map(\.name))
        let stages = work.stages.filter { StageName($0.name).kind == "features" }
        if let (stage, missing) = stages.lazy.compactMap({ stage in stage.inputs.first(where: toDo.contains).map { (stage.name, $0) } }).first {
            throw Failure(.noInput, path: folder.path, "\(stage) needs \(missing), which is not done", remedy: "run make distill UNTIL=students first")
        }
        // The names of shards are those of the run's stages.
        let table = try StageTable(in: folder.path)
        if let other = stages.first(where: { table[$0.name]?.fingerprint != work.expected[$0.name]?.fingerprint }) {
            throw Failure(.usage, path: folder.path, "\(other.name) depends on data or weights that have changed since the run was planned", remedy: "run make distill UNTIL=students first")
        }
        try folder.create(FeatureShards.folder)
        let goals = stages.map(\.name).filter { name in
            guard let fingerprint = work.expected[name]?.fingerprint else { return false }
            let file = folder.file(FeatureShards.file(name, fingerprint, shard))
            guard unsafe access(file, F_OK) == 0 else { return true }
            if FeatureShards.isWhole(file) { return false }
            say("\(file) is damaged and will be rebuilt")
            unsafe unlink(file)
            return true
        }
        guard !goals.isEmpty else {
            say("\(folder.path): part \(shard.number) of \(shard.count) of all features is done")
            return nil
        }
        return try command(preparation, goals: goals.map { "shard.\($0)" }, shard: shard)
    }
}
