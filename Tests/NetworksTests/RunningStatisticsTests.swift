import Kernels
import Networks
import TestSupport
import Testing

/// The statistics that inference normalises with, after few batches.
@Suite struct RunningStatisticsTests {
    @Test(arguments: ["mobilenet-v3-small", "efficientnet-b0", "tiny-resnet10"])
    func `after one batch, and after many that are the same, they are that batch's, whatever they began with`(_ name: String) throws {
        let network = try #require(Network(name, head: .linear(8))), weights = Weights.initialized(network, seed: 1), images = formula("pictures", 4 * 32 * 32 * 3)
        let run = TrainingRun(network, N: 4, height: 32, width: 32)
        run.forward(weights, images: images)
        let first = weights.statistics.array
        #expect(weights.batchesSeen.allSatisfy { $0 == 1 })
        for _ in 0..<14 { run.forward(weights, images: images) }
        #expect(relativeError(weights.statistics.array, first.map(Double.init)) < 1e-5 && weights.batchesSeen.allSatisfy { $0 == 15 })
    }

    @Test func `statistics that come without a count are taken as complete`() throws {
        let network = try #require(Network("mobilenet-v3-small", head: .linear(8))), weights = formulaWeights(network), before = weights.statistics.array
        TrainingRun(network, N: 4, height: 32, width: 32).forward(weights, images: formula("pictures", 4 * 32 * 32 * 3))
        // With a momentum of 0.01, a batch contributes a hundredth.
        let distance = relativeError(weights.statistics.array, before.map(Double.init))
        #expect(distance > 0 && distance < 0.1 && weights.batchesSeen.allSatisfy { $0 == 1001 }, "\(distance)")
    }
}
