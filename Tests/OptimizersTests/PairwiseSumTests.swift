import Kernels
import Optimizers
import TestSupport
import Testing

@Suite struct PairwiseSumTests {
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
        let counts = [7, 70_001], buffers = counts.map { FloatBuffer($0) }, sum = PairwiseSum(buffers)
        let all = (0..<groups).map { group in counts.map { count in formula("\(group)", count).enumerated().map { $1 * Float(1 << ($0 % 20)) } } }
        for _ in 0..<2 {
            for (group, values) in all.enumerated() {
                for (buffer, values) in zip(buffers, values) { for (i, value) in values.enumerated() { buffer.pointer[i] = value } }
                sum.add(isLast: group == groups - 1)
            }
            for (i, buffer) in buffers.enumerated() {
                let expected = pairwise(all.map { $0[i] })
                #expect(firstDifference(buffer.array, expected) == nil)
                if groups > 3, i == 1 { #expect(firstDifference(all.dropFirst().reduce(all[0][1]) { zip($0, $1[1]).map { $0 + $1 } }, expected) != nil) }
            }
        }
    }
}
