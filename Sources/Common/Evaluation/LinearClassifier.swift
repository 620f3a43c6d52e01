import Kernels
import Parallel

/// A linear classifier: `logits = x·Wᵀ + b`, and the class with the largest logit wins.
public final class LinearClassifier: @unchecked Sendable {
    public let classes: Int
    public let dimension: Int
    /// W (classes, dimension), then b (classes).
    let parameters: FloatBuffer

    public init(classes: Int, dimension: Int) {
        self.classes = classes
        self.dimension = dimension
        parameters = FloatBuffer(classes * dimension + classes)
    }

    /// - Parameters:
    ///   - weights: (classes, dimension).
    ///   - biases: (classes).
    public convenience init(weights: [Float], biases: [Float], dimension: Int) {
        precondition(weights.count == biases.count * dimension)
        self.init(classes: biases.count, dimension: dimension)
        weights.withUnsafeBufferPointer { if let base = $0.baseAddress { self.weightStart.update(from: base, count: weights.count) } }
        biases.withUnsafeBufferPointer { if let base = $0.baseAddress { self.biasStart.update(from: base, count: biases.count) } }
    }

    var weightStart: UnsafeMutablePointer<Float> { parameters.pointer }
    var biasStart: UnsafeMutablePointer<Float> { parameters.pointer + classes * dimension }

    public var weights: [Float] { Array(UnsafeBufferPointer(start: weightStart, count: classes * dimension)) }
    public var biases: [Float] { Array(UnsafeBufferPointer(start: biasStart, count: classes)) }

    public func copy() -> LinearClassifier {
        LinearClassifier(weights: weights, biases: biases, dimension: dimension)
    }

    /// Copies the weights of a classifier of the same shape.
    func update(from other: LinearClassifier) {
        precondition(other.classes == classes && other.dimension == dimension)
        parameters.pointer.update(from: other.parameters.pointer, count: parameters.count)
    }

    /// Whether every weight is finite.
    public var isFinite: Bool {
        (0..<parameters.count).allSatisfy { parameters.pointer[$0].isFinite }
    }

    /// Sets `logits` (rows, classes) for the samples `first..<first + rows`.
    func logits(_ features: FeatureMatrix, first: Int, rows: Int, into logits: UnsafeMutablePointer<Float>) {
        for n in 0..<rows { (logits + n * classes).update(from: biasStart, count: classes) }
        Matrix.multiply(
            features.row(first), lda: dimension, weightStart, .transposed, ldb: dimension,
            into: logits, ldc: classes, m: rows, n: classes, k: dimension, beta: 1)
    }

    /// The class of each sample; of equal logits, the class with the lower number.
    public func predictions(_ features: FeatureMatrix) -> [Int32] {
        let (N, C, block) = (features.samples, classes, 256), pieces = (N + block - 1) / block, workers = Parallel.threads
        precondition(features.dimension == dimension)
        let scratch = FloatBuffer(workers * block * C)
        var predictions = [Int32](repeating: 0, count: N)
        predictions.withUnsafeMutableBufferPointer { predictions in
            nonisolated(unsafe) let predictions = predictions
            Parallel.forEach(pieces, workers: workers) { piece, worker in
                let z = scratch.pointer + worker * block * C, first = piece * block, rows = min(block, N - first)
                logits(features, first: first, rows: rows, into: z)
                for n in 0..<rows {
                    let row = z + n * C
                    predictions[first + n] = Int32((1..<max(1, C)).reduce(0) { row[$1] > row[$0] ? $1 : $0 })
                }
            }
        }
        return predictions
    }

    /// The accuracy on labelled samples. Of equal logits, the class with the lower number ranks first.
    public func accuracy(_ features: FeatureMatrix, labels: [Int32]) -> Accuracy {
        let (N, C, block) = (features.samples, classes, 256), pieces = (N + block - 1) / block, workers = Parallel.threads
        precondition(labels.count == N && features.dimension == dimension)
        let scratch = FloatBuffer(workers * block * C)
        var partial = [Accuracy](repeating: Accuracy(), count: pieces)
        partial.withUnsafeMutableBufferPointer { partial in
            nonisolated(unsafe) let partial = partial
            Parallel.forEach(pieces, workers: workers) { piece, worker in
                let z = scratch.pointer + worker * block * C, first = piece * block, rows = min(block, N - first)
                logits(features, first: first, rows: rows, into: z)
                var accuracy = Accuracy()
                for n in 0..<rows {
                    let row = z + n * C
                    let label = Int(labels[first + n])
                    let own = row[label]
                    var rank = 0
                    for c in 0..<label { rank &+= row[c] >= own ? 1 : 0 }
                    for c in label..<C { rank &+= row[c] > own ? 1 : 0 }
                    accuracy.count(rank: rank)
                }
                partial[piece] = accuracy
            }
        }
        return partial.reduce(Accuracy(), +)
    }
}
