import Randomness
import ToolSupport

/// The images of an epoch, their order and their batches: a pure function of its fields.
///
///     let plan = EpochPlan(samples: data.samples.count, batch: 256, seed: 0)
///     for step in 0..<plan.batches { let indices = plan.order(epoch: 3)[plan.range(step)] }
public struct EpochPlan: Sendable, Equatable {
    /// The number of images in the data set.
    public var samples: Int
    /// Uses only every n-th image, written 1/2 … 2/2: parts with as many images of each class, for training and
    /// evaluation.
    public var fold: Shard
    /// Uses only these images of the fold, ascending; nil for all.
    public var subset: [Int]?
    /// Uses only this many of those, spread evenly over the data set; the same ones in all epochs.
    public var limit: Int?
    public var shard: Shard
    public var batch: Int
    /// Whether an incomplete last batch is left out.
    public var dropLast: Bool
    /// Nil keeps the order of the data set.
    public var seed: UInt64?
    /// The first image of each archive, ascending, to take archives one after the other: the archives in random order,
    /// and the images of each in random order. Nil shuffles all images.
    public var archives: [Int]?
    /// The number of batches of an epoch that is a section of an endless sequence of passes over the images; nil where
    /// an epoch is one pass.
    public var steps: Int?

    public init(
        samples: Int, fold: Shard = Shard(1, of: 1), subset: [Int]? = nil, limit: Int? = nil, shard: Shard = Shard(1, of: 1), batch: Int, dropLast: Bool = false,
        seed: UInt64?, archives: [Int]? = nil, steps: Int? = nil
    ) {
        precondition((steps ?? 1) > 0 && archives?.first ?? 0 == 0)
        precondition(samples >= 0 && batch > 0 && (limit ?? 1) > 0 && subset?.allSatisfy { (0..<samples).contains($0) } ?? true)
        self.samples = samples
        self.fold = fold
        self.subset = subset
        self.limit = limit
        self.shard = shard
        self.batch = batch
        self.dropLast = dropLast
        self.seed = seed
        self.archives = archives
        self.steps = steps
    }

    /// The number of images of a pass, over all shards.
    public var chosen: Int { min(limit ?? folded, folded) }

    /// The number of images in the fold, or in the subset of it.
    private var folded: Int { subset?.count ?? fold.count(of: samples) }

    /// The positions of this shard among the images of a pass.
    ///
    /// They are whole batches, so that the batches of all shards, one shard after the other, are those of the pass.
    /// With consecutive passes (`steps`), each shard is a set of its own.
    private var own: Range<Int> {
        guard steps == nil else { return shard.range(in: chosen) }
        let batches = shard.range(in: (chosen + batch - 1) / batch)
        return min(chosen, batches.lowerBound * batch)..<min(chosen, batches.upperBound * batch)
    }

    /// The number in the whole epoch of this shard's first batch.
    public var firstBatch: Int { steps == nil ? own.lowerBound / batch : 0 }

    /// The number of images of a pass in this shard.
    public var pass: Int { own.count }

    /// The number of images of an epoch in this shard, before an incomplete last batch is left out.
    public var images: Int { steps.map { $0 * batch } ?? pass }

    public var batches: Int { steps ?? (dropLast ? images / batch : (images + batch - 1) / batch) }

    /// The data set indices of this shard's images, in the order of `epoch`.
    ///
    /// The whole pass is shuffled, then split into shards.
    public func order(epoch: Int) -> [Int] {
        let range = own
        guard let steps, pass > 0 else { return positions(pass: epoch)[range].map(sample) }
        let first = epoch * steps * batch, last = first + steps * batch
        return (first / pass...(last - 1) / pass).flatMap { number in
            let own = positions(pass: number)[range], begin = number * pass
            return own.dropFirst(max(0, first - begin)).prefix(last - max(first, begin)).map(sample)
        }
    }

    /// The data set indices of all images of a pass, over all shards.
    public var all: Set<Int> { Set((0..<chosen).map(sample)) }

    /// The pass that an image of an epoch belongs to, by its position in ``order(epoch:)``, from 0.
    public func pass(epoch: Int, place: Int) -> Int { steps.map { (epoch * $0 * batch + place) / max(1, pass) } ?? epoch }

    /// The positions among the ``chosen`` images in the order of a pass.
    private func positions(pass: Int) -> [Int] {
        guard let seed else { return Array(0..<chosen) }
        guard archives != nil else {
            var random = CounterRandom(seed: seed, .order, epoch: pass)
            return random.permutation(chosen)
        }
        return archiveOrder(pass: pass, seed: seed).flatMap { number, places in
            var random = CounterRandom(seed: seed, .order, epoch: pass, item: number + 1)
            return random.permutation(places.count).map { places.lowerBound + $0 }
        }
    }

    /// The archives in the order of a pass, each with its positions among the ``chosen`` images.
    private func archiveOrder(pass: Int, seed: UInt64) -> [(number: Int, places: Range<Int>)] {
        let starts = (archives ?? []).map(firstPlace), ends = Array(starts.dropFirst()) + [chosen]
        var random = CounterRandom(seed: seed, .archiveOrder, epoch: pass)
        return random.permutation(starts.count).map { ($0, starts[$0]..<ends[$0]) }
    }

    /// The first position whose image is `index` or a later one; images ascend with their positions.
    private func firstPlace(_ index: Int) -> Int {
        var range = 0..<chosen
        while let middle = range.isEmpty ? nil : (range.lowerBound + range.upperBound) / 2 {
            range = sample(middle) < index ? middle + 1..<range.upperBound : range.lowerBound..<middle
        }
        return range.lowerBound
    }

    /// The progress of training after an image of an epoch: the pass, the archive of that image, and how many of its
    /// images this pass has used; nil where images are not taken archive by archive.
    ///
    /// - Parameter place: the position of the image in ``order(epoch:)``.
    public func position(epoch: Int, place: Int) -> (pass: Int, archive: Int, seen: Int)? {
        guard let seed, archives != nil, self.pass > 0 else { return nil }
        let number = pass(epoch: epoch, place: place), inPass = steps.map { (epoch * $0 * batch + place) % self.pass } ?? place
        var start = 0
        for (archive, places) in archiveOrder(pass: number, seed: seed) {
            let place = own.lowerBound + inPass - start
            if place < places.count { return (number, archive, place + 1) }
            start += places.count
        }
        return nil
    }

    /// The range of ``order(epoch:)`` that belongs to batch `step`.
    public func range(_ step: Int) -> Range<Int> { step * batch..<min((step + 1) * batch, images) }

    private func sample(_ position: Int) -> Int {
        let place = position * folded / chosen
        return subset?[place] ?? fold.item(place)
    }
}

/// One of `count` equal parts, numbered from 1: `1/4` … `4/4`.
public struct Shard: Sendable, Equatable {
    public let number: Int
    public let count: Int

    public init(_ number: Int, of count: Int) {
        precondition(1 <= number && number <= count)
        self.number = number
        self.count = count
    }

    /// Parses "2/4"; nil for anything else.
    public init?(_ text: String) {
        guard let part = PartNumber(text) else { return nil }
        self.init(part.number, of: part.count)
    }

    /// How many of `total` items it has if it takes every `count`-th item from the `number`-th on.
    func count(of total: Int) -> Int { max(0, (total - number + count) / count) }
    /// The item at position `place` among those.
    func item(_ place: Int) -> Int { place * count + number - 1 }

    /// Its range of `0..<total`.
    public func range(in total: Int) -> Range<Int> { total * (number - 1) / count..<total * number / count }
}
