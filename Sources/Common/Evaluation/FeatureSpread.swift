import Kernels
import TensorStreams

/// How much features vary from sample to sample.
struct FeatureSpread {
    let samples: Int
    let dimension: Int
    /// The number of dimensions that are the same in all samples.
    let constant: Int
    /// The number of samples whose values are all zero: they have no direction, and are equally near to all others.
    let zeros: Int
    /// The share of the features' mean square that is variance: Σ var / Σ x². 0 where all samples are equal.
    let share: Double
    /// (tr C)² / tr C² of the features' covariance: the number of equally strong dimensions. Nil where nothing differs.
    let effectiveRank: Double?

    /// Below this share samples count as alike: the deviation is a thousandth of their size.
    private static let alike = 1e-6
    /// With fewer samples the statistics mean nothing.
    private static let fewest = 16

    /// Accumulates statistics of streamed features in memory that does not grow with their number.
    struct Sums {
        private var samples = 0
        private let dimension: Int
        /// The first sample. Differences from it are summed, so that a mean far from zero does not cancel the
        /// deviation.
        private var first: [Float] = []
        /// For each dimension: Σ (x − first), Σ (x − first)², and whether any sample differs.
        private var sums: [Double], squares: [Double], changes: [Bool]
        /// Σ x² over all dimensions.
        private var total = 0.0
        private var zeros = 0
        /// Every `stride`-th sample, for the rank; few enough to multiply them all with each other.
        private var kept: [Float] = []
        private var stride = 1
        private static let mostKept = 1024

        init(dimension: Int) {
            self.dimension = dimension
            sums = [Double](repeating: 0, count: dimension)
            (squares, changes) = (sums, [Bool](repeating: false, count: dimension))
        }

        mutating func add(_ row: UnsafeBufferPointer<Float>) {
            if samples == 0 { first = Array(row) }
            if row.allSatisfy({ $0 == 0 }) { zeros += 1 }
            for d in 0..<dimension {
                let x = Double(row[d]), difference = x - Double(first[d])
                sums[d] += difference
                squares[d] += difference * difference
                total += x * x
                changes[d] = changes[d] || row[d] != first[d]
            }
            if samples % stride == 0 { kept.append(contentsOf: row) }
            samples += 1
            guard kept.count > Sums.mostKept * dimension else { return }
            stride *= 2
            kept = Swift.stride(from: 0, to: kept.count / dimension, by: 2).flatMap { kept[$0 * dimension..<($0 + 1) * dimension] }
        }

        /// Adds rows (n, dimension).
        mutating func add(_ rows: [Float]) {
            rows.withUnsafeBufferPointer { rows in
                for start in Swift.stride(from: 0, to: rows.count, by: dimension) { add(UnsafeBufferPointer(rebasing: rows[start..<start + dimension])) }
            }
        }

        var spread: FeatureSpread {
            let N = Double(max(1, samples))
            // Σ (x − mean)² = Σ (x − first)² − (Σ (x − first))² / N
            let variance = zip(squares, sums).reduce(0) { $0 + max(0, $1.0 - $1.1 * $1.1 / N) }
            let share = total > 0 ? variance / total : 0
            return FeatureSpread(
                samples: samples, dimension: dimension, constant: changes.count { !$0 }, zeros: zeros, share: share, effectiveRank: share > FeatureSpread.alike ? rank : nil)
        }

        /// The effective rank. tr C and tr C² equal those of the Gram matrix G = X·Xᵀ of centred rows, (n, n), which is
        /// smaller than (D, D).
        private var rank: Double? {
            let D = dimension, n = kept.count / D
            var mean = [Double](repeating: 0, count: D)
            for start in Swift.stride(from: 0, to: kept.count, by: D) { for d in 0..<D { mean[d] += Double(kept[start + d]) / Double(n) } }
            let square = kept.indices.reduce(0.0) { $0 + (Double(kept[$1]) - mean[$1 % D]) * (Double(kept[$1]) - mean[$1 % D]) }
            guard square > 0 else { return nil }
            let scale = (square / Double(n)).squareRoot()
            let centred = kept.indices.map { Float((Double(kept[$0]) - mean[$0 % D]) / scale) }
            var G = [Float](repeating: 0, count: n * n)
            centred.withUnsafeBufferPointer { X in
                G.withUnsafeMutableBufferPointer {
                    Matrix.multiply(X.baseAddress!, lda: D, X.baseAddress!, .transposed, ldb: D, into: $0.baseAddress!, ldc: n, m: n, n: n, k: D)
                }
            }
            let trace = (0..<n).reduce(0.0) { $0 + Double(G[$1 * n + $1]) }
            let norm = G.reduce(0.0) { $0 + Double($1) * Double($1) }
            return norm > 0 ? trace * trace / norm : nil
        }
    }

    private init(samples: Int, dimension: Int, constant: Int, zeros: Int, share: Double, effectiveRank: Double?) {
        (self.samples, self.dimension, self.constant, self.zeros, self.share, self.effectiveRank) = (samples, dimension, constant, zeros, share, effectiveRank)
    }

    init(_ features: FeatureMatrix) {
        var sums = Sums(dimension: features.dimension)
        for n in 0..<features.samples { sums.add(UnsafeBufferPointer(start: features.row(n), count: features.dimension)) }
        self = sums.spread
    }

    /// Whether samples may be equal without showing the same image.
    func isCollapsed(classes: Int) -> Bool { remark("", classes: classes, tensor: "") != nil }

    var json: JSON {
        var object = JSON.Object()
        object["share_of_mean_square"] = .number(share)
        object["effective_rank"] = effectiveRank.map { .number($0) } ?? .null
        object["constant_dimensions"] = .integer(Int64(constant))
        return .object(object)
    }

    /// A warning for the user about collapsed features; nil for ordinary features.
    ///
    /// - Parameters:
    ///   - set: "test" or "training".
    ///   - classes: with few of them, features on one line may be sufficient.
    func remark(_ set: String, classes: Int, tensor: String) -> String? {
        guard samples >= Self.fewest else { return nil }
        let collapsed = "the \(set) samples' \(tensor) \(tensor.hasSuffix("s") ? "have" : "has") collapsed"
        guard let effectiveRank else {
            let how = share == 0 ? "all \(samples) are the same" : "all \(samples) agree to a thousandth of their size"
            return "\(collapsed): \(how), so accuracies mean almost nothing; look at the training log"
        }
        if effectiveRank < 1.5, classes > 3 {
            return "\(collapsed): they lie on one line (effective rank \(Self.short(effectiveRank)) of \(dimension)); look at the training log"
        }
        if constant * 10 > dimension * 9, dimension > 1 {
            return "\(collapsed): \(constant) of \(dimension) dimensions are the same in all of them; look at the training log"
        }
        return nil
    }

    /// A warning about rows of zeros, which no network produces from an image.
    func zeroRemark(_ set: String) -> String? {
        zeros == 0 ? nil : "\(zeros) of the \(samples) \(set) samples are all zeros, and equally near to every other sample: check how they were made"
    }

    private static func short(_ value: Double) -> String { "\((value * 100).rounded() / 100)" }
}
