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

    @Test func `without a seed the order is the data set's`() {
        #expect(EpochPlan(samples: 5, batch: 2, seed: nil).order(epoch: 3) == [0, 1, 2, 3, 4])
    }

    @Test(arguments: [1, 2, 3, 7, 50]) func `shards one after the other are the whole epoch`(_ count: Int) {
        let whole = EpochPlan(samples: 47, batch: 4, seed: 1).order(epoch: 2)
        let parts = (1...count).flatMap { EpochPlan(samples: 47, shard: Shard($0, of: count), batch: 4, seed: 1).order(epoch: 2) }
        #expect(parts == whole)
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
