import Losses
import Testing

struct EmbeddingQueueTests {
    @Test func `a new queue has random rows of unit length and no real entry`() {
        let queue = EmbeddingQueue(capacity: 1000, dimension: 16, seed: 1)
        var mean = [Double](repeating: 0, count: 16)
        for k in 0..<1000 {
            let row = queue.rows[k * 16..<(k + 1) * 16]
            #expect(abs(row.reduce(0.0) { $0 + Double($1) * Double($1) } - 1) < 1e-6)
            for (d, x) in row.enumerated() { mean[d] += Double(x) / 1000 }
        }
        // Each coordinate of a random direction has standard deviation 1/4.
        #expect(mean.allSatisfy { abs($0) < 5 * 0.25 / 31.6 })
        #expect(queue.filled == 0 && queue.realShare == 0 && queue.position == 0)
    }

    @Test func `a row of a new queue depends on the seed and its number, not on the size of the queue`() {
        let queue = EmbeddingQueue(capacity: 700, dimension: 8, seed: 1)
        #expect(EmbeddingQueue(capacity: 300, dimension: 8, seed: 1).rows[...] == queue.rows[..<2400])
        #expect(EmbeddingQueue(capacity: 700, dimension: 8, seed: 2).rows != queue.rows)
    }

    @Test func `rows overwrite the oldest, round the end`() {
        var queue = EmbeddingQueue(rows: [0, 1, 2, 3, 4], dimension: 1, position: 3, filled: 3)
        queue.enqueue([10, 11, 12])
        #expect(queue.rows == [12, 1, 2, 10, 11])
        #expect(queue.position == 1 && queue.filled == 5 && queue.realShare == 1)
        queue.enqueue([])
        #expect(queue.rows == [12, 1, 2, 10, 11])
    }

    @Test(arguments: 1...9, 1...9)
    func `a batch of any size leaves what its rows one by one would leave`(capacity: Int, batch: Int) {
        var whole = EmbeddingQueue(capacity: capacity, dimension: 2, seed: 1)
        var single = whole
        for step in 0..<4 {
            let rows = (0..<batch * 2).map { Float(step * 100 + $0) }
            whole.enqueue(rows)
            for row in 0..<batch { single.enqueue(Array(rows[row * 2..<row * 2 + 2])) }
            #expect(whole == single)
        }
    }
}
