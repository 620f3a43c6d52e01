import Platform
import TensorStreams

/// Test samples that are much nearer to a training sample than usual: most likely the same image, re-encoded, rescaled
/// or with other brightness.
///
/// The distance D is 1 − cosine. A sample counts as a near duplicate where all of this holds for the distance of its
/// nearest training image:
///
/// - It is at most ``ofUsual`` of the usual distance, which is the median over the test set of the distance of the
///   second nearest image.
/// - It is at most ``ofOwn`` of the distance of the farthest of the sample's own first ``neighbours``.
/// - It is not so small by chance. In features of d dimensions the fractions (Dᵢ / Dⱼ)^(d/2) of the images nearer than
///   the j-th are j − 1 numbers drawn uniformly from 0 to 1. So the smallest of them is x or less with probability
///   1 − (1 − x)^(j−1), which must be ``chance`` or less for all samples together.
///
/// d is estimated from the distances of the other neighbours (Levina and Bickel, NeurIPS 2004), of a thousand samples
/// where there are more. A network that has learned little besides its training images has features of few dimensions,
/// in which dissimilar images are close by chance.
///
/// All criteria are ratios, so the rule holds for features of any spread, also of untrained networks. With photographs
/// and drawn images, and with teachers and students, it reports no image that is not a copy of another. Of images that
/// were re-encoded at quality 60 or scaled to three quarters it reports nearly all where d is 9 or more, two thirds
/// where d is 5, and hardly any below.
struct NearDuplicates {
    static let timesNearer = 20.0
    static let ofUsual = 1 / timesNearer, ofOwn = 1.0 / 4, chance = 0.05
    /// How many neighbours of a sample (where there are so many) define the usual distances near it: copies of one
    /// image are fewer.
    static let neighbours = 10
    /// Smaller distances are rounding errors of cosines.
    private static let rounding = 1e-5
    /// The maximum number of pairs that a result lists.
    private static let mostNamed = 100

    /// Test and training image, by the streams' `index`, and their cosine; the nearest pairs first.
    let pairs: [(test: Int, train: Int, similarity: Float)]
    private let samples: Int

    /// - Parameters:
    ///   - found: the neighbours of the test samples.
    ///   - test: the image of each test sample.
    ///   - train: the image of each training sample. Several views of a training image are one neighbour.
    /// - Returns: nil where it cannot be determined: with fewer than three neighbours, or where the distances of images
    ///   hardly exceed rounding.
    init?(_ found: Neighbours, test: [Int], train: [Int]) {
        let surroundings = (0..<found.queries).map { Surroundings(found[$0], train) }
        guard let rule = Rule(Self.sample(of: found.queries).map { surroundings[$0] }, samples: found.queries) else { return nil }
        self.init(rule, zip(test, surroundings))
    }

    /// The same for features in memory, without comparing all pairs.
    ///
    /// A few samples give the usual distance. The neighbours of a sample are searched only where the nearest training
    /// sample is near enough by the first eighth of the dimensions.
    ///
    /// With q and x of length 1, and q₁ and x₁ their first components, D ≥ ½‖q₁ − x₁‖² ≥ ½‖q₁‖²(1 − cos²(q₁, x₁)).
    init?(test: FeatureSet, train: FeatureSet) {
        // Enough neighbours to cover the wanted number of images.
        let images = max(1, Set(train.images).count), views = (train.images.count + images - 1) / images
        func surroundings(_ rows: [Int]) -> [Surroundings] {
            let search = NeighbourSearch(queries: test.features.rows(rows), k: Self.neighbours * min(views, 20))
            search.add(train.features)
            let found = search.finish()
            return rows.indices.map { Surroundings(found[$0], train.images) }
        }
        let (Q, D) = (test.features.samples, test.features.dimension), sample = Self.sample(of: Q)
        guard let rule = Rule(surroundings(sample), samples: Q) else { return nil }
        var near = Array(0..<Q)
        if D > 2 * Self.prefix, Q > 2 * sample.count {
            let first = max(Self.prefix, D / 8), nearest = NeighbourSearch(queries: test.features.columns(first), k: 1)
            nearest.add(train.features.columns(first))
            let found = nearest.finish()
            near = near.filter { query in
                let row = test.features.row(query), share = VectorAlgebra.dot(row, row, first) / VectorAlgebra.dot(row, row, D)
                // Rows of zeros, or rows that begin with zeros, may be near to anything.
                guard let cosine = found[query].first?.similarity, share > 0 else { return true }
                return Double(cosine) >= max(0, 1 - 2 * rule.most / share).squareRoot() - Self.rounding
            }
        }
        self.init(rule, zip(near.map { test.images[$0] }, surroundings(near)))
    }

