import Losses
import Randomness
import Testing

/// The largest difference, relative to the largest expected number.
func relativeError(_ found: some Collection<Float>, _ expected: some Collection<Float>) -> Double {
    guard found.count == expected.count else { return .infinity }
    let scale = expected.reduce(0) { max($0, abs($1)) }
    var worst = 0.0
    for (a, b) in zip(found, expected) {
        guard a.isFinite else { return .infinity }
        worst = max(worst, Double(abs(a - b)))
    }
    return worst / Double(max(scale, .leastNormalMagnitude))
}

/// `count` random rows of unit length.
func normalizedRows(_ count: Int, _ dimension: Int, seed: UInt64) -> [Float] {
    EmbeddingQueue(capacity: count, dimension: dimension, seed: seed ^ 0xABCD).rows
}

extension QueueLoss {
    mutating func evaluate(_ student: [Float], _ teacher: [Float]) -> LossValues {
        student.withUnsafeBufferPointer { student in
            teacher.withUnsafeBufferPointer { teacher in
                evaluate(student: student, teacher: teacher, count: student.count / queue.dimension)
            }
        }
    }

    /// The same without the enqueue.
    func values(_ student: [Float], _ teacher: [Float]) -> LossValues {
        var copy = self
        return copy.evaluate(student, teacher)
    }
}

extension EmbeddingQueue {
    mutating func enqueue(_ rows: [Float]) { rows.withUnsafeBufferPointer { enqueue($0) } }
}

func supervised(_ embeddings: [Float], _ labels: [Int32], _ dimension: Int, _ temperature: Double = 0.1) -> LossValues {
    embeddings.withUnsafeBufferPointer {
        SupervisedContrastiveLoss.evaluate(embeddings: $0, labels: labels, dimension: dimension, temperature: temperature)
    }
}

/// Expects that a small step in a few random directions changes `f` by as much as `gradient` says.
func expectDerivative(
    _ gradient: [Float], of f: ([Float]) -> Double, at x: [Float], step: Float = 1e-2, tolerance: Double = 2e-3,
    sourceLocation: SourceLocation = #_sourceLocation
) {
    var random = CounterRandom(seed: 5, .test)
    for _ in 0..<3 {
        let direction = x.map { _ in Float(random.normal()) }
        let ahead = zip(x, direction).map { $0 + step * $1 }
        let behind = zip(x, direction).map { $0 - step * $1 }
        let measured = (f(ahead) - f(behind)) / Double(2 * step)
        let predicted = zip(gradient, direction).reduce(0) { $0 + Double($1.0) * Double($1.1) }
        let scale = max(abs(measured), abs(predicted))
        #expect(abs(measured - predicted) <= tolerance * scale, "measured \(measured), predicted \(predicted)", sourceLocation: sourceLocation)
    }
}
