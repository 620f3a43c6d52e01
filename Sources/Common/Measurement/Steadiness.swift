/// Repeats a turn that was measured while the machine was slower than usual.
///
/// The processors of a virtual machine are sometimes two halves of one for some seconds. That halves any result and
/// distorts a ratio whose sides are affected unequally. To detect it, all threads run some milliseconds of
/// multiply-adds right before and after each turn. This probe is independent of the workload, so neither side gains by
/// it.
public final class Steadiness {
    /// The lowest acceptable speed of the machine, relative to the highest so far.
    static let share = 0.75
    private static let tries = 5

    /// Returns the seconds for the same work each time.
    private let probe: () -> Double
    private var least: Double
    /// The number of turns that count, of repetitions, and of turns that count although the machine was never steady.
    public private(set) var turns = 0, again = 0, unsteady = 0

    /// - Parameter probe: returns the seconds for a fixed amount of work on all threads.
    public init(probe: @escaping () -> Double) {
        self.probe = probe
        least = (0..<10).map { _ in probe() }.min() ?? .infinity
    }

    convenience init(threads: Int) { self.init { MachinePeak.secondsOfFixedWork(threads: threads) } }

    /// The result of `turn` from a steady period, if there is one in five tries.
    public func steady(_ turn: () throws -> Double) rethrows -> Double {
        turns += 1
        var isBefore = isSteady()
        var seconds = try turn()
        for attempt in 1... {
            let isAfter = isSteady()
            if isBefore && isAfter { break }
            if attempt == Self.tries {
                unsteady += 1
                break
            }
            again += 1
            isBefore = isAfter
            seconds = try turn()
        }
        return seconds
    }

    private func isSteady() -> Bool {
        let seconds = min(probe(), probe(), probe())
        least = min(least, seconds)
        return seconds * Self.share <= least
    }

    /// A remark for the reader, on one line; nil if there is none.
    public var note: String? {
        guard again > 0 else { return nil }
        let percent = Int(100 * Self.share)
        return "Besides the \(turns) turns that count, \(again) were discarded, since the machine gave less than \(percent) % of its peak"
            + (unsteady > 0 ? "; \(unsteady) of those that count were no better" : "") + "."
    }
}
