import Platform

/// What a launcher tells a process of the ranks that it has started, by the variables of Open MPI, of PMI (MPICH, Intel MPI) and of Slurm's `srun`.
public enum RankVariables {
    /// This process among all, from 0; nil where no launcher has started it.
    public static var rank: Int? { place?.rank }
    public static var count: Int? { place?.count }

    /// Ranks on this machine, which share its processors; 1 where that is not told.
    public static var localCount: Int { number("OMPI_COMM_WORLD_LOCAL_SIZE") ?? number("MPI_LOCALNRANKS") ?? 1 }

    private static var place: (rank: Int, count: Int)? {
        // A batch script of Slurm has the first of its two, too; the second only what srun has started.
        for (rank, count) in [("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"), ("PMI_RANK", "PMI_SIZE"), ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS")] {
            if let rank = number(rank), let count = number(count), rank < count { return (rank, count) }
        }
        return nil
    }

    private static func number(_ name: String) -> Int? {
        guard let text = unsafe getenv(name), let value = Int(unsafe String(cString: text)), 0...1 << 20 ~= value else { return nil }
        return value
    }
}
