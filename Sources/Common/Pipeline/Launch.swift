import Platform
import ToolSupport

/// The value of LAUNCH: the launcher that starts training epochs on several ranks, such as `mpirun -n 4 --hostfile
/// hosts` or `srun --mpi=pmix`.
///
/// Each rank runs the whole pipeline of an epoch on its part of every batch. The hosts and the number of ranks change
/// no byte of the result, so a run does not remember them.
struct Launch {
    static let setting = "LAUNCH", groups = "BATCH_GROUPS"
    /// The environment variable of make with the words of the launcher, one per line.
    static let variable = "SEED_LAUNCH"

    /// The words of the launcher, including the options it needs.
    let words: [String]

    /// Nil if no launcher is given.
    ///
    /// - Parameter isRoot: whether the launcher will run as root.
    /// - Throws: ``Failure`` `usage` for words that cannot work.
    init?(_ settings: RunSettings, isRoot: Bool = geteuid() == 0) throws {
        var words = settings.words(Launch.setting)
        guard let program = words.first else { return nil }
        try Launch.checkStatistics(settings)
        guard settings["TAP"].isEmpty else { throw Failure(.usage, "TAP keeps records of one pipeline, and LAUNCH starts several", remedy: "leave out one of them") }
        let name = program.lastPathPart ?? program
        guard name != "env" else { throw Failure(.usage, path: Launch.setting, "env hides the name of the launcher", remedy: "set variables before make: A=1 make distill …") }
        // Debian's launchers have the implementation in their names: mpirun.openmpi.
        if ["mpirun", "mpiexec", "orterun"].contains(where: name.hasPrefix) {
            if isRoot, !words.contains("--allow-run-as-root") {
                throw Failure(.usage, path: Launch.setting, "\(program) refuses to run as root", remedy: "add --allow-run-as-root, or run as another user")
            }
            // The threads of a rank must not be bound to one processor.
            let binds = words.contains { word in ["-bind-to", "--bind-to"].contains(word) || word.hasPrefix("--bind-to=") || word.contains(":PE=") || word.contains(":pe=") }
            if !binds { words.insert(contentsOf: ["--bind-to", "none"], at: 1) }
        }
        self.words = words
    }

    /// The number of groups of a batch.
    static func groups(_ settings: RunSettings) -> Int { settings.count(groups) ?? 1 }

    /// The options of train-step for several groups.
    static func options(_ settings: RunSettings) -> [String] { groups(settings) > 1 ? ["--batch-groups", "\(groups(settings))"] : [] }

    /// - Throws: ``Failure`` `usage` if each rank would normalise the teacher by its part of a batch only.
    static func checkStatistics(_ settings: RunSettings, _ name: String = Launch.setting) throws {
        guard settings.takesBatchStatistics, settings.store == nil else { return }
        throw Failure(.usage, "\(RunSettings.statistics)=batch needs whole batches, but with \(name) each rank has only a part", remedy: "leave out one of them, or give \(Store.setting), whose embeddings one process makes")
    }

    /// The rank options of train-step. They do not change the results of ranks on the same kind of processor.
    static func rankOptions(_ settings: RunSettings) -> [String] {
        (settings.count("RANK_TIMEOUT").map { ["--rank-timeout", "\($0)"] } ?? []) + (settings["ALLOW_MIXED"].isEmpty ? [] : ["--allow-mixed"])
    }

    /// - Throws: ``Failure`` `usage` if batches are too small for the groups, or the groups are specified twice.
    static func check(_ settings: RunSettings) throws {
        let groups = groups(settings)
        guard groups > 1 || !settings[setting].isEmpty else { return }
        for (batch, options) in [("BATCH", "STUDENT_OPTIONS")] + (settings.trainsTeacher ? [("TEACHER_BATCH", "TEACHER_OPTIONS")] : []) {
            guard ShellWords.value(of: "--batch-groups", in: settings.words(options)) == nil else {
                throw Failure(.usage, path: options, "--batch-groups is set by \(Launch.groups)", remedy: "give \(Launch.groups)=n instead")
            }
            guard settings.number(batch) >= 2 * groups else {
                throw Failure(.usage, "\(batch)=\(settings[batch]) leaves fewer than two images for each of \(Launch.groups)=\(groups) groups", remedy: "use \(Launch.groups)=\(max(1, settings.number(batch) / 16))")
            }
        }
    }

