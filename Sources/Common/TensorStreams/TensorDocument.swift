public import ToolSupport

/// Named tensors and named strings: the contents of one safetensors document.
///
/// Each record of a stream is one, and a checkpoint is one.
public struct TensorDocument: Sendable {
    public var metadata: [String: String]
    public var tensors: [String: Tensor]
    /// Where it was read from, for messages.
    var origin: Origin?

    /// The key of a record's metadata with the weight of the first image in images that are mixed from two.
    public static let mixKey = "mix"

    struct Origin: Sendable {
        var path: String
        var location: String?

        static func failure(_ origin: Origin?, _ what: String, _ remedy: String?) -> Failure {
            Failure(.data, path: origin?.path, location: origin?.location, what, remedy: remedy)
        }

        static func missing(_ origin: Origin?, _ name: String, of names: [String]) -> Failure {
            failure(origin, "has no tensor '\(name)'; it has \(names.isEmpty ? "no tensors" : listed(names, quote: ""))", nil)
        }
    }

    public init(metadata: [String: String] = [:], tensors: [String: Tensor] = [:]) {
        self.metadata = metadata
        self.tensors = tensors
    }

    /// The sorted names of its tensors.
    public var names: [String] { tensors.keys.sorted() }

    /// The tensor `name`, which must have that type and shape; nil in `shape` stands for any size.
    ///
    ///     let images = try record.tensor("images", .u8, shape: [nil, nil, nil, nil, 3])
    ///
    /// - Throws: a ``Failure`` of kind `data` that says where, what was found and what was expected.
    public func tensor(_ name: String, _ dtype: DType, shape: [Int?]) throws -> Tensor {
        guard let tensor = tensors[name] else { throw Origin.missing(origin, name, of: names) }
        guard tensor.dtype == dtype, fits(tensor.shape, shape) else { throw failure(misfit(name, tensor.summary, dtype, shape)) }
        return tensor
    }

    /// A failure with the location that this document was read from.
    public func failure(_ what: String, remedy: String? = nil) -> Failure { Origin.failure(origin, what, remedy) }
}

extension TensorDocument: Equatable {
    /// Equal metadata and tensors; the origin does not matter.
    public static func == (a: TensorDocument, b: TensorDocument) -> Bool {
        a.metadata == b.metadata && a.tensors == b.tensors
    }
}
