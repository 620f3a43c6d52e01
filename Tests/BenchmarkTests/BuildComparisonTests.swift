import Measurement
import TensorStreams
import TestSupport
import Testing

struct BuildComparisonTests {
    /// The ranks are those of the tables: Conover, table A3 of the binomial; the same as scipy.stats.binom.ppf(0.025, n, 0.5).
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
        // Median 0.9, but the fourth largest of fifteen is 1: no proof.
        let scattered = comparison([Double](repeating: 0.9, count: 11) + [1, 1, 1, 1])
        #expect(scattered.ratio == 0.9 && !scattered.isSlower)
        #expect(Report.table([slow, same]).hasSuffix("Slower, since the interval of the median ratio lies below 0.98: training step 64×64, resnet18.\n"))
        #expect(Report.table([same]).hasSuffix("No workload is slower: no interval of the median ratio lies below 0.98.\n"))
    }

    /// A build that takes 50 s for each batch.
    private let other = """
        #!/bin/bash
        echo "$@" > asked
        echo '{"ready": true}'
        while read -r word; do echo $word >> turns; echo '{"seconds": 50}'; done
        echo '{"memory": 1048576000}'
        """

    @Test func `two builds take turns, and each pair has its ratio`() throws {
        let place = try Workplace()
        try place.write(other, to: "build/benchmark")
        try place.perform("chmod +x build/benchmark")
        let result = try place.run("benchmark tiny-resnet10 --size 16 --batch 4 --seconds 0.01 --only train --threads 2 --against build --pairs 6 -o out")
        try #require(result.status == 0, "\(result.error)")
        #expect(try place.text("asked") == "turn train tiny-resnet10 --size 16 --batch 4 --threads 2 --seconds 0.01\n")
        // Where other tests take the processor away, up to five times each.
        let turns = try place.text("turns").split(separator: "\n")
        #expect((6...30).contains(turns.count) && turns.allSatisfy { $0 == "run" })
        let line = try JSON(parsing: Array(place.text("out").utf8.dropLast()))
        let ours = try #require(line["seconds_per_batch"]?.asNumber), ratios = try #require(line["ratios"]?.asArray?.compactMap(\.asNumber))
        #expect(ratios.count == 6 && line["ratio_low"]?.asNumber == ratios.min() && line["ratio_high"]?.asNumber == ratios.max())
        #expect(ratios.allSatisfy { $0 > 50 } && (0...1).contains(ours) && line["seconds_per_batch_other"]?.asNumber == 50)
        #expect(result.output.contains("1000 MiB") && result.output.contains("No workload is slower"))
    }

    @Test(arguments: [("--against nowhere", "nowhere has no benchmark"), ("--against . --peers cat", "give one"), ("--against . --pairs 5", "--pairs takes 6 to 1000 with --against")])
    func `what cannot be compared is said at once`(options: String, words: String) throws {
        let result = try Workplace().run("benchmark \(options)")
        #expect(result.status == 64 && result.error.contains(words), "\(result.error)")
    }
}
