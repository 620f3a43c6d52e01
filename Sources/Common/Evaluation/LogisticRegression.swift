import Kernels
import Parallel

/// Multinomial logistic regression with an L2 penalty, a convex problem with one solution.
///
///     F(W, b) = 1/N Σₙ crossEntropy(xₙ·Wᵀ + b, yₙ) + λ/2 ‖W‖²
///
/// The biases are not penalised. scikit-learn's `LogisticRegression(C:)` minimises the same function with C = 1/(λN).
/// The samples are split into pieces that depend only on their number, and the gradients of the pieces are added in
/// order. So the solution does not depend on the number of threads.
public struct LogisticRegression: Sendable {
    /// λ.
    public var penalty: Double
    /// Stops when the gradient's norm is at most this fraction of its norm at zero weights.
    public var tolerance: Double
    public var maximumIterations: Int

    public init(penalty: Double, tolerance: Double = 1e-4, maximumIterations: Int = 1000) {
        self.penalty = penalty
        self.tolerance = tolerance
        self.maximumIterations = maximumIterations
    }

    /// The result of a fit.
    public struct Fit: Sendable {
        public var classifier: LinearClassifier
        /// F at the end.
        public var objective: Double
        public var iterations: Int
        public var converged: Bool
    }

    /// Minimises F from `start`, or from zero weights.
    ///
    /// - Parameter labels: classes in 0..<classes, one for each sample.
    public func fit(_ features: FeatureMatrix, labels: [Int32], classes: Int, from start: LinearClassifier? = nil) -> Fit {
        precondition(labels.count == features.samples && classes > 0)
        let problem = Problem(features: features, labels: labels, classes: classes, penalty: penalty)
        let classifier = LinearClassifier(classes: classes, dimension: features.dimension)
        let gradient = FloatBuffer(classifier.parameters.count)
        _ = problem.value(classifier, gradient: gradient)
        let scale = VectorAlgebra.norm(gradient.pointer, gradient.count)
        if let start { classifier.parameters.pointer.update(from: start.parameters.pointer, count: gradient.count) }
        let curvature = Curvature(of: features)
        curvature.prepare(penalty: penalty, at: classifier)
        let outcome = LBFGS.minimize(
            classifier.parameters, tolerance: tolerance * scale, maximumIterations: maximumIterations,
            precondition: { curvature.solve($0, classes: classes) }
        ) { _, gradient in
            problem.value(classifier, gradient: gradient)
        }
        return Fit(classifier: classifier, objective: outcome.value, iterations: outcome.iterations, converged: outcome.converged)
    }

    /// F and its gradient.
    private struct Problem {
        private static let block = 256

        let features: FeatureMatrix
        let labels: [Int32]
        let classes: Int
        let penalty: Double
        /// The number of pieces that the samples are split into.
        private let pieces: Int
        /// One gradient for each piece, (pieces, parameters).
        private let partial: FloatBuffer

        init(features: FeatureMatrix, labels: [Int32], classes: Int, penalty: Double) {
            self.features = features
            self.labels = labels
            self.classes = classes
            self.penalty = penalty
            pieces = max(1, min(16, features.samples / Self.block))
            partial = FloatBuffer(pieces * classes * (features.dimension + 1))
        }

        func value(_ classifier: LinearClassifier, gradient: FloatBuffer) -> Double {
            let (N, D, C) = (features.samples, features.dimension, classes)
            let size = C * (D + 1)
            let (pieces, partial, block) = (pieces, partial, Self.block)
            let workers = Parallel.threads
            let scratch = FloatBuffer(workers * block * C)
            var losses = [Double](repeating: 0, count: pieces)
            losses.withUnsafeMutableBufferPointer { losses in
                nonisolated(unsafe) let losses = losses
                Parallel.forEach(pieces, workers: workers) { piece, worker in
                    let z = scratch.pointer + worker * block * C
                    let dW = partial.pointer + piece * size
                    let db = dW + C * D
                    db.update(repeating: 0, count: C)
                    let range = Parallel.part(piece, of: pieces, in: N)
                    var beta: Float = 0
                    for first in stride(from: range.lowerBound, to: range.upperBound, by: block) {
                        let rows = min(block, range.upperBound - first)
                        classifier.logits(features, first: first, rows: rows, into: z)
                        losses[piece] += labels.withUnsafeBufferPointer {
                            SoftmaxLoss.differentiate(z, rows: rows, classes: C, stride: C, labels: $0.baseAddress! + first, scale: 1 / Float(N)).loss
                        }
                        // logits = x·Wᵀ + b:  dW += dzᵀ·x, db += Σ dz
                        Matrix.multiply(
                            z, .transposed, lda: C, features.row(first), ldb: D,
                            into: dW, ldc: D, m: C, n: D, k: rows, beta: beta)
                        for n in 0..<rows { VectorAlgebra.add(1, z + n * C, to: db, C) }
                        beta = 1
                    }
                }
            }
            let penalty = Float(penalty)
            let W = classifier.parameters.pointer
            Parallel.forEach((size + 16383) / 16384) { part, _ in
                let range = part * 16384..<min(size, part * 16384 + 16384)
                for i in range { gradient.pointer[i] = i < C * D ? penalty * W[i] : 0 }
                for piece in 0..<pieces {
                    let source = partial.pointer + piece * size
                    for i in range { gradient.pointer[i] += source[i] }
                }
            }
            return losses.reduce(0, +) / Double(N) + self.penalty / 2 * VectorAlgebra.dot(W, W, C * D)
        }
    }
}
