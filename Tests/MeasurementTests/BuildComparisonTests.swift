import Measurement
import Testing

struct BuildComparisonTests {
    /// The ranks are those of the tables: Conover, table A3 of the binomial; the same as scipy.stats.binom.ppf(0.025,
    /// n, 0.5).
    @Test(arguments: [(6, 1, 6), (8, 1, 8), (9, 2, 8), (15, 4, 12), (20, 6, 15), (100, 40, 61), (1000, 469, 532)])
    func `the interval of a median is from order statistics`(count: Int, low: Int, high: Int) {
        let interval = MedianInterval.of((1...count).map { Double($0) }.shuffled())
        #expect(interval == Double(low)...Double(high))
    }

    private func comparison(_ ratios: [Double]) -> BuildComparison {
        BuildComparison(workload: .init(.train, "resnet18", size: 64, batch: 8), ours: ratios.map { 1 / $0 }, theirs: ratios.map { _ in 1 }, memory: (1, 1))
    }

    @Test func `a build is slower only where the whole interval lies below 0.98`() {
        let slow = comparison([Double](repeating: 0.97, count: 15)), same = comparison([Double](repeating: 0.985, count: 15))
        #expect(slow.isSlower && !same.isSlower)
        // Median 0.9, but the fourth largest of fifteen is 1: not significant.
        let scattered = comparison([Double](repeating: 0.9, count: 11) + [1, 1, 1, 1])
        #expect(abs(scattered.ratio - 0.9) < 1e-12 && !scattered.isSlower)
        #expect(Report.table([slow, same]).hasSuffix("Slower, since the interval of the median ratio lies below 0.98: training step 64×64, resnet18.\n"))
        #expect(Report.table([same]).hasSuffix("No workload is slower: no interval of the median ratio lies below 0.98.\n"))
    }
}
