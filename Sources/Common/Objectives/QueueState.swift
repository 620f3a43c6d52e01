public import Losses
public import TensorStreams
import ToolSupport

/// The queue as tensors: in a student's checkpoint, in a separate file, and in the record that carries it to and from
/// a loss.
///
/// | tensor           | shape      |                                                   |
/// |------------------|------------|---------------------------------------------------|
/// | `queue`          | f32 [K, D] | L2-normalized rows                                |
/// | `queue.position` | i64 [1]    | the row that is overwritten next, 0 … K − 1       |
/// | `queue.filled`   | i64 [1]    | rows that are embeddings so far, 0 … K            |
///
/// SEED's loss keeps ``TeacherStatistics`` beside them.
public enum QueueState {
    /// The metadata key of a record that carries the queue ("1"), and of a stream header whose writer wants it back
    /// ("wanted").
    public static let key = "state"
    /// The value of a header's `state` that asks for the queue after the last record.
    public static let wanted = "wanted"
    /// The value of `state` in an answering header which says that the queue may be requested after any record.
    public static let anyTime = "at any time"

    /// The K of MoCo and SEED.
    public static let usualCapacity = 65536

    /// K.
    static let size = MethodOption<Int?>(
        "queue-size", default: nil, defaultText: "that of the checkpoint or queue; else 65536, or half the data set if that is less",
        in: 1...1 << 28, valueName: "K", "Rows in the queue.")

    /// The default K: 65536, or half the data set if that is less, so that no image meets its own embedding of the
    /// previous epoch.
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

    /// The record that carries a queue and the state kept with it.
    public static func record(_ state: [String: Tensor]) -> TensorDocument { TensorDocument(metadata: [key: "1"], tensors: state) }

    /// The names of the tensors in a file that belong to a queue. Large tensors of other names are not read.
    ///
    /// - Throws: ``Failure`` when there is no queue, before any tensor is read.
    public static func names(in outline: DocumentOutline) throws -> Set<String> {
        let queue = try outline.tensor("queue", .f32, shape: [nil, nil])
        return Set(outline.tensors.filter { $0.name == queue.name || $0.byteCount <= 1 << 20 }.map(\.name))
    }

    /// Whether a record carries the queue.
    public static func isState(_ record: TensorDocument) -> Bool { record.metadata[key] != nil }
    /// Whether a record asks for the queue.
    static func isQuestion(_ record: TensorDocument) -> Bool { record.metadata[key] == wanted && record.tensors.isEmpty }

    /// The queue in a checkpoint, a queue file or a record.
    ///
    /// - Throws: ``Failure`` when a tensor is missing or of another shape, a number is out of range, or a row is not
    ///   of unit length.
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

/// Queues of rows of any length, which methods keep under their own names: `NAME` f32 [K, D], `NAME.position`,
/// `NAME.filled` i64 [1].
extension EmbeddingQueue {
    /// Creates a queue of zeros that fits into a checkpoint.
    ///
    /// - Parameter option: the option that sets the number of rows.
    init(ofZeros K: Int, dimension D: Int, option: String) throws {
        let (bytes, limit) = (4 * K * D, Limits.standard.documentBytes - (1 << 20))
        guard bytes <= limit else {
            throw Failure(.usage, "a queue of \(K) rows of \(D) numbers has \(bytes) bytes, above the limit of \(limit)", remedy: "choose a smaller --\(option)")
        }
        self.init(rows: [Float](repeating: 0, count: K * D), dimension: D, position: 0, filled: 0)
    }

    /// Restores a queue from the tensors of ``kept(_:)``.
    ///
    /// - Parameters:
    ///   - length: the requested number of rows; nil for any.
    ///   - option: the option that requests it.
    ///   - largest: the largest absolute value allowed.
    init(_ document: TensorDocument, _ name: String, rows length: Int?, option: String, largest: Float = .greatestFiniteMagnitude) throws {
        let rows = try document.tensor(name, .f32, shape: [nil, nil]), K = rows.shape[0]
        guard K > 0, rows.shape[1] > 0 else { throw document.failure("has '\(name)' of shape \(rows.shape), which no queue has") }
        if let length, length != K {
            throw document.failure("holds a queue of \(K) rows where --\(option) asks for \(length)", remedy: "give --\(option) \(K) to keep it")
        }
        let values = try rows.floats()
        guard values.allSatisfy({ abs($0) <= largest }) else {
            throw document.failure("has a number that is \(largest < 2 ? "impossible in a row of unit length" : "not finite") in '\(name)'")
        }
        self.init(
            rows: values, dimension: rows.shape[1], position: try document.number("\(name).position", in: 0...K - 1), filled: try document.number("\(name).filled", in: 0...K))
    }

    func kept(_ name: String) -> [String: Tensor] {
        [
            name: Tensor(f32: rows, shape: [capacity, dimension]), "\(name).position": Tensor(i64: [Int64(position)], shape: [1]),
            "\(name).filled": Tensor(i64: [Int64(filled)], shape: [1]),
        ]
    }
}

extension TensorDocument {
    /// The number in the tensor `name`, i64 [1].
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
