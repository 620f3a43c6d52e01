import Randomness

/// Which images an epoch has, in which order and in which batches: a pure function of its fields.
///
///     let plan = EpochPlan(samples: data.samples.count, batch: 256, seed: 0)
///     for step in 0..<plan.batches { let indices = plan.order(epoch: 3)[plan.range(step)] }
public struct EpochPlan: Sendable, Equatable {
    /// Images in the data set.
    public var samples: Int
    /// Only every so-manieth image, as 1/2 … 2/2: parts that have as many of each class, to learn from and to be judged by.
    public var fold: Shard
    /// Only these images of the fold, in rising order; nil for all.
    public var subset: [Int]?
    /// Only so many of those, spread evenly over the data set; the same ones in all epochs.
    public var limit: Int?
    public var shard: Shard
    public var batch: Int
    /// The last batch is left out where it would not be full.
    public var dropLast: Bool
    /// Nil keeps the data set's own order.
    public var seed: UInt64?

    public init(
        samples: Int, fold: Shard = Shard(1, of: 1), subset: [Int]? = nil, limit: Int? = nil, shard: Shard = Shard(1, of: 1), batch: Int, dropLast: Bool = false,
        seed: UInt64?
    ) {
        precondition(samples >= 0 && batch > 0 && (limit ?? 1) > 0 && subset?.allSatisfy { (0..<samples).contains($0) } ?? true)
        self.samples = samples
        self.fold = fold
        self.subset = subset
        self.limit = limit
        self.shard = shard
        self.batch = batch
        self.dropLast = dropLast
        self.seed = seed
    }

    /// Images of an epoch, over all shards.
    public var chosen: Int { min(limit ?? folded, folded) }

    /// Images in the fold, or of them those in the subset.
    private var folded: Int { subset?.count ?? fold.count(of: samples) }

    /// Images of an epoch in this shard, before a last batch is left out.
    public var images: Int { shard.range(in: chosen).count }

    public var batches: Int { dropLast ? images / batch : (images + batch - 1) / batch }

    /// The numbers in the data set of this shard's images, in the order of `epoch`.
    ///
    /// The whole epoch is shuffled, then cut into shards. So shards one after the other are the epoch without shards,
    /// but for incomplete batches at their ends.
    public func order(epoch: Int) -> [Int] {
        let range = shard.range(in: chosen)
        guard let seed else { return range.map(sample) }
        var random = CounterRandom(seed: seed, .order, epoch: epoch)
        return random.permutation(chosen)[range].map(sample)
    }

    /// The part of ``order(epoch:)`` that batch number `step` takes.
    public func range(_ step: Int) -> Range<Int> { step * batch..<min((step + 1) * batch, images) }

    private func sample(_ position: Int) -> Int {
        let place = position * folded / chosen
        return subset?[place] ?? fold.item(place)
    }
}

/// One of `count` equal parts, numbered from 1 as `1/4` … `4/4`.
public struct Shard: Sendable, Equatable {
    public let number: Int
    public let count: Int

    public init(_ number: Int, of count: Int) {
        precondition(1 <= number && number <= count)
        self.number = number
        self.count = count
    }

    /// "2/4"; nil for anything else.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map { Int($0) }
        guard parts.count == 2, let number = parts[0], let count = parts[1], count <= 1 << 20, number >= 1, number <= count else { return nil }
        self.init(number, of: count)
    }

    /// How many of `total` items it has where every `count`th is its, from the `number`th.
    func count(of total: Int) -> Int { max(0, (total - number + count) / count) }
    /// The item at `place` among those.
    func item(_ place: Int) -> Int { place * count + number - 1 }

    /// Its part of `0..<total`.
    public func range(in total: Int) -> Range<Int> { total * (number - 1) / count..<total * number / count }
}
