import Losses
import Testing

struct SharedMeanTests {
    private func mean(_ rows: [Float], _ D: Int) -> SharedMean { rows.withUnsafeBufferPointer { SharedMean(of: $0, dimension: D) } }

    @Test func `the mean of rows and its length, by hand`() {
        let mean = mean([1, 0, 0, 1, 1, 0], 2)
        #expect(abs(mean.values[0] - 2 / 3) < 1e-7 && abs(mean.values[1] - 1 / 3) < 1e-7)
        #expect(abs(mean.length - 5.0.squareRoot() / 3) < 1e-7)
    }

    @Test func `rows without it have unit length, and the angles that numpy gives`() {
        var rows: [Float] = [0.6, 0.8, 1, 0, 0, 1]
        SharedMean([0.5, 0.25]).takeOff(&rows)
        // (0.1, 0.55), (0.5, −0.25), (−0.5, 0.75), each divided by its length.
        for (found, expected) in zip(rows, [0.178885, 0.983870, 0.894427, -0.447214, -0.554700, 0.832050] as [Float]) { #expect(abs(found - expected) < 1e-5) }
    }

    @Test func `a row that is the mean stays`() {
        var rows: [Float] = [0.6, 0.8, 0, 1]
        SharedMean([0.6, 0.8]).takeOff(&rows)
        #expect(rows[0] == 0.6 && rows[1] == 0.8 && rows[3] != 1)
    }

    @Test func `a mean that was added to random rows is found and taken off`() throws {
        let (N, D) = (1000, 24)
        var rows = normalizedRows(N, D, seed: 1)
        for n in 0..<N {
            rows[n * D] += 1.5
            let length = rows[n * D..<(n + 1) * D].reduce(0) { $0 + $1 * $1 }.squareRoot()
            for d in 0..<D { rows[n * D + d] /= length }
        }
        let cosine = { (rows: [Float]) in rows.withUnsafeBufferPointer { MeanCosine.of($0, dimension: D) } }
        let mean = mean(rows, D)
        #expect(mean.length > 0.8 && mean.values[0] > 0.8)
        #expect(try #require(cosine(rows)) > 0.64)
        mean.takeOff(&rows)
        #expect(abs(try #require(cosine(rows))) < 0.02)
    }
}

struct MeanCosineTests {
    @Test(arguments: [2, 3, 17, 64])
    func `it is the mean over all pairs`(N: Int) throws {
        let D = 5
        let rows = normalizedRows(N, D, seed: UInt64(N))
        var sum = 0.0
        for i in 0..<N { for j in 0..<N where i != j { for d in 0..<D { sum += Double(rows[i * D + d]) * Double(rows[j * D + d]) } } }
        let found = try #require(rows.withUnsafeBufferPointer { MeanCosine.of($0, dimension: D) })
        #expect(abs(found - sum / Double(N * (N - 1))) < 1e-9)
    }

    @Test func `it is 1 for equal rows, −1 for opposite ones, and nothing for one`() {
        let of = { (rows: [Float]) in rows.withUnsafeBufferPointer { MeanCosine.of($0, dimension: 2) } }
        #expect(abs((of([0.6, 0.8, 0.6, 0.8, 0.6, 0.8]) ?? 0) - 1) < 1e-6)
        #expect(of([1, 0, -1, 0]) == -1)
        #expect(of([1, 0]) == nil && of([]) == nil)
    }
}
