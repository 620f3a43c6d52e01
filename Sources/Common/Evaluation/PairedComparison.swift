import Platform

/// Compares two evaluations of the same samples, sample by sample.
///
/// Samples that both classify correctly, or both wrongly, do not show which is better. Let only the first be correct on
/// b samples, and only the second on c. If both were equally good, each of these samples would belong to either group
/// with the same probability (McNemar, Psychometrika 1947).
public struct PairedComparison: Sendable, Equatable {
    public let samples: Int
    /// The number of samples that only the earlier, and only the later, evaluation has correct.
    public let lost, won: Int

    /// - Parameters:
    ///   - before: the correctness of each sample, in the format of ``ClassReport/correctBits``.
    ///   - after: likewise.
    /// - Returns: nil where the lengths do not match `samples`, or a text is not hexadecimal.
    public init?(_ before: String, _ after: String, samples: Int) {
        guard before.utf8.count == after.utf8.count, before.utf8.count == (samples + 3) / 4, samples > 0 else { return nil }
        var (lost, won) = (0, 0)
        for (place, (a, b)) in zip(before, after).enumerated() {
            guard let a = a.hexDigitValue, let b = b.hexDigitValue else { return nil }
            // The last digit may hold fewer than four samples.
            let own = 15 << max(0, 4 * (place + 1) - samples) & 15
            lost += (a & ~b & own).nonzeroBitCount
            won += (b & ~a & own).nonzeroBitCount
        }
        (self.samples, self.lost, self.won) = (samples, lost, won)
    }

    /// The later accuracy minus the earlier one.
    public var difference: Double { Double(won - lost) / Double(samples) }

    /// The probability of a difference at least as large by chance alone: both tails of the binomial distribution of
    /// `won` in `won + lost` with ½, exact.
    public var probability: Double {
        let n = won + lost
        guard n > 0 else { return 1 }
        var tail = 0.0
        for i in 0...min(won, lost) { tail += exp(lgamma(Double(n + 1)) - lgamma(Double(i + 1)) - lgamma(Double(n - i + 1)) - Double(n) * log(2)) }
        return min(1, 2 * tail)
    }

    /// The ``probability`` that corresponds to two standard errors of a normal distribution.
    public static let level = 0.0455

    /// Whether the later evaluation is worse by more than chance.
    ///
    /// - Parameter comparisons: the number of earlier evaluations among which the one compared here was selected, each
    ///   of which may be good by chance (Bonferroni).
    public func hasFallen(comparisons: Int = 1) -> Bool { lost > won && probability < Self.level / Double(max(1, comparisons)) }
}
