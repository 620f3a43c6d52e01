public import TensorStreams
import ToolSupport

/// Features and labels from a tensor stream, checked record by record.
public final class FeatureStream {
    /// The samples of one record.
    public struct Batch {
        /// (samples, dimension), all finite.
        public var features: [Float]
        /// Zero or above.
        public var labels: [Int32]
        /// The number of the image that each sample shows: the `index` of the record, or the sample's own number where
        /// it has none.
        public var images: [Int]
        /// The epoch of the record's views; nil where the record does not say.
        public var epoch: Int?
    }

    /// The path, or "standard input".
    public let name: String
    public let header: StreamHeader
    /// The name of the tensor that holds the features.
    public let tensor: String
    /// The number of values of a sample; 0 before the first record.
    public private(set) var dimension = 0
    /// The number of samples so far.
    public private(set) var samples = 0
    /// The number of samples that were left out because they have no label while others have.
    public private(set) var unlabelled = 0
    /// The names of the classes, where the header has them.
    public let classes: [String]?
    private let reader: ReadAhead
    private let needsLabels: Bool

    /// The remedy for missing labels.
    private static let labelRemedy = "evaluation needs labels: give augment images laid out as class/name.jpg (in a folder or an archive)"

    /// - Parameter needsLabels: whether samples need labels; else all samples are read, with label 0.
    public init(_ path: String, tensor: String, needsLabels: Bool = true) throws {
        let reader = try StreamReader(path)
        self.needsLabels = needsLabels
        name = reader.name
        header = reader.header
        self.tensor = tensor
        classes = needsLabels ? try Self.classes(of: reader.header, path: reader.name) : nil
        self.reader = ReadAhead(reader)
    }

    /// The next record's samples; nil after the last, once the stream's end is verified.
    ///
    /// Where the header names classes, samples without a label (of images beside the class folders) are left out.
    ///
    /// - Throws: a ``Failure`` of kind `data` that names the record: no features, another shape or dimension than
    ///   before, a value that is not finite, no labels, a label without a class.
    public func next() throws -> Batch? {
        while let record = try reader.next() {
            let batch = try batch(record)
            if !batch.labels.isEmpty { return batch }
        }
        guard samples > 0 else {
            let what = unlabelled > 0 ? "none of its \(unlabelled) samples has a label" : "holds no samples"
            throw Failure(.data, path: name, what, remedy: unlabelled > 0 ? Self.labelRemedy : "look at it with inspect")
        }
        return nil
    }

    /// A remark about the samples that were left out.
    var remark: String? { unlabelled > 0 ? "\(name): \(unlabelled) samples have no label and are left out" : nil }

    private func batch(_ record: TensorDocument) throws -> Batch {
        guard let features = record.tensors[tensor] else {
            let names = record.names.isEmpty ? "nothing" : record.names.joined(separator: ", ")
            throw record.failure("has no tensor '\(tensor)', but \(names)", remedy: "name the features with --tensor")
        }
        guard features.dtype.isFloating, features.shape.count == 2, features.shape[1] > 0 else {
            throw record.failure("'\(tensor)' is \(features.summary), expected floating-point numbers of shape [samples, dimension]")
        }
        let (rows, width) = (features.shape[0], features.shape[1])
        guard dimension == 0 || width == dimension else {
            throw record.failure("'\(tensor)' has \(width) dimensions, but earlier records have \(dimension)")
        }
        guard samples + rows < Int(Int32.max) else { throw record.failure("more than \(Int32.max) samples") }
        let values = try features.floats()
        if let row = Self.rowThatIsNotFinite(values, width: width) {
            throw record.failure("'\(tensor)' of sample \(row) is not finite (NaN or infinity)", remedy: "look for the training step that diverged")
        }
        let labels = needsLabels ? try labels(of: record, rows: rows) : [Int32](repeating: 0, count: rows)
        let images = try integers("index", of: record, rows: rows) ?? Array(samples + unlabelled..<samples + unlabelled + rows)
        dimension = width
        let kept = labels.indices.filter { labels[$0] >= 0 }
        samples += kept.count
        unlabelled += rows - kept.count
        let epoch = record.metadata.count("epoch")
        guard kept.count < rows else { return Batch(features: values, labels: labels, images: images, epoch: epoch) }
        return Batch(
            features: kept.flatMap { values[$0 * width..<($0 + 1) * width] }, labels: kept.map { labels[$0] }, images: kept.map { images[$0] }, epoch: epoch)
    }

