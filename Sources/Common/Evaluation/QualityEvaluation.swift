public import TensorStreams
import ToolSupport

/// The quality of features without labels: whether they separate images, whether views of an image are close to each
/// other, and whether neighbours agree with the teacher's.
public struct QualityEvaluation: Sendable {
    public static let usualK = [1, 10]
    /// The numbers of neighbours to compare with the teacher's; each is limited to the number of other samples.
    public var k = usualK
    public var tensor = "features"

    public init() {}

    /// Evaluates the stream. All features are kept in memory.
    ///
    /// - Parameters:
    ///   - teacher: features of the same images in the same order; nil for no comparison.
    ///   - progress: called with the number of samples read since the last call.
    public func run(_ stream: FeatureStream, teacher: FeatureStream?, progress: (Int) -> Void = { _ in }) throws -> QualityReport {
        let set = try stream.readAll(progress)
        guard set.features.samples > 1 else { throw Failure(.data, path: stream.name, "has only one sample, expected at least 2") }
        let spread = FeatureSpread(set.features)
        set.features.normalizeRows()
        var report = QualityReport(
            tensor: tensor, input: EvaluationInput(stream, images: set.images), dimension: stream.dimension, spread: spread.json, rank: spread.effectiveRank, constant: spread.constant,
            deviation: UnitRows.deviation(set.features), uniformity: spread.zeros > 0 ? nil : UnitRows.uniformity(set.features, images: set.images), alignment: UnitRows.alignment(set.features, images: set.images))
        report.remarks = [spread.remark("given", classes: .max, tensor: tensor), spread.zeroRemark("given")].compactMap { $0 }
        guard let teacher else { return report }
        let other = try teacher.readAll()
        guard other.images == set.images else {
            let first = zip(set.images, other.images).enumerated().first { $1.0 != $1.1 }?.offset ?? min(set.images.count, other.images.count)
            throw Failure(.data, path: teacher.name, "has different images from \(stream.name), starting at sample \(first)", remedy: "make both with the same augment --data and the recipe evaluation")
        }
        let images = set.images.count
        for k in k where k >= images { report.remarks.append("k = \(k) is more than the \(images - 1) other samples: all of them are neighbours") }
        let counts = k.reduce(into: [Int]()) { list, k in if !list.contains(min(k, images - 1)) { list.append(min(k, images - 1)) } }
        let agreement = NeighbourAgreement(set.features, other.features, k: counts.max() ?? 1)
        report.agreement = counts.map { ($0, agreement.share(k: $0)) }
        report.teacher = EvaluationInput(teacher, images: other.images)
        return report
    }
}

/// The quality measures of features.
public struct QualityReport: Sendable {
    public var tensor: String
    public var input: EvaluationInput
    public var teacher: EvaluationInput?
    public var dimension: Int
    var spread: JSON
    /// (tr C)² / tr C² of the covariance; nil where nothing differs.
    public var rank: Double?
    /// The number of dimensions that are the same in all samples.
    public var constant: Int
    /// The mean over the dimensions of the standard deviation of rows of length 1, relative to 1/√D, the value for
    /// evenly spread directions.
    public var deviation: Double
    /// ln of the mean of e^(−2d²) over all pairs of samples of different images (Wang and Isola, ICML 2020); nil where
    /// there is only one image, or a row of zeros.
    public var uniformity: Double?
    /// The mean of d² over the pairs of samples of one image; nil where no image has two samples.
    public var alignment: (value: Double, images: Int)?
    /// For each k, the share of the teacher's k nearest neighbours that are among the student's.
    public var agreement: [(k: Int, share: Double)] = []
    public var remarks: [String] = []

    /// One line for each measure.
    public var text: String {
        let of = "\(input.samples) samples, \(tensor) \(dimension)-d"
        var lines = ["effective rank \(rank.map { Progress.fixed($0, 1) } ?? "none") of \(dimension), \(constant) dimensions the same in all samples  (\(of))"]
        lines.append("deviation \(Progress.fixed(deviation, 3)) of what evenly spread directions have  (mean over the dimensions of rows of length 1)")
        if let uniformity { lines.append("uniformity \(Progress.fixed(uniformity, 3))  (ln of the mean of e^(−2d²) of different images; the lower, the more even)") }
        if let alignment { lines.append("alignment \(Progress.fixed(alignment.value, 3))  (mean d² of the samples of one image, \(alignment.images) images with several; the lower, the nearer)") }
        for (k, share) in agreement { lines.append("agreement with the teacher \(Progress.fixed(100 * share, 1)) %  (k=\(k), cosine, of its nearest neighbours)") }
        return lines.joined(separator: "\n") + "\n"
    }

    public var json: JSON {
        var object: JSON.Object = [
            "evaluation": "quality", "version": .string(productVersion), "protocol": ["tensor": .string(tensor), "dimension": .integer(Int64(dimension)), "metric": "cosine"],
            "spread": spread, "deviation": .number(deviation), "uniformity": uniformity.map { .number($0) } ?? .null,
            "alignment": alignment.map { ["value": .number($0.value), "images": .integer(Int64($0.images))] } ?? .null,
            "agreement": .array(agreement.map { ["k": .integer(Int64($0.k)), "share": .number($0.share)] }), "samples": input.json,
        ]
        if let teacher { object["teacher"] = teacher.json }
        object["remarks"] = .array(remarks.map { .string($0) })
        return .object(object)
    }
}
