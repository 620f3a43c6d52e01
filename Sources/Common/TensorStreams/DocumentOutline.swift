public import ToolSupport

/// A tensor's name, type and shape, without its values.
public struct TensorOutline: Sendable, Equatable {
    public let name: String
    public let dtype: DType
    public let shape: [Int]
    public let byteCount: Int

    public init(name: String, dtype: DType, shape: [Int], byteCount: Int) { (self.name, self.dtype, self.shape, self.byteCount) = (name, dtype, shape, byteCount) }

    public var count: Int { byteCount / dtype.size }
    /// "F32 [256, 128]", the form used in messages.
    public var summary: String { "\(dtype.rawValue) \(shape)" }
}

/// The contents of a document's header: everything except the values, which may claim far more bytes than the file has.
///
/// A reader that expects certain tensors checks the outline first, and rejects a file with other tensors before it
/// allocates memory for them.
public struct DocumentOutline: Sendable {
    public var metadata: [String: String]
    /// The tensors in file order.
    public var tensors: [TensorOutline]
    var origin: TensorDocument.Origin?

    init(metadata: [String: String], tensors: [TensorOutline], origin: TensorDocument.Origin? = nil) {
        (self.metadata, self.tensors, self.origin) = (metadata, tensors, origin)
    }

    /// The outline of a file of another format.
    public init(metadata: [String: String], tensors: [TensorOutline], path: String) {
        self.init(metadata: metadata, tensors: tensors, origin: .init(path: path, location: nil))
    }

    /// The sorted names of the tensors.
    public var names: [String] { tensors.map(\.name).sorted() }

    /// The shapes by tensor name.
    public var shapes: [String: [Int]] { Dictionary(tensors.map { ($0.name, $0.shape) }) { first, _ in first } }

    /// The tensor `name`, which must have that type and shape; nil in `shape` stands for any size.
    public func tensor(_ name: String, _ dtype: DType, shape: [Int?]) throws -> TensorOutline {
        guard let tensor = tensors.first(where: { $0.name == name }) else { throw TensorDocument.Origin.missing(origin, name, of: names) }
        guard tensor.dtype == dtype, fits(tensor.shape, shape) else { throw failure(misfit(name, tensor.summary, dtype, shape)) }
        return tensor
    }

    /// A failure with the location that this was read from.
    public func failure(_ what: String, remedy: String? = nil) -> Failure { TensorDocument.Origin.failure(origin, what, remedy) }
}

/// Whether a shape matches the expected one, where nil stands for any size.
func fits(_ shape: [Int], _ expected: [Int?]) -> Bool {
    shape.count == expected.count && zip(shape, expected).allSatisfy { $1 == nil || $0 == $1 }
}

/// "has 'images' of U8 [3, 4] where U8 [any, any, 3] is expected".
func misfit(_ name: String, _ summary: String, _ dtype: DType, _ shape: [Int?]) -> String {
    let sizes = shape.map { $0.map(String.init) ?? "any" }.joined(separator: ", ")
    return "has '\(name)' of \(summary) where \(dtype.rawValue) [\(sizes)] is expected"
}

/// Receives a document piece by piece, so that no tensor needs to fit in memory as a whole.
public protocol DocumentVisitor: ~Copyable {
    /// Called first; an error that it throws ends the reading before any tensor is read.
    mutating func begin(_ outline: DocumentOutline) throws

    /// Receives some elements of a tensor as a one-dimensional piece. Each tensor has at least one piece, and pieces
    /// come in order.
    ///
    /// - Parameter first: the index of the piece's first element.
    mutating func take(_ piece: Tensor, of tensor: TensorOutline, first: Int) throws
}
