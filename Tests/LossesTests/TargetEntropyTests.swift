import Foundation
import Losses
import Testing

struct TargetEntropyTests {
    private let D = 12

    private func entropy(_ rows: [Float], capacity: Int) -> TargetEntropy {
        rows.withUnsafeBufferPointer { TargetEntropy($0, dimension: D, capacity: capacity) }
    }

    /// Rows around five directions, like those of a teacher that knows five classes.
    private func rows(_ N: Int, seed: UInt64) -> [Float] {
        let (kinds, noise) = (normalizedRows(5, D, seed: 99), normalizedRows(N, D, seed: seed))
        return (0..<N).flatMap { n -> [Float] in
            let row = (0..<D).map { kinds[n % 5 * D + $0] + 0.7 * noise[n * D + $0] }
            let length = row.reduce(0) { $0 + $1 * $1 }.squareRoot()
            return row.map { $0 / length }
        }
    }

    /// The entropy of SEED's targets for each row, with the other rows as the queue, `copies` times.
    private func plain(_ rows: [Float], copies: Int, _ temperature: Double) -> Double {
        let N = rows.count / D
        let floors = (0..<N).map { n -> Double in
            let own = Array(rows[n * D..<(n + 1) * D])
            let others = Array(rows[..<(n * D)] + rows[((n + 1) * D)...])
            let queue = EmbeddingQueue(rows: Array(repeatElement(others, count: copies).joined()), dimension: D, position: 0, filled: 0)
            return QueueLoss.seed(queue: queue, teacherTemperature: temperature).values(own, own).meanFloor ?? .nan
        }
        return floors.reduce(0, +) / Double(N)
    }

    @Test(arguments: [0.01, 0.05, 0.3], [1, 3])
    func `the share is that of SEED's own targets`(temperature: Double, copies: Int) {
        let rows = rows(40, seed: 3)
        let expected = plain(rows, copies: copies, temperature) / log(Double(copies * 39) + 1)
        #expect(abs(entropy(rows, capacity: copies * 39).share(at: temperature) - expected) < 1e-4)
    }

    @Test func `a few rows tell what a large queue of such rows will have`() {
        let (few, many, asking) = (rows(256, seed: 5), rows(2000, seed: 6), rows(100, seed: 7))
        let entropy = entropy(few, capacity: 2000)
        for temperature in [0.02, 0.06, 0.2] {
            let queue = EmbeddingQueue(rows: many, dimension: D, position: 0, filled: 2000)
            let floor = QueueLoss.seed(queue: queue, teacherTemperature: temperature).values(asking, asking).meanFloor ?? .nan
            #expect(abs(entropy.share(at: temperature) - floor / log(2001)) < 0.03, "\(temperature)")
        }
    }

    @Test(arguments: [0.3, 2.0 / 3, 0.9], [100, 2048, 65536])
    func `the temperature that is found has the share asked for, in three digits`(share: Double, capacity: Int) {
        let entropy = entropy(rows(200, seed: 8), capacity: capacity)
        let temperature = entropy.temperature(share: share, in: 1e-3...10)
        #expect(abs(entropy.share(at: temperature) - share) < 0.005)
        #expect(Double(String(format: "%.3g", temperature)) == temperature)
        #expect(entropy.temperature(share: share, in: 1e-3...10) == temperature)
    }

    @Test func `where no temperature will do it is the end of the range`() {
        let entropy = entropy(rows(200, seed: 8), capacity: 1000)
        #expect(entropy.temperature(share: 0.999999, in: 0.01...0.5) == 0.5)
        #expect(entropy.temperature(share: 1e-9, in: 0.01...0.5) == 0.01)
    }

    @Test func `one-hot and uniform targets have the shares 0 and 1, without NaN`() {
        let entropy = entropy(rows(100, seed: 8), capacity: 1000)
        #expect(entropy.share(at: 1e-5) < 1e-6 && entropy.share(at: 1e-5) >= 0)
        #expect(abs(entropy.share(at: 1e3) - 1) < 1e-6)
        // Identical rows have uniform targets at any temperature.
        let alike = self.entropy([Float](repeating: 1 / Float(12).squareRoot(), count: 50 * 12), capacity: 1000)
        #expect(abs(alike.share(at: 0.01) - 1) < 1e-4)
    }
}
