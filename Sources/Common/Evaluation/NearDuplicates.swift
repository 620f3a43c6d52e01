import TensorStreams

/// Test samples that a training sample is much nearer to than is usual: most likely an image that was coded, scaled or lit anew.
///
/// The distance is 1 − cosine. A sample counts where its nearest training image is within ``ofUsual`` of what is usual, the median over the test set of the distance of the second nearest image, and within
/// ``ofOwn`` of the distance of the farthest of its own first ``neighbours``. Both are ratios, so that the rule holds for features of any spread, of untrained networks too: of five sets of photographs and drawn images and
/// four networks it names no image that is not one of another, and four fifths of those that were coded at quality 60 or scaled to three quarters.
struct NearDuplicates {
    static let timesNearer = 20.0
    static let ofUsual = 1 / timesNearer, ofOwn = 1.0 / 4
    /// How many neighbours of a sample, as far as there are so many, say what is usual near it: copies of one image are fewer.
    static let neighbours = 10
    /// Below, distances are the rounding of cosines.
    private static let rounding = 1e-5
    /// Pairs that a result names.
    private static let mostNamed = 100

    /// Images, test and training, by the streams' `index`, and their cosine; the nearest pairs first.
    let pairs: [(test: Int, train: Int, similarity: Float)]
    private let samples: Int

    /// - Parameters:
    ///   - found: the neighbours of the test samples.
    ///   - test: the image of each test sample; `train`: of each training sample. Several views of a training image are one neighbour.
    /// - Returns: nil where it cannot be told: of fewer than three neighbours, and where images are hardly farther from each other than rounding.
    init?(_ found: Neighbours, test: [Int], train: [Int]) {
        samples = found.queries
        guard found.k > 2, samples > 0 else { return nil }
        func distance(_ neighbour: Neighbour) -> Double { max(0, 1 - Double(neighbour.similarity)) }
        func image(_ neighbour: Neighbour) -> Int { train[Int(neighbour.index)] }
        /// The neighbours that show another image than the nearest does.
        func others(_ query: Int) -> ArraySlice<Neighbour> {
            let own = found[query]
            return own.drop { image($0) == image(own[own.startIndex]) }
        }
        let usual = (0..<samples).compactMap { others($0).first.map(distance) }.sorted()
        guard !usual.isEmpty, usual[usual.count / 2] > Self.rounding else { return nil }
        let most = Self.ofUsual * usual[usual.count / 2]
        pairs = (0..<samples).compactMap { query in
            guard let nearest = found[query].first, distance(nearest) <= most else { return nil }
            let farthest = others(query).prefix(Self.neighbours - 1).last.map(distance) ?? .infinity
            return distance(nearest) <= Self.ofOwn * farthest ? (test[query], image(nearest), nearest.similarity) : nil
        }.sorted { ($1.similarity, $0.test) < ($0.similarity, $1.test) }
    }

    /// What a person should know beside the `twins` that are the same to the number; nothing where there are no more than these.
    func remark(twins: Int) -> String? {
        pairs.count <= twins ? nil
            : "\(pairs.count) of the \(samples) test samples are nearly the same as a training sample, \(Int(Self.timesNearer)) times nearer than is usual: perhaps the same image, coded or scaled anew; "
                + "look at them with evaluate neighbours, and take them out of one of the two"
    }

    /// As a result has them.
    static func members(_ found: NearDuplicates?) -> JSON.Object {
        ["test_samples_near_train": found.map { .integer(Int64($0.pairs.count)) } ?? .null, "near_duplicates": found?.json ?? .null]
    }

    /// The nearest pairs.
    private var json: JSON {
        .array(pairs.prefix(Self.mostNamed).map { ["test": .integer(Int64($0.test)), "train": .integer(Int64($0.train)), "cosine": .number(Double($0.similarity))] })
    }
}
