import ArgumentParser
import TensorStreams
import ToolSupport

/// The part of each batch for one rank: "2/4", or "auto" to use the launcher's variables.
enum SliceOption: ExpressibleByArgument {
    case auto
    case part(rank: Int, of: Int)

    init?(argument: String) {
        if argument == "auto" {
            self = .auto
            return
        }
        guard let part = PartNumber(argument) else { return nil }
        self = .part(rank: part.number - 1, of: part.count)
    }

    /// - Parameters:
    ///   - groups: the number of groups of a batch; nil for one per rank.
    /// - Throws: a ``Failure`` of kind `usage` where no launcher has started the tool, or a rank would get nothing.
    func slice(groups: Int?, batch: Int) throws -> BatchSlice {
        let rank: Int, ranks: Int
        switch self {
        case .part(let number, let count): (rank, ranks) = (number, count)
        case .auto:
            guard let number = RankVariables.rank, let count = RankVariables.count else {
                throw Failure(.usage, "--slice auto reads the variables of mpirun or srun, and neither has started this process", remedy: "name the part, such as --slice 1/2")
            }
            (rank, ranks) = (number, count)
        }
        let groups = groups ?? ranks
        guard ranks <= groups else {
            throw Failure(.usage, "\(ranks) ranks are more than the \(groups) group\(groups == 1 ? "" : "s") of a batch (--slice-groups)", remedy: "start \(groups) ranks, or cut batches into more groups")
        }
        guard batch >= 2 * groups else {
            throw Failure(.usage, "batches of \(batch) images are too small for \(groups) groups of at least two", remedy: "use fewer groups, or --batch \(2 * groups)")
        }
        return BatchSlice(rank: rank, of: ranks, groups: groups)
    }
}
