import Evaluation
import TestSupport
import Testing

struct StochasticProbeTests {
    private func goldenProbe() -> StochasticProbe {
        var probe = StochasticProbe()
        probe.learningRate = 4
        probe.batch = 32
        probe.epochs = 6
        probe.weightDecay = 1e-3
        probe.milestones = [3, 5]
        return probe
    }

    @Test func `follows PyTorch's course from the same weights in the same order`() throws {
        let golden = try Golden.evaluation()
        let train = try golden.matrix("sgd.train")
        let orders = try golden.integers("sgd.orders")
        let classifier = LinearClassifier(weights: try golden.floats("sgd.start"), biases: [0, 0, 0, 0, 0], dimension: 11)
        let losses = goldenProbe().train(
            classifier, on: train, labels: try golden.labels("sgd.train_labels"), order: { Array(orders[$0 * 150..<($0 + 1) * 150]) })
        #expect(difference(losses.map { Float($0) }, try golden.floats("sgd.losses")) < 1e-4)
        #expect(difference(classifier.weights, try golden.floats("sgd.weights")) < 1e-4)
        #expect(difference(classifier.biases, try golden.floats("sgd.biases")) < 1e-4)
    }

    @Test func `the default rate is the papers': 30 for a batch of 256, a tenth from epochs 60 and 80 on`() {
        var probe = StochasticProbe()
        func rates(_ epochs: [Int]) -> [Double] { epochs.map { (probe.rate(epoch: $0) * 1e6).rounded() / 1e6 } }
        #expect(rates([0, 59, 60, 79, 80, 99]) == [30, 30, 3, 3, 0.3, 0.3])
        probe.batch = 64
        #expect(rates([0, 60]) == [7.5, 0.75])
        probe.batch = 256
        probe.schedule = .cosine
        #expect(rates([0, 25, 50, 75]) == [30, 25.606602, 15, 4.393398])
        probe.warmUp = 4
        #expect(rates([0, 3]) == [6, (30 * 0.5 * (1 + 0.995562) * 0.8 * 1e6).rounded() / 1e6].map { ($0 * 1e6).rounded() / 1e6 })
    }

    private static let rates: [(String, [(Int, Double)])] = [
        ("moco", [(0, 30), (59, 30), (60, 3), (80, 0.3)]), ("seed", [(0, 5), (4, 25), (5, 30), (60, 3)]), ("swav", [(0, 0.3), (50, 0.15)]),
        ("simreg", [(14, 0.01), (15, 0.001), (30, 0.0001)]), ("disco", [(4, 3), (5, 1.5), (10, 0.75), (45, 0.005859375), (60, 0.0029296875), (80, 0.00146484375)]),
        ("bingo", [(0, 30), (60, 15.005)]),
    ]

    @Test(arguments: rates)
    func `papers' rates are those of their codes`(_ name: String, _ rates: [(Int, Double)]) throws {
        let probe = try #require(LinearProtocol.named(name)).probe
        for (epoch, rate) in rates { #expect(abs(probe.rate(epoch: epoch) - rate) < 1e-9, "epoch \(epoch)") }
        let epochs = ["simreg": 40, "bingo": 120][name] ?? 100
        let decay: Double = ["simreg": 1e-4, "swav": 1e-6][name] ?? 0
        #expect(probe.batch == 256 && probe.momentum == 0.9 && probe.epochs == epochs && probe.weightDecay == decay)
    }

    @Test func `features of length 1 are standardised by the training set`() {
        let unit: [[Double]] = [[0.6, 0.8], [0, 1], [1, 0]], other: [Double] = [0, -1]
        let train = FeatureMatrix([3, 4, 0, 0, 2, 0, 1, 0, 0], samples: 3, dimension: 3), test = FeatureMatrix([0, -5, 0], samples: 1, dimension: 3)
        FeatureScaling.unitStandard.apply(train: train, test: test)
        for d in 0..<2 {
            let mean = unit.reduce(0) { $0 + $1[d] } / 3, deviation = (unit.reduce(0) { $0 + ($1[d] - mean) * ($1[d] - mean) } / 3).squareRoot()
            for n in 0..<3 { #expect(abs(Double(train.values[n * 3 + d]) - (unit[n][d] - mean) / deviation) < 1e-6) }
            #expect(abs(Double(test.values[d]) - (other[d] - mean) / deviation) < 1e-6)
        }
        #expect(train.values[2] == 0 && test.values[2] == 0)
    }

    @Test func `the first weights have deviation 0.01 and depend on the seed alone`() {
        var probe = StochasticProbe()
        let weights = probe.initial(classes: 50, dimension: 200).weights
        let mean = weights.reduce(0, +) / 10_000
        let deviation = (weights.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 10_000).squareRoot()
        #expect(abs(mean) < 4e-4 && abs(deviation - 0.01) < 3e-4)
        #expect(probe.initial(classes: 50, dimension: 200).weights == weights)
        probe.seed = 1
        #expect(probe.initial(classes: 50, dimension: 200).weights != weights)
    }

    @Test func `every epoch sees every sample once, in another order`() {
        let probe = StochasticProbe()
        let (first, second) = (probe.order(epoch: 0, samples: 500), probe.order(epoch: 1, samples: 500))
        #expect(first.sorted() == Array(0..<500) && second.sorted() == Array(0..<500) && first != second)
        #expect(probe.order(epoch: 1, samples: 500) == second)
    }

    @Test func `stops when it is told to`() throws {
        let golden = try Golden.evaluation()
        let classifier = goldenProbe().initial(classes: 5, dimension: 11)
        let losses = goldenProbe().train(classifier, on: try golden.matrix("sgd.train"), labels: try golden.labels("sgd.train_labels"), report: { epoch, _ in epoch < 1 })
        #expect(losses.count == 2)
    }
}
