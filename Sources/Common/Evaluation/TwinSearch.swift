import Parallel
import Platform
import Randomness

/// Finds test samples whose features equal those of a training sample: most likely the same image.
///
/// Two passes of one image through a network differ by rounding, because a batch of another size sums in another order.
/// So features count as equal where their directions differ by at most ``tolerance``. Candidates come from projections
/// onto a few fixed directions: equal rows have equal projections. The test samples are sorted by the first projection,
/// so a training sample is compared with only a few of them.
struct TwinSearch {
    /// The largest ‖x/‖x‖ − y/‖y‖‖ at which rows count as equal. Different images, and re-encoded ones, are above 1e-3.
    static let tolerance = 1e-4
    private static let directions = 4

    private let test: FeatureMatrix
    /// Test samples sorted by their first projection; rows of zeros are left out.
    private let order: [Int]
    /// Projections of the test samples, (samples, directions).
    private let projections: [Float]
    /// (directions, dimension), each of length 1.
    private let vectors: [Float]
    private var found: [Bool]

    /// - Parameter test: its rows may be rescaled during the search.
    init(_ test: FeatureMatrix) {
        let D = test.dimension
        self.test = test
        var random = CounterRandom(seed: 0x7477_696E, .probe)
        var vectors = (0..<Self.directions * D).map { _ in Float(random.normal()) }
        vectors.withUnsafeMutableBufferPointer { buffer in
            for k in 0..<Self.directions { VectorAlgebra.normalize(buffer.baseAddress! + k * D, D) }
        }
        self.vectors = vectors
        let rows = test.values
        let (projections, norms) = Self.project(rows, D, vectors)
        self.projections = projections
        order = (0..<test.samples).filter { norms[$0] > 0 }.sorted { (projections[$0 * Self.directions], $0) < (projections[$1 * Self.directions], $1) }
        found = [Bool](repeating: false, count: test.samples)
    }

    /// The number of test samples found so far.
    var count: Int { found.count { $0 } }

    /// A remark for the user; nil where no test sample was found.
    var remark: String? {
        count == 0 ? nil
            : "\(count) of the \(test.samples) test samples are also in the training set (identical features), so they measure memory; "
                + "remove them from one of the two sets"
    }

    /// Compares training samples, (rows, dimension).
    mutating func add(_ rows: [Float]) {
        let D = test.dimension
        let (own, lengths) = Self.project(rows, D, vectors)
        var twins: [Int] = []
        rows.withUnsafeBufferPointer { rows in
            guard let base = rows.baseAddress else { return }
            for n in lengths.indices where lengths[n] > 0 {
                let projections = Array(own[n * Self.directions..<(n + 1) * Self.directions])
                twins += self.twins(of: base + n * D, length: lengths[n], projections: projections)
            }
        }
        for twin in twins { found[twin] = true }
    }

    private func twins(of row: UnsafePointer<Float>, length: Double, projections own: [Float]) -> [Int] {
        let (D, slack) = (test.dimension, Float(2 * Self.tolerance))
        // The first test sample that is not below own − slack.
        var (low, high) = (0, order.count)
        while low < high {
            let middle = (low + high) / 2
            if projections[order[middle] * Self.directions] < own[0] - slack { low = middle + 1 } else { high = middle }
        }
        var twins: [Int] = []
        while low < order.count, projections[order[low] * Self.directions] <= own[0] + slack {
            let sample = order[low]
            low += 1
            guard !found[sample], (1..<Self.directions).allSatisfy({ abs(projections[sample * Self.directions + $0] - own[$0]) <= slack }) else { continue }
            let other = test.row(sample)
            let scale = VectorAlgebra.norm(other, D)
            var square = 0.0
            for d in 0..<D {
                let difference = Double(row[d]) / length - Double(other[d]) / scale
                square += difference * difference
            }
            if square <= Self.tolerance * Self.tolerance { twins.append(sample) }
        }
        return twins
    }

    /// The projections of L2-normalised rows onto the directions, and the original lengths of the rows.
    private static func project(_ rows: [Float], _ D: Int, _ vectors: [Float]) -> ([Float], [Double]) {
        let N = rows.count / D
        var projections = [Float](repeating: 0, count: N * directions)
        var norms = [Double](repeating: 0, count: N)
        rows.withUnsafeBufferPointer { rows in
            vectors.withUnsafeBufferPointer { vectors in
                projections.withUnsafeMutableBufferPointer { projections in
                    norms.withUnsafeMutableBufferPointer { norms in
                        guard let rows = rows.baseAddress, let vectors = vectors.baseAddress, let projections = projections.baseAddress, let norms = norms.baseAddress else { return }
                        nonisolated(unsafe) let (x, w, p, lengths) = (rows, vectors, projections, norms)
                        Parallel.forEach((N + 255) / 256) { piece, _ in
                            for n in piece * 256..<min(N, piece * 256 + 256) {
                                let length = VectorAlgebra.norm(x + n * D, D)
                                guard length.isFinite, length > 1e-18 else { continue }
                                lengths[n] = length
                                for k in 0..<directions { p[n * directions + k] = Float(VectorAlgebra.dot(x + n * D, w + k * D, D) / length) }
                            }
                        }
                    }
                }
            }
        }
        return (projections, norms)
    }
}
