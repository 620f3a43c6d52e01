import Platform

/// The environment variables with which launchers describe the ranks that they started: those of Open MPI, of PMI
/// (MPICH, Intel MPI) and of Slurm's `srun`.
public enum RankVariables {
    /// The rank of this process, from 0; nil without a launcher.
    public static var rank: Int? { place?.rank }
    public static var count: Int? { place?.count }

    /// The number of ranks on this machine, which share its processors; 1 where it is unknown.
    public static var localCount: Int { number("OMPI_COMM_WORLD_LOCAL_SIZE") ?? number("MPI_LOCALNRANKS") ?? ofSlurm ?? 1 }

    /// The number of tasks of the step on this machine: `2(x3),1` means two on each of three machines, one on the last.
    private static var ofSlurm: Int? {
        guard let text = unsafe getenv("SLURM_STEP_TASKS_PER_NODE").map({ unsafe String(cString: $0) }), var node = number("SLURM_NODEID") else { return nil }
        for part in text.split(separator: ",") {
            let words = part.split(separator: "("), machines = words.count > 1 ? Int(words[1].dropFirst().dropLast()) : 1
            guard let tasks = words.first.flatMap({ Int($0) }), 1...1 << 20 ~= tasks, let machines, 1...1 << 20 ~= machines else { return nil }
            if node < machines { return tasks }
            node -= machines
        }
        return nil
    }

    private static var place: (rank: Int, count: Int)? {
        // A Slurm batch script also has the first variable of the Slurm pair; only processes started by srun have the
        // second.
        for (rank, count) in [("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"), ("PMI_RANK", "PMI_SIZE"), ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS")] {
            if let rank = number(rank), let count = number(count), rank < count { return (rank, count) }
        }
        return nil
    }

    /// The position of this task in a Slurm job array, from 0; nil outside an array.
    ///
    /// - Throws: a ``Failure`` of kind `usage` for an array with gaps, such as `--array=1,5`, whose tasks do not know
    ///   their position.
    public static var task: (number: Int, count: Int)? {
        get throws {
            guard let id = number("SLURM_ARRAY_TASK_ID"), let count = number("SLURM_ARRAY_TASK_COUNT"), let first = number("SLURM_ARRAY_TASK_MIN"), let last = number("SLURM_ARRAY_TASK_MAX") else { return nil }
            let step = max(1, number("SLURM_ARRAY_TASK_STEP") ?? 1), place = (id - first) / step
            guard (last - first) / step + 1 == count, 0..<count ~= place else {
                throw Failure(.usage, "the array has only some of the tasks \(first) to \(last)", remedy: "number them consecutively, or name the part, such as --shard $SLURM_ARRAY_TASK_ID/\(last)")
            }
            return (place, count)
        }
    }

    private static func number(_ name: String) -> Int? {
        guard let text = unsafe getenv(name), let value = Int(unsafe String(cString: text)), 0...1 << 20 ~= value else { return nil }
        return value
    }
}
