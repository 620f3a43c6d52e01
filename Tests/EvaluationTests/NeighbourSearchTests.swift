import Evaluation
import TestSupport
import Testing

struct NeighbourSearchTests {
    /// Integers in a fixed irregular order, so that many similarities are equal.
    private func grid(_ rows: Int, _ dimension: Int, from start: Int) -> [Float] {
        (0..<rows * dimension).map { Float((($0 + start) * 7919 + ($0 + start) / 3 * 104_729) % 5) - 1 }
    }

    private func search(_ queries: FeatureMatrix, k: Int, _ portions: [[Float]]) -> Neighbours {
        let search = NeighbourSearch(queries: queries, k: k)
        for portion in portions { search.add(portion) }
        return search.finish()
    }

    @Test func `finds scikit-learn's neighbours and their cosines`() throws {
        let golden = try Golden.evaluation()
        let found = search(try golden.matrix("knn.test"), k: 40, [try golden.floats("knn.train")])
        #expect(found.k == 40 && found.trainingSamples == 331)
        let list = (0..<found.queries).flatMap { found[$0] }
        #expect(difference(list.map(\.similarity), try golden.floats("knn.similarities")) < 1e-6)
        #expect(list.map { Int($0.index) } == (try golden.integers("knn.neighbours")))
    }

    @Test func `keeps the nearest of many tiles`() {
        let (N, Q, D, k) = (9_001, 3, 3, 37)
        let (train, test) = (grid(N, D, from: 0), grid(Q, D, from: 1))
        let found = search(FeatureMatrix(test, samples: Q, dimension: D), k: k, [train])
        for q in 0..<Q {
            // The same by sorting everything in double precision; here equal numbers are equal directions.
            let query = test[q * D..<(q + 1) * D].map(Double.init)
            let cosines = (0..<N).map { n in
                let row = train[n * D..<(n + 1) * D].map(Double.init)
                let product = zip(query, row).reduce(0) { $0 + $1.0 * $1.1 }
                let lengths = (query.reduce(0) { $0 + $1 * $1 } * row.reduce(0) { $0 + $1 * $1 }).squareRoot()
                return lengths > 0 ? (product / lengths * 1e9).rounded() / 1e9 : 0
            }
            let expected = (0..<N).sorted { (-cosines[$0], $0) < (-cosines[$1], $1) }.prefix(k)
            #expect(difference(found[q].map(\.similarity), expected.map { Float(cosines[$0]) }) < 1e-6)
        }
    }

    @Test func `earlier samples are first among equals, in the list and at its end`() {
        // Rows of ±1 have length 2, so every cosine is exactly a multiple of ½.
        let (N, D, k) = (9_001, 4, 1_500)
        let train: [Float] = formula("train", N * D).map { $0 < 0 ? -1 : 1 }
        for query: [Float] in [[1, 1, 1, 1], [1, -1, -1, 1]] {
            let found = search(FeatureMatrix(query, samples: 1, dimension: D), k: k, [train])
            let products: [Double] = (0..<N).map { n in dot(query, Array(train[n * D..<(n + 1) * D])) }
            let expected = (0..<N).sorted { (-products[$0], $0) < (-products[$1], $1) }.prefix(k)
            #expect(found[0].map { Int($0.index) } == Array(expected))
            // The list ends among equals.
            #expect(Set(expected.map { products[$0] }).count > 1 && products.count { $0 >= products[expected[k - 1]] } > k)
        }
    }

    @Test func `does not depend on the portions the training samples come in`() {
        let train = grid(5_000, 17, from: 3)
        let whole = search(FeatureMatrix(grid(200, 17, from: 9), samples: 200, dimension: 17), k: 11, [train])
        let cuts = [0, 1, 1, 4_095, 4_097, 5_000].map { $0 * 17 }
        let portions = zip(cuts, cuts.dropFirst()).map { Array(train[$0..<$1]) }
        let parts = search(FeatureMatrix(grid(200, 17, from: 9), samples: 200, dimension: 17), k: 11, portions)
        #expect((0..<200).allSatisfy { whole[$0] == parts[$0] })
    }

    @Test func `gives all training samples where there are fewer than k`() {
        let found = search(FeatureMatrix([1, 0], samples: 1, dimension: 2), k: 9, [[0, 2, 3, 0]])
        #expect(found.k == 2)
        #expect(Array(found[0]) == [Neighbour(similarity: 1, index: 1), Neighbour(similarity: 0, index: 0)])
    }

    @Test func `a vector of zeros is unlike everything, and lengths near a float's limits do no harm`() {
        let found = search(FeatureMatrix([3e30, 4e30], samples: 1, dimension: 2), k: 3, [[0, 0, 3e-30, 4e-30, -1, 0]])
        #expect(found[0].map(\.index) == [1, 0, 2])
        #expect(zip(found[0].map(\.similarity), [1, 0, -0.6]).allSatisfy { abs($0 - $1) < 1e-6 })
    }

    /// On several kinds of rows: the search with bytes gives the same bits as the search without.
    @Test(arguments: [
        // Noise; classes; features that hardly differ; many equal ones; few values; rectified ones. Beyond 518
        // dimensions, sums of bytes are no longer exact integers in a float.
        ("noise", 64, 1), ("noise", 513, 200), ("noise", 2048, 5), ("classes", 100, 10), ("classes", 512, 40), ("alike", 48, 20), ("alike", 130, 10), ("equal", 33, 30), ("small", 5, 100), ("small", 1, 7),
        ("rectified", 200, 50),
    ])
    func `leaving samples out by bytes changes no bit`(kind: String, dimension D: Int, k: Int) {
        let (N, Q) = (9_300, 150)
        func rows(_ count: Int, _ name: String) -> [Float] {
            let noise = formula(name, count * D), means = formula("means", 40 * D)
            return switch kind {
            case "classes": (0..<count * D).map { means[$0 / D % 40 * D + $0 % D] + 0.3 * noise[$0] }
            case "alike": (0..<count * D).map { means[$0 % D] + 3e-2 * noise[$0] }
            case "equal": (0..<count * D).map { means[$0 / D % 40 * D + $0 % D] }
            case "small": noise.map { ($0 * 4).rounded() }
            case "rectified": noise.map { max(0, $0) }
            default: noise
            }
        }
        var train = rows(N, "train")
        // Rows of zeros, also among the queries, and a row that is a query's opposite.
        var queries = rows(Q, "queries")
        for d in 0..<D { (train[5_000 * D + d], train[8_000 * D + d], train[9 * D + d], queries[7 * D + d]) = (0, 0, -queries[d], 0) }
        var looked: [Int] = []
        let found = [true, false].map { byBytes in
            let search = NeighbourSearch(queries: FeatureMatrix(queries, samples: Q, dimension: D), k: k, byBytes: byBytes)
            search.add(train)
            looked.append(search.looked)
            return search.finish()
        }
        // A bound that excludes nothing would also be correct.
        if ["noise", "classes", "alike", "rectified"].contains(kind) { #expect(looked[0] < N * Q / (kind == "alike" || k > 100 ? 4 : 8) && looked[1] < looked[0], "\(looked) of \(N * Q)") }
        #expect((0..<Q).allSatisfy { found[0][$0] == found[1][$0] })
        #expect((0..<Q).allSatisfy { query in zip(found[0][query], found[1][query]).allSatisfy { $0.similarity.bitPattern == $1.similarity.bitPattern } })
    }
}
