public import ToolSupport

/// A tensor without its numbers.
public struct TensorOutline: Sendable, Equatable {
    public let name: String
    public let dtype: DType
    public let shape: [Int]
    public let byteCount: Int

    public init(name: String, dtype: DType, shape: [Int], byteCount: Int) { (self.name, self.dtype, self.shape, self.byteCount) = (name, dtype, shape, byteCount) }

    public var count: Int { byteCount / dtype.size }
    /// "F32 [256, 128]", as messages name it.
    public var summary: String { "\(dtype.rawValue) \(shape)" }
}

/// What a document's header says: all but the numbers, which may be many more bytes than the file has.
///
/// Whoever wants certain tensors only looks at it first, and refuses a file that has others before memory for them is asked for.
public struct DocumentOutline: Sendable {
    public var metadata: [String: String]
    /// In the order of the file.
    public var tensors: [TensorOutline]
    var origin: TensorDocument.Origin?

    init(metadata: [String: String], tensors: [TensorOutline], origin: TensorDocument.Origin? = nil) {
        (self.metadata, self.tensors, self.origin) = (metadata, tensors, origin)
    }

    /// Of a file of another kind.
    public init(metadata: [String: String], tensors: [TensorOutline], path: String) {
        self.init(metadata: metadata, tensors: tensors, origin: .init(path: path, location: nil))
    }

    /// The names of its tensors, in order.
    public var names: [String] { tensors.map(\.name).sorted() }

    /// The shapes by their names.
    public var shapes: [String: [Int]] { Dictionary(tensors.map { ($0.name, $0.shape) }) { first, _ in first } }

    /// The tensor `name`, which must be of that type and shape; nil in `shape` stands for any size.
    public func tensor(_ name: String, _ dtype: DType, shape: [Int?]) throws -> TensorOutline {
        guard let tensor = tensors.first(where: { $0.name == name }) else { throw TensorDocument.Origin.missing(origin, name, of: names) }
        guard tensor.dtype == dtype, fits(tensor.shape, shape) else { throw failure(misfit(name, tensor.summary, dtype, shape)) }
        return tensor
    }

    /// A failure at the location where this was read.
    public func failure(_ what: String, remedy: String? = nil) -> Failure { TensorDocument.Origin.failure(origin, what, remedy) }
}

/// Whether a shape is as expected, where nil stands for any size.
func fits(_ shape: [Int], _ expected: [Int?]) -> Bool {
    shape.count == expected.count && zip(shape, expected).allSatisfy { $1 == nil || $0 == $1 }
}

/// "has 'images' of U8 [3, 4] where U8 [any, any, 3] is expected".
func misfit(_ name: String, _ summary: String, _ dtype: DType, _ shape: [Int?]) -> String {
    let sizes = shape.map { $0.map(String.init) ?? "any" }.joined(separator: ", ")
    return "has '\(name)' of \(summary) where \(dtype.rawValue) [\(sizes)] is expected"
}

/// Takes a document piece by piece, so that no tensor needs memory as a whole.
public protocol DocumentVisitor: ~Copyable {
    /// Is called first; what it throws ends the reading before any tensor is read.
    mutating func begin(_ outline: DocumentOutline) throws

    /// Takes some elements of a tensor, in one dimension; of each tensor one piece at least, and one behind the other.
    ///
    /// - Parameter first: the number of the piece's first element.
    mutating func take(_ piece: Tensor, of tensor: TensorOutline, first: Int) throws
}
