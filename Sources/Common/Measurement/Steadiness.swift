/// Takes a turn again that fell into a time when the machine gave less than usual.
///
/// A virtual machine's processors are sometimes two halves of one for some seconds, which halves whatever is measured then and spoils a ratio
/// whose sides it hits unequally. Some milliseconds of multiply-adds on all threads right before and after each turn tell; they know
/// nothing of what is measured, so neither side gains by it.
public final class Steadiness {
    /// The least that the machine must give of the most it ever gave.
    static let share = 0.75
    private static let tries = 5

    /// Seconds of the same work each time.
    private let probe: () -> Double
    private var least: Double
    /// Turns that count, how often one was taken again, and those that count though the machine was never steady.
    public private(set) var turns = 0, again = 0, unsteady = 0

    /// - Parameter probe: how long a fixed work takes that all threads do.
    public init(probe: @escaping () -> Double) {
        self.probe = probe
        least = (0..<10).map { _ in probe() }.min() ?? .infinity
    }

    convenience init(threads: Int) { self.init { MachinePeak.secondsOfFixedWork(threads: threads) } }

    /// What `turn` measures, from a steady time if there is one in five tries.
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

    /// What a reader should know of it, in one line; nil if there is nothing.
    public var note: String? {
        guard again > 0 else { return nil }
        let percent = Int(100 * Self.share)
        return "Beside the \(turns) turns that count, \(again) were taken in vain, since the machine gave less than \(percent) % of its peak"
            + (unsteady > 0 ? "; \(unsteady) of those that count were no better" : "") + "."
    }
}