    /// A rank, as reported by itself.
    struct Rank: Equatable {
        let number: Int
        let count: Int
        let host: String
        let processors: Int
        let version: String

        /// Parses a line that ``Launch/script`` prints; nil for any other line.
        init?(_ line: String) {
            let words = line.split(separator: " ").map(String.init)
            guard words.count >= 6, words[0] == "seed-rank", let number = Int(words[1]), let count = Int(words[2]), let processors = Int(words[4]) else { return nil }
            (self.number, self.count, host, self.processors, version) = (number, count, words[3], processors, words[5...].joined(separator: " "))
        }
    }

    private static let patience = 60
    private static let script = """
        printf 'seed-rank %s %s %s %s %s\\n' "${OMPI_COMM_WORLD_RANK:-${PMI_RANK:-${SLURM_PROCID:--}}}" \
        "${OMPI_COMM_WORLD_SIZE:-${PMI_SIZE:-${SLURM_STEP_NUM_TASKS:--}}}" "$(hostname)" "$(nproc)" "$("$0/train-step" --version 2>&1 | tail -n 1)"
        """

    /// Starts the launcher once to check that all ranks answer and have the same tools.
    ///
    /// - Returns: remarks for the user.
    /// - Throws: ``Failure`` `usage` if it does not work.
    func trial(_ environment: StageEnvironment, groups: Int) throws -> [String] {
        let trial = ["/usr/bin/env", "timeout", "-k", "5", "\(Launch.patience)"] + words + ["bash", "-c", Launch.script, environment.tools]
        let (status, lines) = try ChildProcess.lines(trial)
        let ranks = lines.compactMap(Rank.init)
        func failure(_ what: String, _ remedy: String? = nil) -> Failure { Failure(.usage, path: Launch.setting, what, remedy: remedy) }
        guard status == 0 else {
            let said = lines.filter { line in Rank(line) == nil && line.contains { $0.isLetter } }.prefix(4).map { $0.split(separator: " ").joined(separator: " ") }.joined(separator: " ")
            guard ![124, 137].contains(status >> 8) else {
                throw failure("\(words[0]) did not finish within \(Launch.patience) s: only \(ranks.count) rank\(ranks.count == 1 ? "" : "s") answered", "check that each of its hosts is up and can be reached")
            }
            throw failure("\(words[0]) \(WaitStatus.words(status))\(said.isEmpty ? "" : ": \(said)")")
        }
        guard let first = ranks.first, ranks.map(\.number).sorted() == Array(0..<first.count), ranks.allSatisfy({ $0.count == first.count }) else {
            throw failure("\(words[0]) starts no processes that the variables of Open MPI, PMI or Slurm number as ranks", "give a launcher such as LAUNCH='mpirun -n 2' or LAUNCH='srun --mpi=pmix'")
        }
        guard first.count <= groups else {
            throw failure("it starts \(first.count) ranks, and a batch has \(groups) group\(groups == 1 ? "" : "s")", "\(Launch.groups)=\(first.count), or a multiple of it")
        }
        if let other = ranks.first(where: { $0.version != first.version }) {
            throw failure("train-step is '\(other.version)' on \(other.host) but '\(first.version)' on \(first.host)", "all hosts need the same tools in \(environment.tools)")
        }
        let hosts = Dictionary(grouping: ranks, by: \.host)
        return hosts.keys.sorted().compactMap { host in
            guard let own = hosts[host], let processors = own.first?.processors, own.count > processors else { return nil }
            return "\(Launch.setting): \(own.count) ranks on \(host) share its \(processors) processor\(processors == 1 ? "" : "s"), which is slower than one rank per processor"
        }
    }
}
