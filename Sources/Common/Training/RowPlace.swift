public import TensorStreams
import ToolSupport

/// Where new rows go in a record of images, and what is left out of it.
public struct RowPlace: Sendable {
    /// The tensors that hold the rows, all of them the same.
    let names: [String]
    /// Tensors that the output shall not have.
    let drop: Set<String>

    /// The first of the tensors that hold the rows.
    public var first: String? { names.first }

    public init(_ names: [String], drop: Set<String> = []) { (self.names, self.drop) = (names, drop) }

    /// - Throws: ``Failure`` `data` where the record has such a tensor already, or lacks one that is to be left out.
    public func check(_ record: TensorDocument) throws {
        if let name = names.first(where: { record.tensors[$0] != nil && !drop.contains($0) }) {
            throw record.failure("has a tensor '\(name)' already", remedy: "name the new one with --as")
        }
        if let missing = drop.filter({ record.tensors[$0] == nil }).min() {
            throw record.failure("has no tensor '\(missing)' to drop; it has \(listed(record.names, quote: ""))")
        }
    }

    /// The record without what is left out of it.
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
