import Parallel
import Platform

/// How the neighbours of a sample vote on its class.
public enum NeighbourVote: Sendable, Equatable {
    /// Each neighbour has one vote (SEED, SimReg, CompRess).
    case majority
    /// A neighbour's vote is exp(cosine / temperature) (Wu et al. 2018, DINO).
    case weighted(temperature: Double)

    public var name: String {
        switch self {
        case .majority: "majority"
        case .weighted(let temperature): "exp(cos/\(temperature))"
        }
    }
}

/// The accuracy of one vote among k neighbours.
public struct VoteResult: Sendable, Equatable {
    public var k: Int
    public var vote: NeighbourVote
    public var accuracy: Accuracy
}

extension Neighbours {
    /// Counts every vote for every k, from one list of neighbours.
    ///
    /// Classes are ranked by their votes; of two with equal votes the one with the nearer nearest neighbour ranks
    /// first. A class without a neighbour among the k is not ranked, so it never counts among the first five.
    ///
    /// - Parameters:
    ///   - counts: the values of k, none above ``k``.
    ///   - trainLabels: the class of every training sample, in 0..<classes.
    ///   - labels: the class of every query, in 0..<classes.
    /// - Returns: for every k all votes, in the order given.
    public func accuracies(
        k counts: [Int], votes: [NeighbourVote], trainLabels: [Int32], labels: [Int32], classes: Int
    ) -> [VoteResult] {
        precondition(counts.allSatisfy { (1...max(1, k)).contains($0) } && trainLabels.count == trainingSamples && labels.count == queries)
        let pieces = (queries + 255) / 256
        let combinations = counts.count * votes.count
        var partial = [Accuracy](repeating: Accuracy(), count: pieces * combinations)
        partial.withUnsafeMutableBufferPointer { partial in
            nonisolated(unsafe) let partial = partial
            Parallel.forEach(pieces) { piece, _ in
                var ballot = Ballot(classes: classes, votes: votes)
                for query in piece * 256..<min(queries, piece * 256 + 256) {
                    ballot.count(self[query], of: trainLabels, upTo: counts) { number, vote, rank in
                        partial[piece * combinations + number * votes.count + vote].count(rank: rank(labels[query]))
                    }
                }
            }
        }
        var results: [VoteResult] = []
        for (number, k) in counts.enumerated() {
            for (vote, kind) in votes.enumerated() {
                let accuracy = (0..<pieces).reduce(Accuracy()) { $0 + partial[$1 * combinations + number * votes.count + vote] }
                results.append(VoteResult(k: k, vote: kind, accuracy: accuracy))
            }
        }
        return results
    }
}

extension Neighbours {
    /// The predicted class of each query by its k nearest neighbours: the class that ranks first.
    ///
    /// - Parameters: as for ``accuracies(k:votes:trainLabels:labels:classes:)``.
    public func predictions(k: Int, vote: NeighbourVote, trainLabels: [Int32], classes: Int) -> [Int32] {
        precondition((1...max(1, self.k)).contains(k) && trainLabels.count == trainingSamples)
        let pieces = (queries + 255) / 256
        var predictions = [Int32](repeating: 0, count: queries)
        predictions.withUnsafeMutableBufferPointer { predictions in
            nonisolated(unsafe) let predictions = predictions
            Parallel.forEach(pieces) { piece, _ in
                var ballot = Ballot(classes: classes, votes: [vote])
                for query in piece * 256..<min(queries, piece * 256 + 256) {
                    ballot.count(self[query], of: trainLabels, upTo: [k]) { _, _, _ in }
                    predictions[query] = ballot.winner(0)
                }
            }
        }
        return predictions
    }
}

/// The votes of one sample's neighbours, for several kinds of vote at once.
private struct Ballot {
    private let votes: [NeighbourVote]
    /// Votes for a class, by kind and class.
    private var sums: [[Double]]
    /// Classes that have a vote, in the order of their nearest neighbour.
    private var present: [Int32] = []
    private var isPresent: [Bool]

    init(classes: Int, votes: [NeighbourVote]) {
        self.votes = votes
        sums = votes.map { _ in [Double](repeating: 0, count: classes) }
        isPresent = [Bool](repeating: false, count: classes)
    }

    /// Counts the neighbours from the nearest on, and reports at every k.
    ///
    /// - Parameter body: called with the index of the k, the index of the vote, and a function that returns a class's
    ///   rank.
    mutating func count(
        _ neighbours: ArraySlice<Neighbour>, of labels: [Int32], upTo counts: [Int],
        _ body: (Int, Int, (Int32) -> Int?) -> Void
    ) {
        for label in present {
            isPresent[Int(label)] = false
            for vote in votes.indices { sums[vote][Int(label)] = 0 }
        }
        present.removeAll(keepingCapacity: true)
        let nearest = Double(neighbours.first?.similarity ?? 0)
        let order = counts.indices.sorted { counts[$0] < counts[$1] }
        var taken = 0
        for number in order {
            for neighbour in neighbours.dropFirst(taken).prefix(counts[number] - taken) {
                let label = labels[Int(neighbour.index)]
                if !isPresent[Int(label)] {
                    isPresent[Int(label)] = true
                    present.append(label)
                }
                for (vote, kind) in votes.enumerated() {
                    switch kind {
                    case .majority: sums[vote][Int(label)] += 1
                    // Relative to the nearest, so that a low temperature does not overflow.
                    case .weighted(let temperature): sums[vote][Int(label)] += exp((Double(neighbour.similarity) - nearest) / temperature)
                    }
                }
            }
            taken = counts[number]
            for vote in votes.indices { body(number, vote) { rank(of: $0, vote) } }
        }
    }

    /// The class with the most votes; of equals the one with the nearer nearest neighbour.
    func winner(_ vote: Int) -> Int32 {
        present.dropFirst().reduce(present.first ?? 0) { sums[vote][Int($1)] > sums[vote][Int($0)] ? $1 : $0 }
    }

    private func rank(of label: Int32, _ vote: Int) -> Int? {
        guard isPresent[Int(label)] else { return nil }
        let own = sums[vote][Int(label)]
        var rank = 0
        var before = true
        for other in present {
            if other == label {
                before = false
            } else if sums[vote][Int(other)] > own || (before && sums[vote][Int(other)] == own) {
                rank += 1
            }
        }
        return rank
    }
}
