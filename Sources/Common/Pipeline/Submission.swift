import Platform
import ToolSupport

/// The submission of a run as Slurm jobs.
enum Submission {
    static let partition = "PARTITION", nodes = "NODES", site = "SITE"
    /// The program that submits the jobs, in the folder of make's fragments.
    static let program = "slurm/submit"

    /// The kinds of jobs for the remaining work, in order: training epochs on all machines, features as an array, the
    /// rest on one machine.
    static func jobs(_ work: Work) -> [String] {
        let names = work.stages.map { StageName($0.name) }
        guard !names.isEmpty else { return [] }
        return (names.contains { $0.epoch(of: "teacher") ?? 0 > 0 } ? ["teacher"] : []) + (names.contains { $0.studentEpoch ?? 0 > 0 } ? ["students"] : [])
            + (names.contains { $0.kind == "features" } ? ["features"] : []) + ["evaluation"]
    }

    /// Rejects Slurm settings for other targets. They would be ignored, and everything would be executed on the machine
    /// where make was called.
    ///
    /// - Throws: ``Failure`` `usage` if such a setting was typed.
    static func refuse(_ flags: MakeFlags) throws {
        for (name, target) in [(partition, "distill-slurm"), (nodes, "distill-slurm"), (site, "distill-slurm"), (FeatureShards.setting, "shard")] where flags.value(of: name)?.isEmpty == false {
            throw Failure(.usage, "\(name) is for make \(target)", remedy: "did you mean that? leave \(name) out to run here")
        }
    }

    /// Rejects settings that the jobs specify themselves: the launcher and the extent of the work.
    ///
    /// - Throws: ``Failure`` for such a setting, an unreadable SITE, or more machines than groups of a batch.
    static func check(_ settings: RunSettings, _ work: Work) throws {
        for name in [Launch.setting, Until.setting, FeatureShards.setting, "STAGE", "SHOW", "TAP", "THREADS"] where !settings[name].isEmpty {
            throw Failure(.usage, "\(name) is not for distill-slurm", remedy: [Launch.setting, "THREADS"].contains(name) ? "the launcher of ranks, and the processors of each (--cpus-per-task), are set in \(settings[site].isEmpty ? "pipelines/slurm/site" : settings[site])" : "leave it out")
        }
        let file = settings[site]
        guard unsafe file.isEmpty || access(file, R_OK) == 0 else { throw Failure.errno(.noInput, path: "\(site)=\(file)", "cannot be read") }
        let machines = settings.count(nodes) ?? 1
        guard jobs(work).contains(where: { ["teacher", "students"].contains($0) }), machines > 1 else { return }
        try Launch.checkStatistics(settings, nodes)
        guard machines <= Launch.groups(settings) else {
            throw Failure(.usage, "\(nodes)=\(machines) starts \(machines) ranks, and a batch has \(Launch.groups(settings)) group\(Launch.groups(settings) == 1 ? "" : "s")", remedy: "\(Launch.groups)=\(machines), or a multiple of it")
        }
    }
}

extension Planner {
    /// Writes the run and submits its stages to Slurm.
    func submit(_ folder: RunFolder) throws -> Command? {
        guard !flags.doesAll else { throw Failure(.usage, "make -B is not for distill-slurm, whose jobs run only unfinished stages", remedy: "leave it out, or give the run another NAME") }
        // plan would wait for a running job.
        if folder.isRun, folder.isAtWork {
            throw Failure(.usage, path: folder.path, "another make is working on it", remedy: "see make status and squeue; submit a run only once")
        }
        let (preparation, work) = try write(folder) { preparation, work in try Submission.check(preparation.settings, work) }
        let settings = preparation.settings, jobs = Submission.jobs(work)
        guard !jobs.isEmpty else { return nil }
        try folder.create("log/slurm")
        let name = folder.path.lastPathPart ?? "", runs = flags.value(of: "RUNS") ?? "runs"
        return Command(
            words: ["\(environment.pipelines)/\(Submission.program)", name, runs] + jobs,
            environment: [
                "PATH": environment.path, "MAKEFLAGS": "", "SEED_PARTITION": settings[Submission.partition], "SEED_NODES": "\(settings.count(Submission.nodes) ?? 1)",
                "SEED_SITE": settings[Submission.site], "SEED_GROUPS": "\(Launch.groups(settings))",
            ])
    }
}
