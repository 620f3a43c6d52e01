import Kernels
import Parallel

/// Exact nearest neighbours by cosine, for a training set of any size.
///
/// The queries stay in memory, the training samples pass by: a tile of them is multiplied with all
/// queries, and what is nearer than a query's k-th neighbour so far goes to that query's heap, straight from the
/// product, so that no table of similarities is ever kept. Memory: the queries, one tile, and 8 bytes for each
/// query and neighbour.
///
/// Equal similarities are ordered by the training sample's number, so the result is one definite list.
/// It depends neither on the number of threads nor on how the samples come in portions.
public final class NeighbourSearch {
    /// Training samples multiplied at once; queries in one piece of work; training samples of one product.
    private static let tileRows = 4096
    private static let blockRows = 192
    private static let panelRows = 1024

    private let queries: FeatureMatrix
    private let k: Int
    private let entries: UnsafeMutablePointer<Neighbour>
    private var filled: [Int]
    private let tile: FloatBuffer
    private var tileCount = 0
    private var seen = 0

    /// - Parameters:
    ///   - queries: brought to length 1 here, in place.
    ///   - k: how many neighbours are wanted.
    public init(queries: FeatureMatrix, k: Int) {
        precondition(k > 0)
        self.queries = queries
        self.k = k
        queries.normalizeRows()
        entries = .allocate(capacity: max(1, queries.samples * k))
        filled = [Int](repeating: 0, count: queries.samples)
        tile = FloatBuffer(Self.tileRows * queries.dimension)
    }

    deinit { entries.deallocate() }

    /// Adds training samples, (rows, dimension), of any length.
    public func add(_ rows: [Float]) {
        precondition(rows.count.isMultiple(of: max(1, queries.dimension)))
        rows.withUnsafeBufferPointer { add($0) }
    }

    /// Adds training samples, (rows, dimension), of any length.
    public func add(_ rows: UnsafeBufferPointer<Float>) {
        let D = queries.dimension
        guard var source = rows.baseAddress, D > 0 else { return }
        var rest = rows.count / D
        while rest > 0 {
            let count = min(rest, Self.tileRows - tileCount)
            (tile.pointer + tileCount * D).update(from: source, count: count * D)
            tileCount += count
            source += count * D
            rest -= count
            if tileCount == Self.tileRows { search() }
        }
    }

    /// The neighbours of every query, nearest first; fewer than k where the training set has fewer samples.
    public func finish() -> Neighbours {
        search()
        let (entries, k, found) = (entries, k, min(k, seen))
        let Q = queries.samples
        Parallel.forEach((Q + 63) / 64) { piece, _ in
            for query in piece * 64..<min(Q, piece * 64 + 64) {
                var row = UnsafeMutableBufferPointer(start: entries + query * k, count: found)
                row.sort { $1.isFarther(than: $0) }
            }
        }
        var list: [Neighbour] = []
        list.reserveCapacity(Q * found)
        for query in 0..<Q { list.append(contentsOf: UnsafeBufferPointer(start: entries + query * k, count: found)) }
        return Neighbours(queries: Q, k: found, trainingSamples: seen, list: list)
    }

    /// Compares the tile with all queries.
    private func search() {
        guard tileCount > 0 else { return }
        let (Q, D, N, first, k) = (queries.samples, queries.dimension, tileCount, seen, k)
        let (queries, tile, entries) = (queries, tile, entries)
        let block = Self.blockRows
        Parallel.forEach((N + 255) / 256) { piece, _ in
            for n in piece * 256..<min(N, piece * 256 + 256) { VectorAlgebra.normalize(tile.pointer + n * D, D) }
        }
        let workers = Parallel.threads
        let scratch = FloatBuffer(workers * block * Self.panelRows)
        filled.withUnsafeMutableBufferPointer { filled in
            nonisolated(unsafe) let filled = filled
            Parallel.forEach((Q + block - 1) / block, workers: workers) { piece, worker in
                let scores = scratch.pointer + worker * block * Self.panelRows
                let start = piece * block
                let count = min(block, Q - start)
                for panel in stride(from: 0, to: N, by: Self.panelRows) {
                    let width = min(Self.panelRows, N - panel)
                    Matrix.multiply(
                        queries.row(start), lda: D, tile.pointer + panel * D, .transposed, ldb: D,
                        into: scores, ldc: Self.panelRows, m: count, n: width, k: D)
                    for q in 0..<count {
                        var heap = NeighbourHeap(entries + (start + q) * k, capacity: k, count: filled[start + q])
                        heap.take(scores + q * Self.panelRows, count: width, first: first + panel)
                        filled[start + q] = heap.count
                    }
                }
            }
        }
        seen += tileCount
        tileCount = 0
    }
}

