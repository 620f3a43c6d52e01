import Platform
import TensorStreams

/// Test samples that a training sample is much nearer to than is usual: most likely an image that was coded, scaled or lit anew.
///
/// The distance D is 1 − cosine. A sample counts where that of its nearest training image is within ``ofUsual`` of what is usual, the median over the test set of the distance of the second nearest image, and within
/// ``ofOwn`` of that of the farthest of its own first ``neighbours``, and where chance does not bring the nearest so near: in features of d dimensions the shares (Dᵢ / Dⱼ)^(d/2) of the images nearer than the j-th are
/// j − 1 numbers drawn evenly from 0 to 1, so that the least of them is x or less with probability 1 − (1 − x)^(j−1), which is to be ``chance`` or less for all samples together. d is found from the distances of the
/// others (Levina and Bickel, NeurIPS 2004): what has learnt little besides its training images has features of few dimensions, in which images that are not alike lie close by chance.
///
/// All are ratios, so that the rule holds for features of any spread, of untrained networks too: of photographs and drawn images, and of teachers and students, it names no image that is not one of another, and of those
/// that were coded at quality 60 or scaled to three quarters nearly all where d is 9 or more, two thirds where it is 5, and hardly any below.
struct NearDuplicates {
    static let timesNearer = 20.0
    static let ofUsual = 1 / timesNearer, ofOwn = 1.0 / 4, chance = 0.05
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
        let distances = (0..<samples).map { others($0).prefix(Self.neighbours - 1).map(distance) }
        let usual = distances.compactMap(\.first).sorted()
        guard !usual.isEmpty, usual[usual.count / 2] > Self.rounding, let half = Self.halfDimension(distances) else { return nil }
        let most = Self.ofUsual * usual[usual.count / 2], chance = Self.chance / Double(samples)
        pairs = (0..<samples).compactMap { query in
            guard let nearest = found[query].first, let farthest = distances[query].last else { return nil }
            let own = distance(nearest), share = own > 0 ? pow(own / farthest, half) : 0, isChance = -expm1(Double(distances[query].count) * log1p(-share)) > chance
            return own <= most && own <= Self.ofOwn * farthest && !isChance ? (test[query], image(nearest), nearest.similarity) : nil
        }.sorted { ($1.similarity, $0.test) < ($0.similarity, $1.test) }
    }

    /// d/2 of what the distances of each sample grow like, the nearest image's left out: for each i the mean of ln(Dⱼ / Dᵢ) is 2/d, but for the largest of m of them, whose mean is (1 + ½ + … + 1/m) · 2/d.
    private static func halfDimension(_ distances: [[Double]]) -> Double? {
        var (terms, sum) = (0.0, 0.0)
        for own in distances where own.count > 1 {
            let m = own.count, farthest = max(own[m - 1], 1e-7)
            terms += Double(m) - (1...m).reduce(0) { $0 + 1 / Double($1) }
            for nearer in own.dropLast() { sum += log(farthest / max(nearer, 1e-7)) }
        }
        return sum > 0 ? terms / sum : nil
    }

    /// What a person should know beside the `twins` that are the same to the number; nothing where there are no more than these.
    ///
    /// - Parameter tensor: of the features.
    func remark(twins: Int, _ tensor: String) -> String? {
        pairs.count <= twins ? nil
            : "\(pairs.count) of the \(samples) test samples are nearly the same as a training sample by their \(tensor), \(Int(Self.timesNearer)) times nearer than is usual: perhaps the same image, coded or scaled anew; "
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
