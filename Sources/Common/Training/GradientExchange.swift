import Ranks

/// Sends the gradients of the last group off in parts, from the end, as the backward pass comes to its layers.
final class GradientExchange {
    private let sum: PairwiseSum
    private let ranks: Ranks
    private let groups: Int
    /// Of each buffer: from there on all is on its way.
    private var sent: [Int]

    /// Numbers in a part: enough that what each message costs is nothing beside it, few enough that the last one, which nothing hides, is short.
    private static let part = 1 << 20

    /// - Parameters:
    ///   - counts: of each buffer of the sum.
    ///   - groups: of the whole batch.
    init(_ sum: PairwiseSum, _ ranks: Ranks, counts: [Int], groups: Int) {
        (self.sum, self.ranks, self.groups) = (sum, ranks, groups)
        sent = counts
    }

    /// Nothing is added any more to a buffer from `start` on.
    func isFinal(_ buffer: Int, from start: Int) {
        guard sent[buffer] - start >= GradientExchange.part else { return }
        send(buffer, from: start)
    }

    private func send(_ buffer: Int, from start: Int) {
        guard start < sent[buffer] else { return }
        ranks.add(sum, buffer, start..<sent[buffer], groups: groups)
        sent[buffer] = start
    }

    /// Sends what is left, and waits until the sum over all groups is there.
    func finish() throws {
        for buffer in sent.indices { send(buffer, from: 0) }
        try ranks.wait()
        sum.endLast()
    }
}
