/// Where records come from, one after the other.
public protocol RecordSource: AnyObject {
    var name: String { get }
    var header: StreamHeader { get }
    /// Nil after the last one.
    func next() throws -> TensorDocument?
    /// Bytes of a record's tensors; of one of which only a part is here, those of the whole.
    func byteCount(of record: TensorDocument) -> Int
}

extension RecordSource {
    public func byteCount(of record: TensorDocument) -> Int { record.tensors.values.reduce(0) { $0 + $1.byteCount } }
}

extension ReadAhead: RecordSource {}
