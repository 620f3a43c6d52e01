import Parallel
import Randomness

/// The K most recent embeddings: a ring buffer of unit-length rows.
///
/// It starts with random directions, as in MoCo and SEED: N(0, 1) rows scaled to unit length. Both require K to be a
/// multiple of the batch size; here writes wrap around, so K may be any size.
public struct EmbeddingQueue: Sendable, Equatable {
    /// K, the number of rows.
    public let capacity: Int
    /// D, the length of a row.
    public let dimension: Int
    /// The rows (K, D).
    public private(set) var rows: [Float]
    /// The row that is overwritten next.
    public private(set) var position: Int
    /// The number of rows that hold embeddings rather than the initial random directions.
    public private(set) var filled: Int

    /// A queue of random directions. Row k is a function of (seed, k) alone.
    public init(capacity: Int, dimension: Int, seed: UInt64) {
        precondition(capacity > 0 && dimension > 0)
        self.capacity = capacity
        self.dimension = dimension
        position = 0
        filled = 0
        rows = [Float](unsafeUninitializedCapacity: capacity * dimension) { buffer, count in
            let base = buffer.baseAddress!
            let pieces = (capacity + 255) / 256
            Parallel.forEach(pieces) { piece, _ in
                for k in Parallel.part(piece, of: pieces, in: capacity) {
                    let row = base + k * dimension
                    var random = CounterRandom(seed: seed, .queue, item: k)
                    var square = 0.0
                    for d in 0..<dimension {
                        row[d] = Float(random.normal())
                        square += Double(row[d]) * Double(row[d])
                    }
                    // A row of zeros has no direction and stays zero (D = 1 and a draw of exactly 0).
                    let scale = square > 0 ? 1 / square.squareRoot() : 0
                    for d in 0..<dimension { row[d] = Float(Double(row[d]) * scale) }
                }
            }
            count = capacity * dimension
        }
    }

    /// Restores a queue: `rows` is (K, D), `position` in 0..<K, `filled` in 0...K.
    public init(rows: [Float], dimension: Int, position: Int, filled: Int) {
        precondition(dimension > 0 && !rows.isEmpty && rows.count % dimension == 0)
        capacity = rows.count / dimension
        precondition((0..<capacity).contains(position) && (0...capacity).contains(filled))
        self.dimension = dimension
        self.rows = rows
        self.position = position
        self.filled = filled
    }

    /// The share of rows that hold embeddings, 0 to 1.
    public var realShare: Double { Double(filled) / Double(capacity) }

    /// Overwrites the oldest rows with `newRows` (N, D) in order. If N exceeds K, the last K rows remain.
    public mutating func enqueue(_ newRows: UnsafeBufferPointer<Float>) {
        precondition(newRows.count % dimension == 0)
        let count = newRows.count / dimension
        let (capacity, dimension, start) = (capacity, dimension, position)
        guard count > 0, let source = newRows.baseAddress else { return }
        rows.withUnsafeMutableBufferPointer { rows in
            guard let target = rows.baseAddress else { return }
            var next = max(0, count - capacity)
            while next < count {
                let place = (start + next) % capacity
                let run = min(count - next, capacity - place)
                (target + place * dimension).update(from: source + next * dimension, count: run * dimension)
                next += run
            }
        }
        position = (start + count) % capacity
        filled = min(capacity, filled + count)
    }
}