    private init(_ rule: Rule, _ samples: some Sequence<(Int, Surroundings)>) {
        self.samples = rule.samples
        pairs = samples.compactMap { image, own in
            guard let nearest = own.nearest, rule.holds(own) else { return nil }
            return (image, own.image, nearest.similarity)
        }.sorted { ($1.similarity, $0.test) < ($0.similarity, $1.test) }
    }

    /// Samples that give the usual distance: all, or a limited number, evenly spaced.
    private static func sample(of count: Int) -> [Int] { count <= mostAsked ? Array(0..<count) : (0..<mostAsked).map { $0 * count / mostAsked } }
    private static let mostAsked = 1024, prefix = 64

    /// The surroundings of a sample: its nearest training image, and the distances of the other images among its first
    /// neighbours, the nearest first.
    private struct Surroundings {
        let nearest: Neighbour?
        let image: Int
        let distance: Double
        let others: [Double]

        init(_ found: ArraySlice<Neighbour>, _ train: [Int]) {
            func distance(_ neighbour: Neighbour) -> Double { max(0, 1 - Double(neighbour.similarity)) }
            nearest = found.first
            let image = found.first.map { train[Int($0.index)] } ?? 0
            self.image = image
            self.distance = found.first.map(distance) ?? 0
            var seen: Set = [image]
            others = found.filter { seen.insert(train[Int($0.index)]).inserted }.prefix(NearDuplicates.neighbours - 1).map(distance)
        }
    }

    /// The criterion for near duplicates, estimated from some of the samples.
    private struct Rule {
        let samples: Int
        let most: Double
        /// d/2.
        private let half: Double

        init?(_ known: [Surroundings], samples: Int) {
            let usual = known.compactMap(\.others.first).sorted()
            guard !usual.isEmpty, usual[usual.count / 2] > NearDuplicates.rounding, let half = Self.halfDimension(known.map(\.others)) else { return nil }
            (self.samples, self.half) = (samples, half)
            most = NearDuplicates.ofUsual * usual[usual.count / 2]
        }

        func holds(_ own: Surroundings) -> Bool {
            guard own.distance <= most else { return false }
            // Without others, all near samples are views of one image.
            guard let farthest = own.others.last else { return true }
            return own.distance <= NearDuplicates.ofOwn * farthest && chance(own.distance / max(farthest, 1e-30), of: own.others.count) <= NearDuplicates.chance / Double(samples)
        }

        /// The probability that the nearest of m images is within `ratio` of the distance of the next one behind them.
        private func chance(_ ratio: Double, of m: Int) -> Double { -expm1(Double(m) * log1p(-pow(ratio, half))) }

        /// Estimates d/2, the exponent with which the number of images grows with distance; the nearest image is left
        /// out.
        ///
        /// For each i the mean of ln(Dⱼ / Dᵢ) is 2/d, except for the largest of m of them, whose mean is (1 + ½ + … +
        /// 1/m) · 2/d. The result is the median over the samples, because samples with several copies have distances of
        /// almost 0.
        private static func halfDimension(_ distances: [[Double]]) -> Double? {
            let inverses = distances.filter { $0.count > 1 }.map { own in
                let m = own.count, farthest = max(own[m - 1], 1e-7), expected = Double(m) - (1...m).reduce(0) { $0 + 1 / Double($1) }
                return own.dropLast().reduce(0) { $0 + log(farthest / max($1, 1e-7)) } / expected
            }.sorted()
            guard !inverses.isEmpty, inverses[inverses.count / 2] > 0 else { return nil }
            return 1 / inverses[inverses.count / 2]
        }
    }

    /// A remark for the user about samples beyond the exact `twins`; nil where there are no more than these.
    ///
    /// - Parameter tensor: the name of the features' tensor.
    func remark(twins: Int, _ tensor: String) -> String? {
        pairs.count <= twins ? nil
            : "\(pairs.count) of the \(samples) test samples are almost equal to a training sample by their \(tensor), \(Int(Self.timesNearer)) times nearer than usual: perhaps the same image, re-encoded or rescaled; "
                + "look at them with evaluate neighbours, and remove them from one of the two sets"
    }

    /// The members of a result.
    static func members(_ found: NearDuplicates?) -> JSON.Object {
        ["test_samples_near_train": found.map { .integer(Int64($0.pairs.count)) } ?? .null, "near_duplicates": found?.json ?? .null]
    }

    /// The nearest pairs.
    private var json: JSON {
        .array(pairs.prefix(Self.mostNamed).map { ["test": .integer(Int64($0.test)), "train": .integer(Int64($0.train)), "cosine": .number(Double($0.similarity))] })
    }
}
