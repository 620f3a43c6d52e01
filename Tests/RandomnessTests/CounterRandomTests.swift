import Randomness
import Testing

@Suite struct CounterRandomTests {
    /// Random123's kat_vectors, philox4x32-10.
    @Test func `Philox gives the known answers`() {
        let ones = UInt32.max
        for (counter, key, answer) in [
            ((0, 0, 0, 0), (0, 0), (0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8)),
            ((ones, ones, ones, ones), (ones, ones), (0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd)),
            ((0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344), (0xa409_3822, 0x299f_31d0), (0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1)),
        ] as [((UInt32, UInt32, UInt32, UInt32), (UInt32, UInt32), (UInt32, UInt32, UInt32, UInt32))] {
            #expect(CounterRandom.philox(counter, key) == answer)
        }
    }

    @Test func `the words are those of the counter that names seed, use, epoch and item`() {
        var random = CounterRandom(seed: 0x1122_3344_5566_7788, .augmentation, epoch: 5, item: 0x3_0000_0007)
        for block in 0..<3 as Range<UInt32> {
            let expected = CounterRandom.philox((block, 7, 3 ^ (2 << 24), 5), (0x5566_7788, 0x1122_3344))
            let found = (random.nextWord(), random.nextWord(), random.nextWord(), random.nextWord())
            #expect(found == expected)
        }
    }

    private func draws(_ seed: UInt64, _ stream: CounterRandom.Stream, _ epoch: Int, _ item: Int) -> [UInt64] {
        var random = CounterRandom(seed: seed, stream, epoch: epoch, item: item)
        return (0..<64).map { _ in random.next() }
    }

    @Test func `another seed, use, epoch or item has other numbers, the same has the same`() {
        var all = Set<UInt64>()
        var count = 0
        for seed in [0, 1, 1 << 32] as [UInt64] {
            for stream in CounterRandom.Stream.allCases {
                for epoch in [0, 1, 255] {
                    for item in [0, 1, 255, 1 << 20] {
                        let numbers = draws(seed, stream, epoch, item)
                        #expect(numbers == draws(seed, stream, epoch, item))
                        all.formUnion(numbers)
                        count += numbers.count
                    }
                }
            }
        }
        // No two of 20 736 64-bit numbers are equal by chance.
        #expect(all.count == count)
    }

    @Test(arguments: [0, 1, 2, 3, 17, 1000])
    func `a permutation has every number once, and is a function of the seed`(count: Int) {
        var random = CounterRandom(seed: 3, .test), again = CounterRandom(seed: 3, .test), other = CounterRandom(seed: 4, .test)
        let order = random.permutation(count)
        #expect(order.sorted() == Array(0..<count))
        #expect(order == again.permutation(count))
        if count > 10 {
            #expect(order != other.permutation(count) && order != Array(0..<count))
        }
    }

    @Test func `all orders are equally likely`() {
        var random = CounterRandom(seed: 1, .test), counts: [[Int]: Int] = [:]
        for _ in 0..<24_000 { counts[random.permutation(4), default: 0] += 1 }
        #expect(counts.count == 24)
        // χ² with 23 degrees of freedom exceeds 60 once in 30 000 times; the seed is fixed.
        #expect(counts.values.reduce(0.0) { $0 + Double(($1 - 1000) * ($1 - 1000)) / 1000 } < 60)
    }

    @Test(arguments: [1, 2, 3, 7, 100, Int(1) << 62, Int.max])
    func `below stays below its bound and is not biased`(bound: Int) {
        var random = CounterRandom(seed: 2, .test), sum = 0.0, least = Int.max
        for _ in 0..<20_000 {
            let number = random.below(bound)
            guard (0..<bound).contains(number) else {
                Issue.record("\(number) is not below \(bound)")
                return
            }
            sum += Double(number) / Double(bound)
            least = min(least, number)
        }
        // Mean (1 − 1/b)/2 with deviation at most 0.29/√20 000 = 0.002.
        #expect(abs(sum / 20_000 - (1 - 1 / Double(bound)) / 2) < 0.01)
        #expect(Double(least) <= Double(bound) * 0.01)
    }

    @Test func `below hits every number equally often, where a remainder would not`() {
        // Two thirds of all 64-bit numbers: with a remainder the lower half would occur twice as often.
        let bound = Int(UInt64.max / 3)
        var random = CounterRandom(seed: 9, .test), counts = [Int](repeating: 0, count: 3), small = [Int](repeating: 0, count: 10)
        for _ in 0..<30_000 {
            counts[min(2, random.below(bound) / (bound / 3))] += 1
            small[random.below(10)] += 1
        }
        for count in counts { #expect(abs(count - 10_000) < 400) }
        for count in small { #expect(abs(count - 3000) < 250) }
    }

    @Test func `uniform numbers lie in [0, 1) with mean one half and variance one twelfth`() {
        var random = CounterRandom(seed: 5, .test)
        let numbers = (0..<50_000).map { _ in random.uniform() }
        #expect(numbers.allSatisfy { $0 >= 0 && $0 < 1 })
        let mean = numbers.reduce(0, +) / 50_000
        #expect(abs(mean - 0.5) < 0.006)
        #expect(abs(numbers.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 50_000 - 1.0 / 12) < 0.002)
        let wide = (0..<1000).map { _ in random.uniform(-3, 5) }
        #expect(wide.allSatisfy { $0 >= -3 && $0 < 5 } && wide.contains { $0 < -2 } && wide.contains { $0 > 4 })
    }

    @Test func `normal numbers have the bell's moments and tails`() {
        var random = CounterRandom(seed: 6, .test)
        let n = 50_000.0, numbers = (0..<50_000).map { _ in random.normal() }
        #expect(numbers.allSatisfy { $0.isFinite })
        func moment(_ power: Int) -> Double { numbers.reduce(0) { sum, x in sum + (0..<power).reduce(1) { p, _ in p * x } } / n }
        #expect(abs(moment(1)) < 0.025 && abs(moment(2) - 1) < 0.035 && abs(moment(3)) < 0.1 && abs(moment(4) - 3) < 0.3)
        let beyond = Double(numbers.count { abs($0) > 1.96 }) / n
        #expect(abs(beyond - 0.05) < 0.005)
    }
}
