import Evaluation
import Foundation
import Parallel
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

    /// A training step by its formula, in double precision.
    private func plain(_ probe: StochasticProbe, _ x: [Double], _ labels: [Int32], classes C: Int, dimension D: Int, start: [Float], orders: [[Int]]) -> [Double] {
        var W = start.map(Double.init), b = [Double](repeating: 0, count: C), v = [Double](repeating: 0, count: C * D + C)
        for (epoch, order) in orders.enumerated() {
            for first in stride(from: 0, to: order.count, by: probe.batch) {
                let batch = order[first..<min(order.count, first + probe.batch)]
                var g = [Double](repeating: 0, count: C * D + C)
                for n in batch {
                    let z = (0..<C).map { c in b[c] + (0..<D).reduce(0.0) { $0 + x[n * D + $1] * W[c * D + $1] } }, peak = z.max() ?? 0
                    let e = z.map { exp($0 - peak) }, sum = e.reduce(0, +)
                    for c in 0..<C {
                        let dz = (e[c] / sum - (Int(labels[n]) == c ? 1 : 0)) / Double(batch.count)
                        for d in 0..<D { g[c * D + d] += dz * x[n * D + d] }
                        g[C * D + c] += dz
                    }
                }
                for i in v.indices {
                    v[i] = probe.momentum * v[i] + g[i] + probe.weightDecay * (i < C * D ? W[i] : b[i - C * D])
                    if i < C * D { W[i] -= probe.rate(epoch: epoch) * v[i] } else { b[i - C * D] -= probe.rate(epoch: epoch) * v[i] }
                }
            }
        }
        return W + b
    }

    @Test(arguments: [2, 8, 9, 31, 33, 40, 64, 100], [1, 17, 33])
    func `any number of classes and dimensions gives what a plain loop gives, on one thread as on several`(C: Int, D: Int) {
        var probe = StochasticProbe()
        (probe.learningRate, probe.batch, probe.epochs, probe.weightDecay, probe.milestones) = (6, 37, 3, 1e-3, [2])
        let N = 90, x = formula("\(C) classes", N * D), labels = (0..<N).map { Int32($0 * 7 % C) }
        let train = FeatureMatrix(x, samples: N, dimension: D), orders = (0..<3).map { probe.order(epoch: $0, samples: N) }
        func trained() -> [Float] {
            let classifier = probe.initial(classes: C, dimension: D)
            probe.train(classifier, on: train, labels: labels)
            return classifier.weights + classifier.biases
        }
        let expected = plain(probe, x.map(Double.init), labels, classes: C, dimension: D, start: probe.initial(classes: C, dimension: D).weights, orders: orders)
        let several = trained()
        #expect(difference(several, expected.map { Float($0) }) < 1e-4)
        // Inside a piece of parallel work, the piece's thread does all nested pieces alone.
        nonisolated(unsafe) var alone: [Float] = []
        Parallel.forEach(2) { piece, _ in if piece == 1 { alone = trained() } }
        let isSame = alone == several
        #expect(isSame)
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
