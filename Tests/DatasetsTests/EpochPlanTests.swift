import Datasets
import Testing

struct EpochPlanTests {
    @Test func `an epoch has every image once, in another order than the next epoch or another seed`() {
        let plan = EpochPlan(samples: 1000, batch: 64, seed: 7)
        let order = plan.order(epoch: 0)
        #expect(order.sorted() == Array(0..<1000))
        #expect(order == plan.order(epoch: 0))
        #expect(order != plan.order(epoch: 1))
        #expect(order != EpochPlan(samples: 1000, batch: 64, seed: 8).order(epoch: 0))
        #expect(order != Array(0..<1000))
    }

    @Test func `archives come one after the other, in another order in each pass, each with all of its images`() {
        let starts = [0, 10, 13, 40, 41], ends = Array(starts.dropFirst()) + [60]
        let plan = EpochPlan(samples: 60, batch: 8, seed: 3, archives: starts)
        var orders: Set<[Int]> = []
        for pass in 0..<5 {
            var order = plan.order(epoch: pass)[...], archives: [Int] = []
            #expect(order.sorted() == Array(0..<60))
            while let first = order.first, let archive = starts.lastIndex(where: { $0 <= first }) {
                let own = order.prefix(ends[archive] - starts[archive])
                #expect(own.sorted() == Array(starts[archive]..<ends[archive]))
                archives.append(archive)
                order = order.dropFirst(own.count)
            }
            orders.insert(archives)
        }
        #expect(orders.count > 2)
        // Here too the concatenated shards are the whole, and a fold takes its share of each archive.
        #expect((1...4).flatMap { EpochPlan(samples: 60, shard: Shard($0, of: 4), batch: 8, seed: 3, archives: starts).order(epoch: 2) } == plan.order(epoch: 2))
        let half = EpochPlan(samples: 60, fold: Shard(2, of: 2), batch: 8, seed: 3, archives: starts).order(epoch: 0)
        #expect(half.sorted() == Array(stride(from: 1, to: 60, by: 2)))
        let ofArchives = half.map { image in starts.lastIndex { $0 <= image } ?? 0 }
        #expect(zip(ofArchives, ofArchives.dropFirst()).count { $0 != $1 } == Set(ofArchives).count - 1)
    }

    @Test(arguments: [[0], [0, 7, 9]]) func `epochs of so many steps are passes, one behind the other`(_ archives: [Int]) {
        let passes = EpochPlan(samples: 23, batch: 4, seed: 3, archives: archives)
        let row = (0..<6).flatMap { pass in passes.order(epoch: pass).map { (pass, $0) } }
        for steps in [1, 3, 7, 20] {
            let plan = EpochPlan(samples: 23, batch: 4, seed: 3, archives: archives, steps: steps)
            #expect(plan.images == 4 * steps && plan.batches == steps)
            for epoch in 0..<min(4, 23 * 6 / (4 * steps)) {
                let expected = row[epoch * 4 * steps..<(epoch + 1) * 4 * steps], order = plan.order(epoch: epoch)
                #expect(order == expected.map(\.1))
                #expect(order.indices.map { plan.pass(epoch: epoch, place: $0) } == expected.map(\.0))
                for place in order.indices {
                    guard let position = plan.position(epoch: epoch, place: place) else {
                        Issue.record("no position")
                        continue
                    }
                    // `seen` counts the images of that archive since the pass began.
                    let at = epoch * 4 * steps + place, image = row[at].1, archive = archives.lastIndex { $0 <= image } ?? 0
                    let seen = row[(at / 23 * 23)...at].count { image in (archives.lastIndex { first in first <= image.1 } ?? 0) == archive }
                    #expect(position.pass == at / 23 && position.archive == archive && position.seen == seen)
                }
            }
        }
    }

    @Test func `without a seed the order is the data set's`() {
        #expect(EpochPlan(samples: 5, batch: 2, seed: nil).order(epoch: 3) == [0, 1, 2, 3, 4])
    }

    @Test(arguments: [1, 2, 3, 7, 50], [false, true]) func `the batches of shards one after the other are those of the whole epoch`(_ count: Int, _ dropLast: Bool) {
        func batches(_ plan: EpochPlan) -> [[Int]] {
            let order = plan.order(epoch: 2)
            return (0..<plan.batches).map { Array(order[plan.range($0)]) }
        }
        let whole = EpochPlan(samples: 47, batch: 4, dropLast: dropLast, seed: 1)
        let parts = (1...count).map { EpochPlan(samples: 47, shard: Shard($0, of: count), batch: 4, dropLast: dropLast, seed: 1) }
        #expect(parts.flatMap(batches) == batches(whole))
        for (number, part) in parts.enumerated() { #expect(part.firstBatch == parts[..<number].reduce(0) { $0 + $1.batches } || part.batches == 0) }
        #expect(parts.map(\.batches).max() ?? 0 <= whole.batches / count + 1)
    }

    @Test func `batches cover the images, and the last one may be left out`() {
        let plan = EpochPlan(samples: 10, batch: 4, seed: 1)
        #expect((0..<plan.batches).map(plan.range) == [0..<4, 4..<8, 8..<10])
        let full = EpochPlan(samples: 10, batch: 4, dropLast: true, seed: 1)
        #expect((0..<full.batches).map(full.range) == [0..<4, 4..<8])
        #expect(EpochPlan(samples: 3, batch: 4, dropLast: true, seed: 1).batches == 0)
    }

    @Test func `a limit takes the same images in every epoch, spread over the data`() {
        let plan = EpochPlan(samples: 100, limit: 10, batch: 4, seed: 1)
        #expect(plan.order(epoch: 0).sorted() == stride(from: 0, to: 100, by: 10).map { $0 })
        #expect(plan.order(epoch: 1).sorted() == plan.order(epoch: 0).sorted())
        #expect(EpochPlan(samples: 3, limit: 10, batch: 4, seed: 1).chosen == 3)
    }

    @Test func `a shard is two numbers, the first not above the second`() {
        #expect(Shard("2/4") == Shard(2, of: 4))
        for text in ["", "0/4", "5/4", "1", "1/2/3", "a/b", "1/0", "-1/4", "1/99999999999999999999"] { #expect(Shard(text) == nil, "\(text)") }
    }

    @Test func `folds take turns, so that each has its share of every class`() {
        #expect(EpochPlan(samples: 7, fold: Shard(1, of: 2), batch: 2, seed: nil).order(epoch: 0) == [0, 2, 4, 6])
        #expect(EpochPlan(samples: 7, fold: Shard(2, of: 2), batch: 2, seed: nil).order(epoch: 0) == [1, 3, 5])
        #expect(EpochPlan(samples: 9, fold: Shard(2, of: 3), limit: 2, batch: 2, seed: nil).order(epoch: 0) == [1, 4])
        #expect(EpochPlan(samples: 1, fold: Shard(2, of: 2), batch: 2, seed: nil).batches == 0)
    }
}
