import ArgumentParser
import Datasets
import ToolSupport

/// The part of an epoch for one of several processes: "2/4", or "auto" to use the variables of a Slurm array, or else
/// those of the launcher.
enum ShardOption: ExpressibleByArgument {
    case auto
    case part(Shard)

    init?(argument: String) {
        if argument == "auto" {
            self = .auto
            return
        }
        guard let shard = Shard(argument) else { return nil }
        self = .part(shard)
    }

    var defaultValueDescription: String {
        switch self {
        case .auto: "auto"
        case .part(let shard): shard.defaultValueDescription
        }
    }

    /// - Throws: a ``Failure`` of kind `usage` where the part is unknown.
    func shard() throws -> Shard {
        switch self {
        case .part(let shard): return shard
        case .auto:
            if let (number, count) = try RankVariables.task { return Shard(number + 1, of: count) }
            guard let rank = RankVariables.rank, let count = RankVariables.count else {
                throw Failure(.usage, "--shard auto reads the variables of a Slurm array, of mpirun or of srun, and none of them has started this process", remedy: "name the part, such as --shard 1/2")
            }
            return Shard(rank + 1, of: count)
        }
    }
}
