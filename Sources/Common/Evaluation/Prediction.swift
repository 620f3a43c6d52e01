import Platform
public import TensorStreams
import ToolSupport

/// A classifier's prediction for one image: the classes with the highest probabilities, the highest first.
public struct Prediction: Sendable, Equatable {
    /// The image's path in the data set, or its number where the stream has no paths.
    public var image: String
    public var classes: [(name: String, probability: Double)]

    public static func == (a: Prediction, b: Prediction) -> Bool {
        a.image == b.image && a.classes.map(\.name) == b.classes.map(\.name) && a.classes.map(\.probability) == b.classes.map(\.probability)
    }

    /// The output format of predictions.
    public enum Format: String, Sendable, CaseIterable {
        /// RFC 4180, except that lines end in a line feed: a header line, then a line for each image and class.
        case csv
        /// JSON lines: an object for each image.
        case json

        /// The text before the first prediction.
        public var beginning: String { self == .csv ? "image,rank,class,probability\n" : "" }
    }

    public func text(_ format: Format) -> String {
        switch format {
        case .csv:
            return classes.enumerated().map { place, entry in
                "\(image.csvField),\(place + 1),\(entry.name.csvField),\(Progress.fixed(entry.probability, Self.digits))\n"
            }.joined()
        case .json:
            let list = classes.map { entry -> JSON in ["class": .string(entry.name), "probability": .number(Self.rounded(entry.probability))] }
            return (["image": .string(image), "classes": .array(list)] as JSON).text + "\n"
        }
    }

    /// Decimal places: further digits would carry no information at a network's precision.
    private static let digits = 6
    private static func rounded(_ probability: Double) -> Double { (probability * 1e6).rounded(.toNearestOrEven) / 1e6 }
}

/// Predictions from a stream with a classifier's logits: f32 (N, C), with `path` u8 (N, L) or `index` i64 (N).
public final class PredictionStream {
    public let name: String
    public let header: StreamHeader
    private let tensor: String
    private let top: Int
    private let names: [String]
    private let reader: ReadAhead
    private var images = 0

    /// - Parameters:
    ///   - top: how many classes to report for each image.
    ///   - classes: their names in order; nil for the names in the header (`logit_classes`).
    /// - Throws: a ``Failure`` of kind `data` where the class names are unknown: the network may not be a classifier.
    public init(_ path: String, tensor: String, top: Int, classes: [String]?) throws {
        let reader = try StreamReader(path)
        (name, header, self.tensor, self.top) = (reader.name, reader.header, tensor, top)
        guard let names = classes ?? reader.header.metadata.names("logit_classes") else {
            throw Failure(
                .data, path: reader.name, "does not name the classes of its logits: they do not come from a classifier trained here",
                remedy: "run embed --logits with the weights from make finetune, or name the classes with --class-list")
        }
        self.names = names
        self.reader = ReadAhead(reader)
    }

    /// The predictions of the next record; nil after the last, once the stream's end is verified.
    public func next() throws -> [Prediction]? {
        guard let record = try reader.next() else {
            guard images > 0 else { throw Failure(.data, path: name, "has no records", remedy: "the program that wrote it had no images") }
            return nil
        }
        guard let logits = record.tensors[tensor] else {
            throw record.failure("has no tensor '\(tensor)', but \(record.names.isEmpty ? "nothing" : listed(record.names, quote: ""))", remedy: "run embed --logits on the images")
        }
        guard logits.dtype.isFloating, logits.shape.count == 2 else {
            throw record.failure("'\(tensor)' is \(logits.summary), expected floating-point numbers of shape [images, classes]")
        }
        let (N, C) = (logits.shape[0], logits.shape[1])
        guard C == names.count else {
            throw record.failure("'\(tensor)' has \(C) numbers per image, expected \(names.count), one per class", remedy: "list the classifier's classes in the order of its logits")
        }
        let values = try logits.floats(), images = try self.images(record, N)
        guard values.allSatisfy(\.isFinite) else { throw record.failure("'\(tensor)' holds numbers that are not finite", remedy: "look for the training step that diverged") }
        self.images += N
        return (0..<N).map { n in Prediction(image: images[n], classes: best(values[n * C..<(n + 1) * C])) }
    }

    /// The names of the images of a record.
    private func images(_ record: TensorDocument, _ N: Int) throws -> [String] {
        if let paths = try record.paths(N) { return paths }
        guard record.tensors["index"] != nil else { return (0..<N).map { "\(images + $0)" } }
        return try record.tensor("index", .i64, shape: [N]).integers().map { "\($0)" }
    }

    /// The classes with the largest logits z, each with exp z / Σ exp z. Of equal ones the lower number comes first.
    private func best(_ logits: ArraySlice<Float>) -> [(name: String, probability: Double)] {
        let z = logits.map(Double.init), peak = z.max() ?? 0
        let sum = z.reduce(0) { $0 + exp($1 - peak) }
        return z.indices.sorted { z[$0] > z[$1] || z[$0] == z[$1] && $0 < $1 }.prefix(top).map { (names[$0], exp(z[$0] - peak) / sum) }
    }
}
