import Platform
import TensorStreams

/// Test samples that a training sample is much nearer to than is usual: most likely an image that was coded, scaled or lit anew.
///
/// The distance D is 1 − cosine. A sample counts where that of its nearest training image is within ``ofUsual`` of what is usual, the median over the test set of the distance of the second nearest image, and within
/// ``ofOwn`` of that of the farthest of its own first ``neighbours``, and where chance does not bring the nearest so near: in features of d dimensions the shares (Dᵢ / Dⱼ)^(d/2) of the images nearer than the j-th are
/// j − 1 numbers drawn evenly from 0 to 1, so that the least of them is x or less with probability 1 − (1 − x)^(j−1), which is to be ``chance`` or less for all samples together. d is found from the distances of the
/// others (Levina and Bickel, NeurIPS 2004), of a thousand samples where there are more: what has learnt little besides its training images has features of few dimensions, in which images that are not alike lie close by chance.
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
        let surroundings = (0..<found.queries).map { Surroundings(found[$0], train) }
        guard let rule = Rule(Self.sample(of: found.queries).map { surroundings[$0] }, samples: found.queries) else { return nil }
        self.init(rule, zip(test, surroundings))
    }

    /// The same of features in memory, without comparing all with all: what is usual a few samples tell, and the neighbours of a sample are looked for only where the nearest by the first of its numbers, an eighth of
    /// them, is near enough.
    ///
    /// With q and x of length 1, and q₁ and x₁ the first of their numbers, D ≥ ½‖q₁ − x₁‖² ≥ ½‖q₁‖²(1 − cos²(q₁, x₁)).
    init?(test: FeatureSet, train: FeatureSet) {
        // As many neighbours as show so many images.
        let views = (train.images.count + Set(train.images).count - 1) / max(1, Set(train.images).count)
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
                // Rows of zeros, or that begin with zeros, may be near to anything.
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

    /// Samples that tell what is usual: all, or so many as evenly as they lie.
    private static func sample(of count: Int) -> [Int] { count <= mostAsked ? Array(0..<count) : (0..<mostAsked).map { $0 * count / mostAsked } }
    private static let mostAsked = 1024, prefix = 64

    /// Where a sample lies: its nearest training image, and the distances of the other images of its first neighbours, the nearest first.
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

    /// What is near, among samples of which some tell what is usual.
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
            // All that is near is views of one image.
            guard let farthest = own.others.last else { return true }
            return own.distance <= NearDuplicates.ofOwn * farthest && chance(own.distance / max(farthest, 1e-30), of: own.others.count) <= NearDuplicates.chance / Double(samples)
        }

        /// How probable it is that the nearest of m images is within `ratio` of the distance of the one behind them.
        private func chance(_ ratio: Double, of m: Int) -> Double { -expm1(Double(m) * log1p(-pow(ratio, half))) }

        /// d/2 of what distances grow like, the nearest image's left out: for each i the mean of ln(Dⱼ / Dᵢ) is 2/d, but for the largest of m of them, whose mean is (1 + ½ + … + 1/m) · 2/d. The median over the samples,
        /// for those of which there are several copies have distances of almost 0.
        private static func halfDimension(_ distances: [[Double]]) -> Double? {
            let inverses = distances.filter { $0.count > 1 }.map { own in
                let m = own.count, farthest = max(own[m - 1], 1e-7), expected = Double(m) - (1...m).reduce(0) { $0 + 1 / Double($1) }
                return own.dropLast().reduce(0) { $0 + log(farthest / max($1, 1e-7)) } / expected
            }.sorted()
            guard !inverses.isEmpty, inverses[inverses.count / 2] > 0 else { return nil }
            return 1 / inverses[inverses.count / 2]
        }
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
