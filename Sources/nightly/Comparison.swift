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

        init(_ before: (night: Int, result: History.Result), _ now: History.Result) {
            night = before.night
            difference = now.value - before.result.value
            pair = before.result.correct.flatMap { old in now.correct.flatMap { PairedComparison(old, $0, samples: now.samples) } }
            if let pair {
                hasFallen = pair.hasFallen
            } else {
                // Two shares of as many images, each with its own error.
                let shares = [before.result.value, now.value].map { min(1, max(0, $0 / 100)) }
                let error = (shares.reduce(0) { $0 + $1 * (1 - $1) } / Double(max(1, now.samples))).squareRoot()
                hasFallen = -difference / 100 >= 2 * error && difference < 0
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

    var hasFallen: Bool { !isUnchanged && (last?.hasFallen == true || best?.hasFallen == true) }

    /// All of a night.
    static func lines(_ history: History, _ night: History.Night) throws -> [Comparison] {
        let all = try history.results()
        return all.filter { $0.night == night.id }.map { _, now in
            let before = all.filter { $0.night < night.id && $0.result.run == now.run && $0.result.network == now.network && $0.result.test == now.test && $0.result.measure == now.measure }
            let last = before.last, best = before.max { ($0.result.value, $0.night) < ($1.result.value, $1.night) }
            return Comparison(now: now, last: last.map { Change($0, now) }, best: best.map { Change($0, now) }, isUnchanged: last?.result.identity == now.identity)
        }
    }

    /// What the last night before had and this one has not, because the run is not there any more.
    static func gone(_ history: History, _ night: History.Night, _ runs: [String]) throws -> [String] {
        let all = try history.results(), last = all.map(\.night).filter { $0 < night.id }.max()
        return Set(all.filter { $0.night == last }.map(\.result.run)).subtracting(runs).sorted()
    }
}
