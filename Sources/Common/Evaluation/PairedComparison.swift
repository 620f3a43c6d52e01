import Platform

/// Two evaluations of the same samples, compared sample by sample.
///
/// What both have right, or both wrong, says nothing of which is better: of the b samples that only the first has right and the c that only the second has, each would be
/// as likely as the other if both were as good (McNemar, Psychometrika 1947).
public struct PairedComparison: Sendable, Equatable {
    public let samples: Int
    /// Samples that only the earlier, and only the later, has right.
    public let lost, won: Int

    /// - Parameters:
    ///   - before: right or wrong of each sample, as ``ClassReport/correctBits`` has it.
    ///   - after: likewise.
    /// - Returns: nil where they are not of as many samples, or are no such text.
    public init?(_ before: String, _ after: String, samples: Int) {
        guard before.utf8.count == after.utf8.count, before.utf8.count == (samples + 3) / 4, samples > 0 else { return nil }
        var (lost, won) = (0, 0)
        for (place, (a, b)) in zip(before, after).enumerated() {
            guard let a = a.hexDigitValue, let b = b.hexDigitValue else { return nil }
            // The last digit may stand for fewer than four.
            let own = 15 << max(0, 4 * (place + 1) - samples) & 15
            lost += (a & ~b & own).nonzeroBitCount
            won += (b & ~a & own).nonzeroBitCount
        }
        (self.samples, self.lost, self.won) = (samples, lost, won)
    }

    /// The later's accuracy less the earlier's.
    public var difference: Double { Double(won - lost) / Double(samples) }

    /// How likely a difference as large is by chance alone: both tails of the binomial distribution of `won` in `won + lost` with ½, exact.
    public var probability: Double {
        let n = won + lost
        guard n > 0 else { return 1 }
        var tail = 0.0
        for i in 0...min(won, lost) { tail += exp(lgamma(Double(n + 1)) - lgamma(Double(i + 1)) - lgamma(Double(n - i + 1)) - Double(n) * log(2)) }
        return min(1, 2 * tail)
    }

    /// The ``probability`` of two standard errors of a normal distribution.
    public static let level = 0.0455

    /// Whether it is worse by more than chance.
    ///
    /// - Parameter comparisons: among how many earlier evaluations this one was chosen to be compared with, each of which may be good by chance (Bonferroni).
    public func hasFallen(comparisons: Int = 1) -> Bool { lost > won && probability < Self.level / Double(max(1, comparisons)) }
}
