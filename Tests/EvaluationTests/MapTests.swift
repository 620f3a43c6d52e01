import Evaluation
import TestSupport
import Testing

/// Principal components and maps that preserve neighbours.
struct MapTests {
    @Test func `principal components are scikit-learn's`() throws {
        let golden = try Golden("maps"), found = PrincipalComponents(try golden.matrix("x"), k: 3)
        let expected = try golden.doubles("coordinates"), size = expected.reduce(0) { max($0, abs($1)) }
        #expect(found.coordinates.count == expected.count && zip(found.coordinates, expected).allSatisfy { abs($0 - $1) < 1e-5 * size })
        #expect(try zip(found.variances, golden.doubles("variances")).allSatisfy { abs($0 / $1 - 1) < 1e-5 } && abs(found.total / golden.doubles("total")[0] - 1) < 1e-5)
    }

    @Test(arguments: [(1, 1), (2, 3), (5, 2), (3, 40)])
    func `few samples and few dimensions have components too`(_ N: Int, _ D: Int) {
        let x = FeatureMatrix(formula("few", N * D), samples: N, dimension: D), k = min(2, D), found = PrincipalComponents(x, k: k)
        #expect(found.coordinates.count == N * k && found.coordinates.allSatisfy(\.isFinite) && found.variances.allSatisfy { $0 >= 0 })
        #expect(found.variances.reduce(0, +) <= found.total * (1 + 1e-9))
        let same = PrincipalComponents(FeatureMatrix([Float](repeating: 2, count: 4 * D), samples: 4, dimension: D), k: k)
        #expect(same.coordinates.allSatisfy { $0 == 0 } && same.total == 0)
    }

    /// Trustworthiness: how far neighbours in a map are neighbours in the features (Venna and Kaski, 2001).
    private func trustworthiness(_ x: FeatureMatrix, _ y: [Double], k: Int) -> Double {
        let N = x.samples
        func ranks(_ distance: (Int, Int) -> Double) -> [[Int]] { (0..<N).map { i in (0..<N).filter { $0 != i }.sorted { (distance(i, $0), $0) < (distance(i, $1), $1) } } }
        let values = x.values, D = x.dimension
        let high = ranks { i, j in (0..<D).reduce(0.0) { $0 + Double((values[i * D + $1] - values[j * D + $1]) * (values[i * D + $1] - values[j * D + $1])) } }
        let low = ranks { i, j in (y[2 * i] - y[2 * j]) * (y[2 * i] - y[2 * j]) + (y[2 * i + 1] - y[2 * j + 1]) * (y[2 * i + 1] - y[2 * j + 1]) }
        var sum = 0
        for i in 0..<N { for j in low[i].prefix(k) { sum += max(0, (high[i].firstIndex(of: j) ?? 0) + 1 - k) } }
        return 1 - 2 / Double(N * k * (2 * N - 3 * k - 1)) * Double(sum)
    }

    @Test func `a map keeps neighbours as well as scikit-learn's`() throws {
        let golden = try Golden("maps"), x = try golden.matrix("x"), map = NeighbourMap(x, iterations: 1000)
        let kept = trustworthiness(x, map.coordinates, k: 10), expected = try golden.doubles("trustworthiness")[0], divergence = try golden.doubles("divergence")[0]
        #expect(kept > expected - 0.01, "\(kept), scikit-learn's \(expected)")
        #expect(map.divergence < divergence * 1.05 + 0.01, "\(map.divergence), scikit-learn's \(divergence)")
        #expect(NeighbourMap(x, iterations: 60).coordinates == NeighbourMap(x, iterations: 60).coordinates)
    }

    @Test(arguments: [0, 1, 3, 4, 7])
    func `few samples have a map`(_ N: Int) {
        let map = NeighbourMap(FeatureMatrix(formula("map", N * 5), samples: N, dimension: 5), iterations: 50)
        #expect(map.coordinates.count == 2 * N && map.coordinates.allSatisfy(\.isFinite))
    }
}
