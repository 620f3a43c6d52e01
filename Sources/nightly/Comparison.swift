import Evaluation
import History
import ToolSupport

/// A network's result of tonight, compared with earlier nights.
struct Comparison {
    /// A comparison with one night: the difference, and whether it exceeds chance.
    struct Change {
        let night: Int
        /// In percentage points.
        let difference: Double
        /// The paired comparison; nil if only the values can be compared.
        let pair: PairedComparison?
        let hasFallen: Bool

        /// - Parameters:
        ///   - pair: nil if it is not known which images were correct.
        ///   - comparisons: the number of nights that this one was chosen from.
        init(_ before: (night: Int, result: History.Result), _ now: History.Result, _ pair: PairedComparison?, comparisons: Int = 1) {
            night = before.night
            difference = now.value - before.result.value
            self.pair = pair
            if let pair {
                hasFallen = pair.hasFallen(comparisons: comparisons)
            } else {
                // Two independent proportions of equally many images, each with its own standard error. A measure that
                // is no proportion is recorded but not judged.
                let shares = [before.result.value, now.value].map { min(1, max(0, $0 / 100)) }
                let error = (shares.reduce(0) { $0 + $1 * (1 - $1) } / Double(max(1, now.samples))).squareRoot()
                hasFallen = now.measure == "agreement" && difference < 0 && -difference / 100 >= 2 * error
            }
        }

        var text: String {
            let sign = difference > 0 ? "+" : "", points = "\(sign)\(Progress.fixed(difference, 1))"
            guard let pair else { return points }
            return "\(points) (\(pair.won) won, \(pair.lost) lost, p \(pair.probability < 0.001 ? "< 0.001" : Progress.fixed(pair.probability, 3)))"
        }
    }

    let now: History.Result
    /// Comparisons with the last night that has a result on the same images, and with the best one.
    let last: Change?, best: Change?
    /// Whether the checkpoint and its evaluation are the same as in the last night.
    let isUnchanged: Bool
    /// Whether the last night was significantly worse than the best night before it.
    let wasBelowBest: Bool

    /// Whether the result is significantly worse than before.
    var isBelow: Bool { last?.hasFallen == true || best?.hasFallen == true }
    /// Whether the result has fallen and this is news tonight.
    ///
    /// A network that was below its best already in the last night has fallen again only if it is significantly worse
    /// than in that night. A slow decline after a fall is not reported again.
    var hasFallen: Bool { !isUnchanged && (last?.hasFallen == true || best?.hasFallen == true && !wasBelowBest) }

    /// The comparisons of all results of a night.
    static func lines(_ history: History, _ night: History.Night) throws -> [Comparison] {
        let all = try history.results()
        return try all.filter { $0.night == night.id }.map { _, now in
            let before = all.filter { $0.night < night.id && $0.result.run == now.run && $0.result.network == now.network && $0.result.test == now.test && $0.result.measure == now.measure }
            let last = before.last
            typealias Dated = (night: Int, result: History.Result)
            var read: [Int: String?] = [:]
            /// Which images were correct in a night; read from the history once.
            func right(_ dated: Dated) throws -> String? {
                if let known = read[dated.night] { return known }
                let bits = try history.correct(dated.result, night: dated.night)
                read[dated.night] = .some(bits)
                return bits
            }
            func change(_ old: Dated, _ new: Dated, comparisons: Int) throws -> Change {
                let pair = try right(old).flatMap { before in try right(new).flatMap { PairedComparison(before, $0, samples: new.result.samples) } }
                return Change(old, new.result, pair, comparisons: comparisons)
            }
            /// Compares with the best of the nights before. A checkpoint that is evaluated in several nights counts
            /// once.
            func change(_ new: Dated, fromBestOf before: [Dated]) throws -> Change? {
                let best = before.max { ($0.result.value, $0.night) < ($1.result.value, $1.night) }
                return try best.map { try change($0, new, comparisons: Set(before.map(\.result.identity)).count) }
            }
            let tonight = (night: night.id, result: now)
            return Comparison(
                now: now, last: try last.map { try change($0, tonight, comparisons: 1) }, best: try change(tonight, fromBestOf: before), isUnchanged: last?.result.identity == now.identity,
                wasBelowBest: try last.flatMap { try change($0, fromBestOf: before.dropLast()) }?.hasFallen ?? false)
        }
    }

    /// The runs that the previous night has results of and that no longer exist.
    static func gone(_ history: History, _ night: History.Night, _ runs: [String]) throws -> [String] {
        let all = try history.results(), last = all.map(\.night).filter { $0 < night.id }.max()
        return Set(all.filter { $0.night == last }.map(\.result.run)).subtracting(runs).sorted()
    }
}
