import Kernels
import TensorStreams

/// How much features differ from sample to sample.
struct FeatureSpread {
    let samples: Int
    let dimension: Int
    /// Dimensions that are the same in all samples.
    let constant: Int
    /// The share of the features' mean square that is not their mean's: Σ var / Σ x². 0 where all samples are alike.
    let share: Double
    /// (tr C)² / tr C² of the features' covariance: of how many dimensions as strong as each other there are. Nil where nothing differs.
    let effectiveRank: Double?

    /// More samples are not asked for the rank: every so many-th is.
    private static let mostRows = 512
    /// Below, samples are alike: what is left is rounding.
    private static let alike = 1e-6
    /// Fewer samples say nothing.
    private static let fewest = 16

    init(_ features: FeatureMatrix) {
        let (N, D) = (features.samples, features.dimension)
        samples = N
        dimension = D
        var (sums, squares) = ([Double](repeating: 0, count: D), [Double](repeating: 0, count: D))
        var changes = [Bool](repeating: false, count: D)
        for n in 0..<N {
            let row = features.row(n)
            for d in 0..<D {
                sums[d] += Double(row[d])
                changes[d] = changes[d] || row[d] != features.row(0)[d]
            }
        }
        let mean = sums.map { $0 / Double(max(1, N)) }
        // Two passes: a mean far from zero would swallow the deviation in one.
        var total = 0.0
        for n in 0..<N {
            let row = features.row(n)
            for d in 0..<D {
                let difference = Double(row[d]) - mean[d]
                squares[d] += difference * difference
                total += Double(row[d]) * Double(row[d])
            }
        }
        constant = changes.count { !$0 }
        let spread = squares.reduce(0, +)
        share = total > 0 ? spread / total : 0
        guard share > Self.alike else {
            effectiveRank = nil
            return
        }
        // tr C and tr C² are those of the rows' products: G = X·Xᵀ of centred rows, (n, n), which is smaller than (D, D).
        let rows = (0..<min(N, Self.mostRows)).map { $0 * N / min(N, Self.mostRows) }
        let scale = (spread / Double(N)).squareRoot()
        let centred = rows.flatMap { n in (0..<D).map { Float((Double(features.row(n)[$0]) - mean[$0]) / scale) } }
        let n = rows.count
        var G = [Float](repeating: 0, count: n * n)
        centred.withUnsafeBufferPointer { X in
            G.withUnsafeMutableBufferPointer { Matrix.multiply(X.baseAddress!, lda: D, X.baseAddress!, .transposed, ldb: D, into: $0.baseAddress!, ldc: n, m: n, n: n, k: D) }
        }
        let trace = (0..<n).reduce(0.0) { $0 + Double(G[$1 * n + $1]) }
        let square = G.reduce(0.0) { $0 + Double($1) * Double($1) }
        effectiveRank = square > 0 ? trace * trace / square : nil
    }

    /// Whether all samples are alike.
    var isNothing: Bool { samples >= Self.fewest && effectiveRank == nil }

    var json: JSON {
        var object = JSON.Object()
        object["share_of_mean_square"] = .number(share)
        object["effective_rank"] = effectiveRank.map { .number($0) } ?? .null
        object["constant_dimensions"] = .integer(Int64(constant))
        return .object(object)
    }

    /// What a person should know of them; nothing where they are as features are.
    ///
    /// - Parameter classes: with few of them, features on one line may be all that is needed.
    func remark(classes: Int, tensor: String) -> String? {
        guard samples >= Self.fewest else { return nil }
        let collapsed = "the test samples' \(tensor) have collapsed"
        guard let effectiveRank else {
            return "\(collapsed): all \(samples) are alike, but for rounding, and no accuracy says anything; look at the log of the training"
        }
        if effectiveRank < 1.5, classes > 3 {
            return "\(collapsed): they lie on one line (effective rank \(Self.short(effectiveRank)) of \(dimension)); look at the log of the training"
        }
        if constant * 10 > dimension * 9, dimension > 1 {
            return "\(collapsed): \(constant) of \(dimension) dimensions are the same in all of them; look at the log of the training"
        }
        return nil
    }

    private static func short(_ value: Double) -> String { "\((value * 100).rounded() / 100)" }
}
