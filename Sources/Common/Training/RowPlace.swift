public import TensorStreams
import ToolSupport

/// Where new rows go in a record of images, and which tensors are dropped.
public struct RowPlace: Sendable {
    /// The names of the tensors for the rows; all hold the same rows.
    let names: [String]
    /// The tensors to drop from the output.
    let drop: Set<String>

    /// The first of the tensors for the rows.
    public var first: String? { names.first }

    public init(_ names: [String], drop: Set<String> = []) { (self.names, self.drop) = (names, drop) }

    /// - Throws: ``Failure`` `data` where the record already has such a tensor, or lacks one that is to be dropped.
    public func check(_ record: TensorDocument) throws {
        if let name = names.first(where: { record.tensors[$0] != nil && !drop.contains($0) }) {
            throw record.failure("has a tensor '\(name)' already", remedy: "name the new one with --as")
        }
        if let missing = drop.filter({ record.tensors[$0] == nil }).min() {
            throw record.failure("has no tensor '\(missing)' to drop; it has \(listed(record.names, quote: ""))")
        }
    }

    /// The record without the dropped tensors.
    public func dropping(from record: TensorDocument) -> TensorDocument {
        var result = record
        for name in drop { result.tensors[name] = nil }
        return result
    }

    public func put(_ rows: Tensor, into record: TensorDocument) -> TensorDocument {
        var result = dropping(from: record)
        for name in names { result.tensors[name] = rows }
        return result
    }
}