/// A training sample and its cosine to a query.
public struct Neighbour: Sendable, Equatable {
    public var similarity: Float
    public var index: Int32

    public init(similarity: Float, index: Int32) {
        self.similarity = similarity
        self.index = index
    }

    /// Less similar, or as similar and later in the training set.
    func isFarther(than other: Neighbour) -> Bool {
        similarity < other.similarity || (similarity == other.similarity && index > other.index)
    }
}

/// The neighbours of every query, nearest first.
public struct Neighbours: Sendable {
    public let queries: Int
    /// Neighbours of each query.
    public let k: Int
    public let trainingSamples: Int
    let list: [Neighbour]

    public init(queries: Int, k: Int, trainingSamples: Int, list: [Neighbour]) {
        precondition(list.count == queries * k)
        self.queries = queries
        self.k = k
        self.trainingSamples = trainingSamples
        self.list = list
    }

    public subscript(query: Int) -> ArraySlice<Neighbour> { list[query * k..<(query + 1) * k] }
}

/// The nearest so far of one query, the farthest of them at the root.
private struct NeighbourHeap {
    private let entries: UnsafeMutablePointer<Neighbour>
    private let capacity: Int
    private(set) var count: Int

    init(_ entries: UnsafeMutablePointer<Neighbour>, capacity: Int, count: Int) {
        self.entries = entries
        self.capacity = capacity
        self.count = count
    }

    /// Takes what is near enough of `scores`, the similarities of the training samples `first...`.
    mutating func take(_ scores: UnsafePointer<Float>, count width: Int, first: Int) {
        var i = 0
        while i < width, count < capacity {
            push(Neighbour(similarity: scores[i], index: Int32(truncatingIfNeeded: first + i)))
            i += 1
        }
        // Samples come in order, so one that is only as near as the farthest kept is behind it.
        var limit = entries[0].similarity
        while i + 32 <= width {
            let chunk = UnsafeRawPointer(scores + i)
            let a = chunk.loadUnaligned(as: SIMD16<Float>.self)
            let b = chunk.loadUnaligned(fromByteOffset: 64, as: SIMD16<Float>.self)
            if any((a .> limit) .| (b .> limit)) {
                for j in i..<i + 32 where scores[j] > limit {
                    replaceRoot(Neighbour(similarity: scores[j], index: Int32(truncatingIfNeeded: first + j)))
                    limit = entries[0].similarity
                }
            }
            i += 32
        }
        while i < width {
            if scores[i] > limit {
                replaceRoot(Neighbour(similarity: scores[i], index: Int32(truncatingIfNeeded: first + i)))
                limit = entries[0].similarity
            }
            i += 1
        }
    }

    private mutating func push(_ entry: Neighbour) {
        var slot = count
        count += 1
        while slot > 0 {
            let parent = (slot - 1) / 2
            guard entry.isFarther(than: entries[parent]) else { break }
            entries[slot] = entries[parent]
            slot = parent
        }
        entries[slot] = entry
    }

    private func replaceRoot(_ entry: Neighbour) {
        var slot = 0
        while true {
            var child = 2 * slot + 1
            guard child < count else { break }
            if child + 1 < count, entries[child + 1].isFarther(than: entries[child]) { child += 1 }
            guard entries[child].isFarther(than: entry) else { break }
            entries[slot] = entries[child]
            slot = child
        }
        entries[slot] = entry
    }
}
