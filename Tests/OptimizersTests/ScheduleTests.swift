import Optimizers
import Platform
import Testing

struct ScheduleTests {
    @Test func `MoCo-v2's cosine has the rates its code prints`() {
        let schedule = Schedule.cosine(rate: 0.03, epochs: 200)
        for (epoch, expected) in [(0, 0.03), (1, 0.0299981), (100, 0.015), (199, 1.8505e-6)] {
            #expect(abs(schedule.rate(epoch: epoch, step: 77, stepsPerEpoch: 100) - expected) < expected * 2e-5)
        }
    }

    @Test func `SEED's warm-up is a line to the rate scaled by the batch, then jumps onto the cosine of all epochs`() {
        let schedule = Schedule.seed(rate: 0.03, batch: 1024, epochs: 200)
        // m = 4: 0.03 + (0.12 − 0.03)/5·e, then 0.12·½(1 + cos(πe/200)).
        for (epoch, expected) in [(0, 0.03), (1, 0.048), (4, 0.102), (5, 0.1198150), (100, 0.06), (199, 4 * 1.8505e-6)] {
            #expect(abs(schedule.rate(epoch: epoch) - expected) < expected * 2e-5)
        }
        // With a batch of 256 the warm-up is flat.
        let flat = Schedule.seed(rate: 0.03, batch: 256, epochs: 200)
        #expect((0..<5).allSatisfy { abs(flat.rate(epoch: $0) - 0.03) < 1e-15 })
        #expect(Schedule.seed(rate: 0.03, batch: 256, epochs: 10, warmUp: 0) .rate(epoch: 3) == Schedule.cosine(rate: 0.03, epochs: 10).rate(epoch: 3))
    }

    @Test func `milestones count from the epoch they name`() {
        let schedule = Schedule.steps(rate: 30, milestones: [60, 80])
        for (epoch, expected) in [(0, 30), (59, 30), (60, 3), (79, 3), (80, 0.3), (99, 0.3)] as [(Int, Double)] {
            #expect(abs(schedule.rate(epoch: epoch) - expected) < 1e-12)
        }
    }

    @Test func `the smooth schedule warms up from the first step and ends at its end`() {
        let schedule = Schedule.smooth(rate: 1, epochs: 10, warmUp: 2, end: 0.1)
        #expect(abs(schedule.rate(epoch: 0, step: 0, stepsPerEpoch: 50) - 0.01) < 1e-12)
        #expect(abs(schedule.rate(epoch: 0, step: 49, stepsPerEpoch: 50) - 0.5) < 1e-12)
        #expect(abs(schedule.rate(epoch: 2, step: 0, stepsPerEpoch: 50) - 1) < 1e-12)
        #expect(abs(schedule.rate(epoch: 6, step: 0, stepsPerEpoch: 50) - 0.55) < 1e-12)
        let last = schedule.rate(epoch: 9, step: 49, stepsPerEpoch: 50)
        #expect(last > 0.1 && last < 0.1001)
        #expect(schedule.rate(epoch: 12, step: 0, stepsPerEpoch: 50) == 0.1)
        // The rate never rises after the warm-up.
        let rates = (100..<500).map { schedule.rate(epoch: $0 / 50, step: $0 % 50, stepsPerEpoch: 50) }
        #expect(zip(rates, rates.dropFirst()).allSatisfy { $0 > $1 })
    }

    @Test func `the warm-up of BYOL's code begins with nothing, and Barlow Twins' cosine ends above a thousandth`() {
        let schedule = Schedule.warmUpCosine(rate: 2, epochs: 10, warmUp: 2, end: 0.002)
        func rate(_ step: Int) -> Double { schedule.rate(epoch: step / 50, step: step % 50, stepsPerEpoch: 50) }
        // step/w, then with q = ½(1 + cos(π·(step − w)/(steps − w))) base·q + 0.001·base·(1 − q).
        for (step, expected) in [(0, 0), (1, 0.02), (99, 1.98), (100, 2), (300, 1.001), (499, 0.002 + 1.998 * 1.5421e-5)] as [(Int, Double)] {
            #expect(abs(rate(step) - expected) < 1e-6, "step \(step)")
        }
    }

    @Test func `SimCLR's cosine spans one step more than there are`() {
        // Keras' CosineDecay over train_steps + 1, minus the warm-up.
        for (beyond, steps) in [(0, 500), (1, 501)] {
            let schedule = Schedule.warmUpCosine(rate: 1, epochs: 10, warmUp: 2, beyond: beyond)
            let expected = 0.5 * (1 + cos(Double.pi * 399 / Double(steps - 100)))
            #expect(abs(schedule.rate(epoch: 9, step: 49, stepsPerEpoch: 50) - expected) < 1e-12)
        }
    }

    @Test func `SwAV's warm-up is numpy's linspace, both ends included`() {
        let schedule = Schedule.swav(rate: 4.8, epochs: 100, warmUp: 10, start: 0.3, end: 0.0048)
        func rate(_ step: Int) -> Double { schedule.rate(epoch: step / 7, step: step % 7, stepsPerEpoch: 7) }
        // np.linspace(0.3, 4.8, 70), then 0.0048 + ½(4.8 − 0.0048)(1 + cos(π·t/630)).
        for (step, expected) in [(0, 0.3), (1, 0.3652174), (69, 4.8), (70, 4.8), (385, 2.4024), (699, 0.0048298)] as [(Int, Double)] {
            #expect(abs(rate(step) - expected) < 1e-6, "step \(step)")
        }
        #expect(Schedule.swav(rate: 1, epochs: 2, warmUp: 0).rate(epoch: 0, step: 0, stepsPerEpoch: 5) == 1)
    }

    @Test func `the momentum of an average stays, or grows to 1 on a cosine`() {
        #expect(AverageMomentum.constant(0.9).value(step: 7, of: 10) == 0.9)
        for (step, expected) in [(0, 0.96), (50, 0.98), (100, 1), (200, 1)] as [(Int, Double)] {
            #expect(abs(AverageMomentum.cosine(from: 0.96).value(step: step, of: 100) - expected) < 1e-12)
        }
    }

    @Test func `no epochs at all are no trap`() {
        for schedule in [Schedule.constant(rate: 1), .cosine(rate: 1, epochs: 0), .seed(rate: 1, batch: 1, epochs: 0), .smooth(rate: 1, epochs: 0), .warmUpCosine(rate: 1, epochs: 0), .swav(rate: 1, epochs: 0)] {
            #expect(schedule.rate(epoch: 0, step: 0, stepsPerEpoch: 0).isFinite)
        }
    }
}