    /// Reads all samples.
    ///
    /// - Parameter progress: called with the number of samples read since the last call.
    public func readAll(_ progress: (Int) -> Void = { _ in }) throws -> FeatureSet {
        // A single growing array would be copied, and need twice the memory.
        var portions: [[Float]] = []
        var labels: [Int32] = []
        var images: [Int] = []
        while let batch = try next() {
            portions.append(batch.features)
            labels += batch.labels
            images += batch.images
            progress(batch.labels.count)
        }
        return FeatureSet(features: FeatureMatrix(portions, dimension: dimension), labels: labels, images: images)
    }

    private func labels(of record: TensorDocument, rows: Int) throws -> [Int32] {
        guard let labels = try integers("label", of: record, rows: rows) else {
            throw record.failure("has no 'label'", remedy: Self.labelRemedy)
        }
        if classes == nil, labels.contains(-1) {
            let without = labels.count { $0 == -1 }
            throw record.failure("\(without) of its \(rows) samples have no label (−1)", remedy: Self.labelRemedy)
        }
        let limit = classes?.count ?? Int(Int32.max)
        return try labels.map { label in
            guard (0..<limit).contains(label) || label == -1 else {
                throw record.failure("label \(label), expected 0 to \(limit - 1)" + (classes == nil ? "" : " (the header names \(limit) classes)"))
            }
            return Int32(label)
        }
    }

    private func integers(_ name: String, of record: TensorDocument, rows: Int) throws -> [Int]? {
        guard let tensor = record.tensors[name] else { return nil }
        guard !tensor.dtype.isFloating, tensor.dtype != .bool, tensor.shape == [rows] else {
            throw record.failure("'\(name)' is \(tensor.summary), expected integers of shape [\(rows)]")
        }
        return try tensor.integers()
    }

    /// NaN · 0 and infinity · 0 are NaN, and a sum with them stays NaN.
    private static func rowThatIsNotFinite(_ values: [Float], width: Int) -> Int? {
        let isFinite = values.withUnsafeBufferPointer { values in
            var sums = SIMD16<Float>()
            var i = 0
            while i + 16 <= values.count {
                sums += UnsafeRawPointer(values.baseAddress! + i).loadUnaligned(as: SIMD16<Float>.self) * 0
                i += 16
            }
            var sum = sums.sum()
            while i < values.count {
                sum += values[i] * 0
                i += 1
            }
            return sum == 0
        }
        return isFinite ? nil : values.firstIndex { !$0.isFinite }.map { $0 / width }
    }

    private static func classes(of header: StreamHeader, path: String) throws -> [String]? {
        guard let text = header.metadata["classes"] else { return nil }
        let wrong = Failure(.data, path: path, location: "header", "'classes' is not a JSON array of distinct names")
        let json: JSON
        do { json = try JSON(parsing: text) } catch let failure as Failure { throw Failure(.data, path: path, location: "header", "'classes' \(failure.what)") }
        guard let list = json.asArray else { throw wrong }
        let names = list.compactMap(\.asString)
        guard names.count == list.count, Set(names).count == names.count else { throw wrong }
        // An input without class folders has an empty list. Its labels are −1, and that is the error to report.
        return names.isEmpty ? nil : names
    }
}

/// Features with the class and the image number of every sample.
public struct FeatureSet {
    public var features: FeatureMatrix
    public var labels: [Int32]
    public var images: [Int]
}
