/// A source of records in order.
public protocol RecordSource: AnyObject {
    var name: String { get }
    var header: StreamHeader { get }
    /// The next record; nil after the last one.
    func next() throws -> TensorDocument?
    /// The size of a record's tensors in bytes; for a record of which only a part is here, the size of the whole.
    func byteCount(of record: TensorDocument) -> Int
}

extension RecordSource {
    public func byteCount(of record: TensorDocument) -> Int { record.tensors.values.reduce(0) { $0 + $1.byteCount } }
}

extension ReadAhead: RecordSource {}
