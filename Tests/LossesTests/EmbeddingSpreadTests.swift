import Losses
import TestSupport
import Testing

struct EmbeddingSpreadTests {
    private func spread(_ rows: [Float], _ D: Int) -> EmbeddingSpread? { rows.withUnsafeBufferPointer { EmbeddingSpread.of($0, dimension: D) } }

    @Test func `rows along the axes have all the dimensions less the mean's, and rows that are alike have none`() {
        // One row per axis: centred, they span D − 1 dimensions evenly, and each number has variance (D − 1)/D².
        for D in [2, 3, 16, 90] {
            let axes = spread((0..<D * D).map { $0 / D == $0 % D ? 1 : 0 }, D)
            #expect(abs((axes?.effectiveRank ?? 0) - Double(D - 1)) < 1e-3 * Double(D) && abs((axes?.deviation ?? 0) - (Double(D - 1) / Double(D)).squareRoot()) < 1e-6)
        }
        let alike = spread((0..<40).map { $0 % 5 == 0 ? 0.6 : 0.4 }, 5)
        #expect(alike?.deviation == 0 && alike != nil && alike?.effectiveRank == nil)
        #expect(spread([1, 0], 2) == nil)
    }

    @Test func `rows on a line have one dimension, and random directions about as many as there are rows`() {
        let line = (0..<20).flatMap { i -> [Float] in i % 2 == 0 ? [1, 0, 0, 0] : [-1, 0, 0, 0] }
        #expect(abs((spread(line, 4)?.effectiveRank ?? 0) - 1) < 1e-5)
        let D = 64, values = formula("directions", 200 * D)
        let rows = stride(from: 0, to: values.count, by: D).flatMap { start -> [Float] in
            let row = values[start..<(start + D)], norm = row.reduce(0) { $0 + $1 * $1 }.squareRoot()
            return row.map { $0 / norm }
        }
        let random = spread(rows, D)
        #expect(random.map { abs(($0.deviation ?? 0) - 1) < 0.02 && (40...64).contains($0.effectiveRank ?? 0) } == true)
    }

    @Test func `the effective rank of known eigenvalues`() {
        // Pairs ±a along the axes: eigenvalues 2a², so p = a²/Σa².
        let rows: [Float] = [1, 0, 0, -1, 0, 0, 0, 0.5, 0, 0, -0.5, 0, 0, 0, 0.25, 0, 0, -0.25]
        // p = 16/21, 4/21, 1/21.
        #expect(abs((spread(rows, 3)?.effectiveRank ?? 0) - 1.9504) < 1e-3)
    }
}
