import Foundation
import Losses
import TestSupport
import Testing

@Suite struct SwappedPredictionTests {
    @Test(arguments: [(5, 7), (300, 130), (1, 3), (70, 1)])
    func `assignments share rows equally, and rows sum to one`(_ B: Int, _ K: Int) {
        let scores = formula("scores", B * K), q = Sinkhorn.assignments(scores, prototypes: K, epsilon: 0.3, iterations: 200, last: B)
        for b in 0..<B {
            let sum: Float = q[b * K..<(b + 1) * K].reduce(0, +)
            #expect(abs(sum - 1) < 1e-5)
        }
        let share = Float(B) / Float(K)
        for k in 0..<K {
            let sum: Float = stride(from: k, to: B * K, by: K).reduce(0) { $0 + q[$1] }
            #expect(abs(sum - share) < 1e-3 * share)
        }
        #expect(q.allSatisfy { $0 >= 0 })
        // With `last`, only the assignments of the last rows.
        #expect(Sinkhorn.assignments(scores, prototypes: K, epsilon: 0.3, iterations: 200, last: min(2, B)) == Array(q.suffix(min(2, B) * K)))
    }

    @Test func `iterations are as a plain loop in double precision has them`() {
        let (B, K) = (9, 5), scores = formula("plain", B * K)
        var Q = scores.map { exp(Double($0) / 0.05) }
        for _ in 0..<3 {
            for k in 0..<K {
                let sum: Double = stride(from: k, to: B * K, by: K).reduce(0) { $0 + Q[$1] }
                for b in 0..<B { Q[b * K + k] /= sum * Double(K) }
            }
            for b in 0..<B {
                let sum: Double = Q[b * K..<(b + 1) * K].reduce(0, +)
                for k in 0..<K { Q[b * K + k] /= sum }
            }
        }
        #expect(relativeError(Sinkhorn.assignments(scores, prototypes: K, epsilon: 0.05, iterations: 3, last: B), Q) < 1e-5)
    }

    @Test func `without iterations an assignment is a softmax, whatever the other rows are`() {
        let (B, K) = (70, 19), scores = formula("softmax", B * K), q = Sinkhorn.assignments(scores, prototypes: K, epsilon: 0.05, iterations: 0, last: 3)
        for b in 0..<3 {
            let row = scores[(B - 3 + b) * K..<(B - 2 + b) * K].map { exp(Double($0) / 0.05) }, sum = row.reduce(0, +)
            #expect(relativeError(Array(q[b * K..<(b + 1) * K]), row.map { $0 / sum }) < 1e-5)
        }
    }

    @Test(arguments: [0 as Float, 1e6, -1e6, 3e38])
    func `scores that are far apart, or all alike, give numbers`(_ size: Float) {
        let prediction = SwappedPrediction(temperature: 0.1, epsilon: 0.05, iterations: 3), (N, K) = (3, 4)
        let scores = formula("far", N * 5 * K).map { $0 * size }
        let result = prediction.evaluate(scores: scores, N: N, views: [2, 3], prototypes: K)
        #expect(result.loss.isFinite && result.gradient.allSatisfy(\.isFinite))
        if size == 0 { #expect(abs(result.loss - 1.3862944) < 1e-5 && result.gradient.allSatisfy { abs($0) < 1e-6 }) }
    }

    @Test func `earlier scores are assigned together with the batch's`() {
        let prediction = SwappedPrediction(temperature: 0.1, epsilon: 0.05, iterations: 3), (N, K) = (4, 6), scores = formula("batch", N * 2 * K)
        let rows = formula("rows", 8 * 3), prototypes = formula("prototypes", K * 3), queued = SwappedPrediction.scores(rows, prototypes: prototypes, dimension: 3)
        let product = zip(rows[6..<9], prototypes[15..<18]).reduce(Float(0)) { $0 + $1.0 * $1.1 }
        #expect(abs(queued[2 * K + 5] - product) < 1e-6)
        let without = prediction.evaluate(scores: scores, N: N, views: [2], prototypes: K)
        let with = prediction.evaluate(scores: scores, N: N, views: [2], prototypes: K, queued: [queued, queued])
        #expect(with.loss != without.loss && with.gradient.count == scores.count)
    }
}
