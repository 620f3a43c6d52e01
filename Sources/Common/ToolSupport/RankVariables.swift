import Platform

/// What a launcher tells a process of the ranks that it has started, by the variables of Open MPI, of PMI (MPICH, Intel MPI) and of Slurm's `srun`.
public enum RankVariables {
    /// This process among all, from 0; nil where no launcher has started it.
    public static var rank: Int? { place?.rank }
    public static var count: Int? { place?.count }

    /// Ranks on this machine, which share its processors; 1 where that is not told.
    public static var localCount: Int { number("OMPI_COMM_WORLD_LOCAL_SIZE") ?? number("MPI_LOCALNRANKS") ?? ofSlurm ?? 1 }

    /// Tasks of a step on this of its machines: `2(x3),1` are two on each of three, one on the last.
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
        // A batch script of Slurm has the first of its two, too; the second only what srun has started.
        for (rank, count) in [("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"), ("PMI_RANK", "PMI_SIZE"), ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS")] {
            if let rank = number(rank), let count = number(count), rank < count { return (rank, count) }
        }
        return nil
    }

    /// This task among those of an array of Slurm's, from 0; nil where it is none.
    ///
    /// - Throws: ``Failure`` `usage` for an array of some numbers alone, such as `--array=1,5`, whose tasks do not know their place.
    public static var task: (number: Int, count: Int)? {
        get throws {
            guard let id = number("SLURM_ARRAY_TASK_ID"), let count = number("SLURM_ARRAY_TASK_COUNT"), let first = number("SLURM_ARRAY_TASK_MIN"), let last = number("SLURM_ARRAY_TASK_MAX") else { return nil }
            let step = max(1, number("SLURM_ARRAY_TASK_STEP") ?? 1), place = (id - first) / step
            guard (last - first) / step + 1 == count, 0..<count ~= place else {
                throw Failure(.usage, "the array's tasks are some of \(first) to \(last) alone", remedy: "number them one after the other, or say which part, as --shard $SLURM_ARRAY_TASK_ID/\(last)")
            }
            return (place, count)
        }
    }

    private static func number(_ name: String) -> Int? {
        guard let text = unsafe getenv(name), let value = Int(unsafe String(cString: text)), 0...1 << 20 ~= value else { return nil }
        return value
    }
}
