import Platform
public import TensorStreams
import ToolSupport

/// Compares this build with another one of the same tools, on one workload: pairs of turns, A B A B.
public struct BuildComparison: Sendable {
    public var workload: Workload
    /// The seconds per batch, pair by pair.
    public var ours: [Double]
    public var theirs: [Double]
    /// The peak memory of each process, in bytes.
    public var memory: (ours: Int, theirs: Int)

    public init(workload: Workload, ours: [Double], theirs: [Double], memory: (ours: Int, theirs: Int)) {
        self.workload = workload
        self.ours = ours
        self.theirs = theirs
        self.memory = memory
    }

    /// The lowest ratio that does not count as slower: two runs of one build differ by this much anyway.
    public static let tolerance = 0.98

    /// How many times faster this build was, pair by pair.
    public var ratios: [Double] { zip(theirs, ours).map { $0 / $1 } }
    public var ratio: Double { ratios.median }
    /// The 95 % confidence interval of the median ratio.
    public var interval: ClosedRange<Double> { MedianInterval.of(ratios) }
    public var isSlower: Bool { interval.upperBound < Self.tolerance }

    public var json: JSON {
        .object(workload.members.merging([
            "against": .string("another build"), "seconds_per_batch": .number(ours.median), "seconds_per_batch_other": .number(theirs.median),
            "ratio": .number(ratio), "ratio_low": .number(interval.lowerBound), "ratio_high": .number(interval.upperBound),
            "ratios": .array(ratios.map { .number($0) }), "peak_memory": .integer(Int64(memory.ours)), "peak_memory_other": .integer(Int64(memory.theirs)),
        ]))
    }
}

/// The 95 % confidence interval of a median, for any distribution.
///
/// The number of n samples below the median is binomial (n, ½). So the median lies between the kth smallest and the kth
/// largest sample, except with the probability 2·P(fewer than k). k is the largest value for which that is at most 5 %
/// (Conover, Practical Nonparametric Statistics, 3rd ed., 3.2).
public enum MedianInterval {
    /// With fewer samples there is no such interval.
    public static let fewest = 6

    /// - Precondition: at least ``fewest`` samples.
    public static func of(_ samples: [Double]) -> ClosedRange<Double> {
        precondition(samples.count >= fewest)
        let sorted = samples.sorted(), n = samples.count
        // The terms of the binomial sum, each from the one before; in logarithms, because ½ to the nth underflows for
        // large n.
        var k = 0, term = -Double(n) * log2Of2, sum = exp(term)
        while 2 * sum <= 0.05 {
            k += 1
            term += log(Double(n - k + 1) / Double(k))
            sum += exp(term)
        }
        return sorted[k - 1]...sorted[n - k]
    }

    private static let log2Of2 = log(2.0)
}

extension Bench {
    /// Measures this build and another in turn.
    ///
    /// - Parameter program: the other build's `benchmark`.
    public func compare(_ workload: Workload, against program: [String]) throws -> BuildComparison {
        tell("\(workload.title), \(workload.network): \(settings.pairs) pairs")
        let own = try turns(of: settings.program, workload, threads: settings.threads)
        let other = try turns(of: program, workload, threads: settings.threads)
        var ours: [Double] = [], theirs: [Double] = []
        for _ in 0..<settings.pairs {
            ours.append(try steadiness.steady(own.turn))
            theirs.append(try steadiness.steady(other.turn))
        }
        return BuildComparison(workload: workload, ours: ours, theirs: theirs, memory: (try own.finish(), try other.finish()))
    }
}

extension Report {
    /// A table of this build against another one, with the workloads where it is slower.
    public static func table(_ comparisons: [BuildComparison]) -> String {
        var table = TextTable([
            ["", "batch", "this build", "the other", "ratio", "95 % interval", "pairs", "memory", "the other"],
            ["", "", "images/s", "images/s", "", "", "", "", ""],
        ])
        for title in comparisons.map(\.workload.title).unique {
            table.rows.append([title])
            for c in comparisons where c.workload.title == title {
                let rate = { (seconds: Double) in Progress.short(Double(c.workload.batch) / seconds) }
                table.rows.append([
                    "  " + c.workload.network, "\(c.workload.batch)", rate(c.ours.median), rate(c.theirs.median), Progress.fixed(c.ratio, 3),
                    "\(Progress.fixed(c.interval.lowerBound, 3)) to \(Progress.fixed(c.interval.upperBound, 3))", "\(c.ratios.count)",
                    mebibytes(c.memory.ours), mebibytes(c.memory.theirs),
                ])
            }
        }
        let slower = comparisons.filter(\.isSlower).map { "\($0.workload.title), \($0.workload.network)" }
        let verdict = slower.isEmpty
            ? "No workload is slower: no interval of the median ratio lies below \(BuildComparison.tolerance)."
            : "Slower, since the interval of the median ratio lies below \(BuildComparison.tolerance): \(slower.joined(separator: "; "))."
        return table.text + "\n" + verdict + "\n"
    }
}
