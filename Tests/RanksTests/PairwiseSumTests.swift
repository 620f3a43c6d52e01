import Kernels
import Ranks
import TestSupport
import Testing

@Suite struct PairwiseSumTests {
    // Numbers of all sizes, so that another order has other bits; parts of a buffer begun one after the other, as the gradients of a backward pass are.
    @Test(arguments: 1...13)
    func `ranks add what one process does, to the last bit`(_ groups: Int) throws {
        let n = 10_007, parts = [7000..<n, 11..<7000, 0..<11]
        let all = (0..<groups).map { group in formula("\(group)", n).enumerated().map { $1 * Float(1 << ($0 % 20)) } }
        let expected = pairwise(all)
        for count in 1...groups {
            let sums = try RankThreads.run(count) { ranks -> [[Float]] in
                let buffer = FloatBuffer(n), sum = PairwiseSum([buffer], groups: ranks.groups(in: groups), isWhole: false)
                return try (0..<2).map { _ in
                    for group in ranks.groups(in: groups) {
                        for (i, value) in all[group].enumerated() { buffer.pointer[i] = value }
                        if !sum.isLast { sum.add() }
                    }
                    for part in parts { ranks.add(sum, 0, part, groups: groups) }
                    try ranks.wait()
                    sum.endLast()
                    return buffer.array
                }
            }
            for sum in sums.joined() { #expect(firstDifference(sum, expected) == nil, "\(count) ranks") }
        }
    }

    /// ((0 + 1) + (2 + 3)) + …, by halving at the largest power of two that is less than the count.
    private func pairwise(_ values: [[Float]]) -> [Float] {
        guard values.count > 1 else { return values[0] }
        var half = 1
        while half * 2 < values.count { half *= 2 }
        return zip(pairwise(Array(values[..<half])), pairwise(Array(values[half...]))).map { $0 + $1 }
    }

    @Test(arguments: 1...19)
    func `neighbours are added first, to the last bit`(_ groups: Int) {
        // Two buffers, one of several pieces; numbers of all sizes, so that another order has other bits.
        let counts = [7, 70_001], buffers = counts.map { FloatBuffer($0) }, sum = PairwiseSum(buffers, groups: 0..<groups)
        let all = (0..<groups).map { group in counts.map { count in formula("\(group)", count).enumerated().map { $1 * Float(1 << ($0 % 20)) } } }
        for _ in 0..<2 {
            for values in all {
                for (buffer, values) in zip(buffers, values) { for (i, value) in values.enumerated() { buffer.pointer[i] = value } }
                sum.add()
            }
            for (i, buffer) in buffers.enumerated() {
                let expected = pairwise(all.map { $0[i] })
                #expect(firstDifference(buffer.array, expected) == nil)
                if groups > 3, i == 1 { #expect(firstDifference(all.dropFirst().reduce(all[0][1]) { zip($0, $1[1]).map { $0 + $1 } }, expected) != nil) }
            }
        }
    }
}
