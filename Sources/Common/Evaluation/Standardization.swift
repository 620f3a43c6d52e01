import Parallel

/// How features are scaled before a linear classifier uses them.
public enum FeatureScaling: String, Sendable, CaseIterable {
    /// Unscaled.
    case none
    /// Every sample has length 1.
    case unit
    /// Every dimension has mean 0 and standard deviation 1 over the training samples; the test samples are transformed
    /// with the same values.
    case standard
    /// Every sample has length 1; then every dimension has mean 0 and standard deviation 1 over the training samples
    /// (SimReg, CompRess).
    case unitStandard = "unit-standard"

    /// Scales both sets in place with the statistics of the training set.
    public func apply(train: FeatureMatrix, test: FeatureMatrix) {
        switch self {
        case .none: break
        case .unit:
            train.normalizeRows()
            test.normalizeRows()
        case .standard, .unitStandard:
            if self == .unitStandard {
                train.normalizeRows()
                test.normalizeRows()
            }
            let scale = Standardization(of: train)
            scale.apply(to: train)
            scale.apply(to: test)
        }
    }
}

/// The mean and the standard deviation of every dimension.
struct Standardization {
    private var mean: [Float]
    private var inverse: [Float]

    init(of features: FeatureMatrix) {
        let D = features.dimension
        let N = features.samples
        let pieces = 16
        // Two passes: with one pass, a mean far from zero would cancel the deviation.
        func sums(_ term: (Int, Float) -> Double) -> [Double] {
            var partial = [Double](repeating: 0, count: pieces * D)
            partial.withUnsafeMutableBufferPointer { partial in
                nonisolated(unsafe) let partial = partial
                Parallel.forEach(pieces) { piece, _ in
                    for n in Parallel.part(piece, of: pieces, in: N) {
                        let row = features.row(n)
                        for d in 0..<D { partial[piece * D + d] += term(d, row[d]) }
                    }
                }
            }
            return (0..<D).map { d in (0..<pieces).reduce(0) { $0 + partial[$1 * D + d] } }
        }
        let mean = sums { _, value in Double(value) }.map { $0 / Double(N) }
        let variance = sums { d, value in (Double(value) - mean[d]) * (Double(value) - mean[d]) }.map { $0 / Double(N) }
        self.mean = mean.map { Float($0) }
        // A dimension that never changes carries no information: it becomes 0, which avoids a division by zero.
        inverse = zip(variance, mean).map { variance, mean in
            let deviation = variance.squareRoot()
            return deviation > 1e-6 * abs(mean) && deviation > 1e-30 ? Float(1 / deviation) : 0
        }
    }

    func apply(to features: FeatureMatrix) {
        let (N, D) = (features.samples, features.dimension)
        Parallel.forEach((N + 255) / 256) { piece, _ in
            for n in piece * 256..<min(N, piece * 256 + 256) {
                let row = features.row(n)
                for d in 0..<D { row[d] = (row[d] - mean[d]) * inverse[d] }
            }
        }
    }
}
