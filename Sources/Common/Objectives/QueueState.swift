public import Losses
public import TensorStreams
import ToolSupport

/// The queue as tensors: in a student's checkpoint, in a file of its own, and in the record that carries it to and from a loss.
///
/// | tensor           | shape      |                                                   |
/// |------------------|------------|---------------------------------------------------|
/// | `queue`          | f32 [K, D] | L2-normalized rows                                |
/// | `queue.position` | i64 [1]    | the row that is overwritten next, 0 … K − 1       |
/// | `queue.filled`   | i64 [1]    | rows that are embeddings by now, 0 … K            |
///
/// SEED's loss keeps ``TeacherStatistics`` beside them.
public enum QueueState {
    /// The metadata key of a record that carries the queue ("1"), and of a stream's header whose writer wants it back ("wanted").
    public static let key = "state"
    /// The value of a header's `state` that asks for the queue behind the last record.
    public static let wanted = "wanted"

    /// MoCo's and SEED's K.
    public static let usualCapacity = 65536

    /// K.
    static let size = MethodOption<Int?>(
        "queue-size", default: nil, defaultText: "that of the checkpoint or queue; else 65536, or half the data set if that is less",
        in: 1...1 << 28, valueName: "K", "Rows in the queue.")

    /// K where nobody names one: 65536, or half the data set if that is less, so that
    /// no image meets its own embedding of the epoch before.
    public static func capacity(samples: Int?) -> Int {
        min(usualCapacity, max(1, (samples ?? .max) / 2))
    }

    /// The three tensors.
    public static func tensors(_ queue: EmbeddingQueue) -> [String: Tensor] {
        [
            "queue": Tensor(f32: queue.rows, shape: [queue.capacity, queue.dimension]),
            "queue.position": Tensor(i64: [Int64(queue.position)], shape: [1]),
            "queue.filled": Tensor(i64: [Int64(queue.filled)], shape: [1]),
        ]
    }

    /// The record that carries the queue in a stream.
    public static func record(_ queue: EmbeddingQueue) -> TensorDocument { record(tensors(queue)) }

    /// The record that carries a queue and what is kept with it.
    public static func record(_ state: [String: Tensor]) -> TensorDocument { TensorDocument(metadata: [key: "1"], tensors: state) }

    /// The tensors of a file that belong to a queue: large ones of other names are not read.
    ///
    /// - Throws: ``Failure`` when there is no queue, before anything is read.
    public static func names(in outline: DocumentOutline) throws -> Set<String> {
        let queue = try outline.tensor("queue", .f32, shape: [nil, nil])
        return Set(outline.tensors.filter { $0.name == queue.name || $0.byteCount <= 1 << 20 }.map(\.name))
    }

    /// Whether a record carries the queue.
    public static func isState(_ record: TensorDocument) -> Bool { record.metadata[key] != nil }

    /// The queue in a checkpoint, a queue file or a record.
    ///
    /// - Throws: ``Failure`` when a tensor is missing or of another shape, a number is out of its range, or a row not of unit length.
    public static func queue(_ document: TensorDocument) throws -> EmbeddingQueue {
        let rows = try document.tensor("queue", .f32, shape: [nil, nil])
        let (capacity, dimension) = (rows.shape[0], rows.shape[1])
        guard capacity > 0, dimension > 0 else { throw document.failure("has an empty queue, of shape \(rows.shape)") }
        let position = try document.number("queue.position", in: 0...capacity - 1)
        let filled = try document.number("queue.filled", in: 0...capacity)
        try NormalizedRowCheck.check(rows, "queue", in: document)
        return EmbeddingQueue(rows: try rows.floats(), dimension: dimension, position: position, filled: filled)
    }
}

extension TensorDocument {
    /// The number that the tensor `name`, i64 [1], holds.
    ///
    /// - Throws: ``Failure`` where it is missing, of another shape or out of `range`.
    func number(_ name: String, in range: ClosedRange<Int>) throws -> Int {
        let values = try tensor(name, .i64, shape: [1]).integers()
        guard let value = values.first, range.contains(value) else {
            throw failure("has '\(name)' = \(values) where \(range.lowerBound) to \(range.upperBound) is expected")
        }
        return value
    }
}
