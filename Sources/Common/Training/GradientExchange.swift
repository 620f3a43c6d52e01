import Ranks

/// Sends the gradients of the last group in parts, from the end, while the backward pass proceeds through the layers.
final class GradientExchange {
    private let sum: PairwiseSum
    private let ranks: Ranks
    private let groups: Int
    /// For each buffer: the position from which on everything has been sent.
    private var sent: [Int]

    /// The size of a part in numbers.
    ///
    /// It is large enough to make the cost per message negligible and small enough to keep the last part, which
    /// overlaps with no computation, short.
    private static let part = 1 << 20

    /// - Parameters:
    ///   - counts: the size of each buffer of the sum.
    ///   - groups: the number of groups of the whole batch.
    init(_ sum: PairwiseSum, _ ranks: Ranks, counts: [Int], groups: Int) {
        (self.sum, self.ranks, self.groups) = (sum, ranks, groups)
        sent = counts
    }

    /// Reports that a buffer is final from `start` on.
    func isFinal(_ buffer: Int, from start: Int) {
        guard sent[buffer] - start >= GradientExchange.part else { return }
        send(buffer, from: start)
    }

    private func send(_ buffer: Int, from start: Int) {
        guard start < sent[buffer] else { return }
        ranks.add(sum, buffer, start..<sent[buffer], groups: groups)
        sent[buffer] = start
    }

    /// Sends the remaining parts and waits for the sum over all groups.
    func finish() throws {
        for buffer in sent.indices { send(buffer, from: 0) }
        try ranks.wait()
        sum.endLast()
    }
}
