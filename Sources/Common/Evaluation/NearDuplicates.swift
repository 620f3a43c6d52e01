import TensorStreams

/// Test samples that a training sample is much nearer to than is usual: most likely an image that was coded, scaled or lit anew.
///
/// The distance is 1 − cosine. A sample counts where its nearest training sample is within ``ofUsual`` of what is usual, the median over the test set of the distance of the second nearest, and within ``ofOwn``
/// of the distance of its own last neighbour among ``neighbours``. Both are ratios, so that the rule holds for features of any spread, of untrained networks too: of five sets of photographs and drawn images and four
/// networks it names no image that is not one of another, and nearly all that were coded at quality 60 or scaled to three quarters.
struct NearDuplicates {
    static let ofUsual = 1.0 / 20, ofOwn = 1.0 / 4
    /// How many neighbours of a sample say what is usual near it: copies of one image are fewer.
    private static let neighbours = 10
    /// Pairs that a result names.
    private static let mostNamed = 100

    /// Samples, test and training, and their cosine; the nearest pairs first.
    let pairs: [(test: Int, train: Int, similarity: Float)]
    private let samples: Int

    /// - Returns: nil where there are too few neighbours to tell.
    init?(_ found: Neighbours) {
        samples = found.queries
        guard found.k > 2, samples > 0 else { return nil }
        func distance(_ neighbour: Neighbour) -> Double { max(0, 1 - Double(neighbour.similarity)) }
        let usual = (0..<samples).map { distance(found[$0][found[$0].startIndex + 1]) }.sorted()[samples / 2]
        pairs = (0..<samples).compactMap { query in
            let own = found[query].prefix(Self.neighbours)
            guard let nearest = own.first, let last = own.last, distance(nearest) <= Self.ofUsual * usual, distance(nearest) <= Self.ofOwn * distance(last) else { return nil }
            return (query, Int(nearest.index), nearest.similarity)
        }.sorted { ($1.similarity, $0.test) < ($0.similarity, $1.test) }
    }

    /// What a person should know beside the `twins` that are the same to the number; nothing where there are no more than these.
    func remark(twins: Int) -> String? {
        pairs.count <= twins ? nil
            : "\(pairs.count) of the \(samples) test samples are nearly the same as a training sample, \(Int(1 / Self.ofUsual)) times nearer than is usual: perhaps the same image, coded or scaled anew; "
                + "look at them with evaluate neighbours, and take them out of one of the two"
    }

    /// The nearest pairs, each with what the streams' `index` says of its samples.
    func json(test: [Int], train: [Int]) -> JSON {
        .array(pairs.prefix(Self.mostNamed).map {
            ["test": .integer(Int64(test[$0.test])), "train": .integer(Int64(train[$0.train])), "cosine": .number(Double($0.similarity))]
        })
    }
}
