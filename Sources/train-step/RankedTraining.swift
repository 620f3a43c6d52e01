import ArgumentParser
import Kernels
import Platform
import Ranks
import TensorStreams
import ToolSupport
#if SEED_MPI
import MPI
#endif

/// Joins the ranks that a launcher has started, and checks that all run the same training.
enum RankedTraining {
    /// Makes this process one of the ranks. Ends the process when a rank is lost.
    ///
    /// - Parameter timeout: seconds of silence after which a rank is lost.
    static func enter(timeout: Int) throws -> Ranks {
        #if SEED_MPI
        guard RankVariables.count != nil else {
            throw Failure(.usage, "--mpi needs a process that mpirun or srun started, and neither started this one", remedy: "mpirun -n 2 … train-step --mpi …; see docs/scale.md")
        }
        return try Ranks {
            try World(silence: Double(timeout)) { reason in
                TrainStep.log("\(reason); all ranks end, and the same command resumes from the last checkpoint")
                return Failure.Kind.io.rawValue
            }
        }
        #else
        throw Failure(.software, "--mpi without MPI")
        #endif
    }

    /// - Throws: an error where the tools were built without MPI.
    static func check() throws {
        #if !SEED_MPI
        throw ValidationError("--mpi needs MPI, which these tools were built without; apt-get install libopenmpi-dev openmpi-bin, and make build")
        #endif
    }

    /// Checks that everything that determines the result is equal on all ranks.
    ///
    /// - Parameter facts: values with their names, in the order in which differences are reported.
    static func agree(_ ranks: Ranks, _ facts: KeyValuePairs<String, String>) throws {
        let own = JSON.array(facts.map { .string($0.value) }).text
        let all = try ranks.gather(Array(own.utf8)).map { (try JSON(parsing: $0)).asArray?.map { $0.asString ?? "" } ?? [] }
        for (number, fact) in facts.enumerated() {
            guard let rank = all.indices.first(where: { number >= all[$0].count || all[$0][number] != all[0][number] }) else { continue }
            let found = number < all[rank].count ? all[rank][number] : "none"
            throw Failure(.usage, "rank \(rank) has \(fact.key) '\(found)' where rank 0 has '\(all[0][number])'", remedy: remedy(fact.key))
        }
    }

    private static func remedy(_ fact: String) -> String {
        fact == processor ? "results would depend on which rank has which part; use machines of one kind, or --allow-mixed" : "all ranks must be given the same"
    }

    static let processor = "the processor"

    /// Ends all ranks because this one failed.
    static func abort(_ ranks: Ranks, _ failure: Failure) -> Never {
        // A failure common to all ranks, such as a non-finite loss, is reported by rank 0; the others end before they
        // can report it.
        if ranks.rank > 0 { sleep(1) }
        if failure.kind != .closedPipe { TrainStep.log("rank \(ranks.rank): \(failure)") }
        ranks.abort(status: failure.kind.rawValue)
        // The launcher ends this process too.
        while true { pause() }
    }
}
