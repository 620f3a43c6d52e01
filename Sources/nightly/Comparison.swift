import Evaluation
import History
import ToolSupport

/// A network's number tonight beside earlier nights'.
struct Comparison {
    /// Against one night: how much better, and by how much chance alone changes it.
    struct Change {
        let night: Int
        /// In percent points.
        let difference: Double
        /// Nil where only the numbers can be compared.
        let pair: PairedComparison?
        let hasFallen: Bool

        /// - Parameters:
        ///   - pair: nil where it is not known which images were right.
        ///   - comparisons: among how many nights this one was chosen.
        init(_ before: (night: Int, result: History.Result), _ now: History.Result, _ pair: PairedComparison?, comparisons: Int = 1) {
            night = before.night
            difference = now.value - before.result.value
            self.pair = pair
            if let pair {
                hasFallen = pair.hasFallen(comparisons: comparisons)
            } else {
                // Two shares of as many images, each with its own error; what is no share is noted and not judged.
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
    /// Of the last night that has a number of the same images, and of the best.
    let last: Change?, best: Change?
    /// Whether it is the same checkpoint as the last night's, judged the same.
    let isUnchanged: Bool
    /// Whether the last night was worse by more than chance than the best of those before it.
    let wasBelowBest: Bool

    /// Whether it is worse than before by more than chance.
    var isBelow: Bool { last?.hasFallen == true || best?.hasFallen == true }
    /// Whether that is tonight's news.
    ///
    /// What was below its best in the last night already has fallen once more only where it is worse than then by more than chance: a slow decline behind a fall is not told again.
    var hasFallen: Bool { !isUnchanged && (last?.hasFallen == true || best?.hasFallen == true && !wasBelowBest) }

    /// All of a night.
    static func lines(_ history: History, _ night: History.Night) throws -> [Comparison] {
        let all = try history.results()
        return try all.filter { $0.night == night.id }.map { _, now in
            let before = all.filter { $0.night < night.id && $0.result.run == now.run && $0.result.network == now.network && $0.result.test == now.test && $0.result.measure == now.measure }
            let last = before.last
            typealias Dated = (night: Int, result: History.Result)
            var read: [Int: String?] = [:]
            /// Of one of the nights, from the history once.
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
            /// Against the best of the nights before; a checkpoint that stays is one night, however many it has been judged in.
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

    /// What the last night before had and this one has not, because the run is not there any more.
    static func gone(_ history: History, _ night: History.Night, _ runs: [String]) throws -> [String] {
        let all = try history.results(), last = all.map(\.night).filter { $0 < night.id }.max()
        return Set(all.filter { $0.night == last }.map(\.result.run)).subtracting(runs).sorted()
    }
}
