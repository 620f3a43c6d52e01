import Kernels
import Parallel

/// Exact nearest neighbours by cosine, for a training set of any size.
///
/// The queries stay in memory, the training samples pass by: a tile of them is packed and multiplied with all
/// queries, and what is nearer than a query's k-th neighbour so far goes to that query's ``Nearest``, straight from the
/// product, so that no table of similarities is ever kept. Memory: the queries, two tiles, and for each
/// query 32 bytes and 16 for each neighbour (of fewer than 8 as of 8), at the end 8 more of these. Time: queries · training samples · dimension multiply-adds, nearly all of it (docs/performance.md).
///
/// Equal similarities are ordered by the training sample's number, so the result is one definite list; of equal samples they are equal, since each is one sum in the order of the dimensions.
/// It depends neither on the number of threads nor on how the samples come in portions.
public final class NeighbourSearch {
    /// Training samples multiplied at once; queries in one piece of work; training samples of one product, whose similarities stay in the cache.
    private static let tileRows = 4096
    private static let blockRows = 126
    private static let productRows = 512

    private let queries: FeatureMatrix
    private let k: Int
    private let candidates: UnsafeMutablePointer<UInt64>
    private var nearest: [Nearest]
    private let tile: FloatBuffer
    private let packed: FloatBuffer
    /// Of each worker: a block of queries, and its similarities to the samples of a product.
    private var scratch = FloatBuffer(0)
    private var tileCount = 0
    private var seen = 0

    /// - Parameters:
    ///   - queries: finite; brought to length 1 here, in place.
    ///   - k: how many neighbours are wanted.
    public init(queries: FeatureMatrix, k: Int) {
        precondition(k > 0)
        self.queries = queries
        self.k = k
        queries.normalizeRows()
        candidates = .allocate(capacity: max(1, queries.samples * Nearest.capacity(k)))
        nearest = (0..<queries.samples).map { [candidates] in Nearest(candidates + $0 * Nearest.capacity(k), k: k) }
        tile = FloatBuffer(Self.tileRows * queries.dimension)
        packed = FloatBuffer(Panels(k: queries.dimension, n: Self.tileRows).floats)
    }

    deinit { candidates.deallocate() }

    /// Adds training samples, (rows, dimension), of any length, all finite.
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
        let (Q, found) = (queries.samples, min(k, seen))
        let list = [Neighbour](unsafeUninitializedCapacity: Q * found) { list, count in
            nonisolated(unsafe) let list = list
            nearest.withUnsafeMutableBufferPointer { nearest in
                nonisolated(unsafe) let nearest = nearest
                Parallel.forEach((Q + 63) / 64) { piece, _ in
                    for query in piece * 64..<min(Q, piece * 64 + 64) {
                        let sorted = nearest[query].sorted()
                        // A similarity that is no number is none of anybody.
                        precondition(sorted.count == found, "rows are finite")
                        for (place, neighbour) in sorted.enumerated() { list.initializeElement(at: query * found + place, to: neighbour) }
                    }
                }
            }
            count = Q * found
        }
        return Neighbours(queries: Q, k: found, trainingSamples: seen, list: list)
    }

    /// Compares the tile with all queries.
    private func search() {
        guard tileCount > 0 else { return }
        let (Q, D, N, seen) = (queries.samples, queries.dimension, tileCount, seen)
        let (queries, tile, packed) = (queries, tile.pointer, packed.pointer)
        let (block, product) = (Self.blockRows, Self.productRows)
        let panels = Panels(k: D, n: N)
        Parallel.forEach(panels.count) { panel, _ in
            for n in panels.columns(panel) { VectorAlgebra.normalize(tile + n * D, D) }
            panels.pack(panel, of: tile, .transposed, ldb: D, into: packed)
        }
        let workers = Parallel.threads
        let (rowStride, scoreStride) = (RowStride.padded(D), RowStride.padded(product))
        let scratchFloats = workers * block * (rowStride + scoreStride)
        if scratch.count < scratchFloats { scratch = FloatBuffer(scratchFloats) }
        let scratch = scratch
        nearest.withUnsafeMutableBufferPointer { nearest in
            nonisolated(unsafe) let nearest = nearest
            Parallel.forEach((Q + block - 1) / block, workers: workers) { piece, worker in
                let rows = scratch.pointer + worker * block * (rowStride + scoreStride), scores = rows + block * rowStride
                let start = piece * block
                let count = min(block, Q - start)
                Rows.copy(queries.row(start), stride: D, rows: count, columns: D, into: rows, stride: rowStride)
                for first in stride(from: 0, to: N, by: product) {
                    let width = min(product, N - first)
                    GEMM.multiply(
                        rows, lda: rowStride, m: count, packed + panels.offset(first / Panels.width), Panels(k: D, n: width), into: scores, ldc: scoreStride)
                    for q in 0..<count { nearest[start + q].take(scores + q * scoreStride, count: width, first: seen + first) }
                }
            }
        }
        self.seen += tileCount
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

/// The nearest k so far of one query, among as many candidates again: when these are full, the k nearest are chosen and the others go.
///
/// A candidate is a number that is the larger, the nearer it is: its similarity in the upper half, in the order of its bits, and in the lower one the training sample's number, of which the smaller goes first.
private struct Nearest {
    private let candidates: UnsafeMutablePointer<UInt64>
    private let k: Int
    private var count = 0
    /// What a sample must be nearer than. Samples come in order, so one that is only as near as the farthest of k is behind it.
    private var limit = -Float.infinity

    static func capacity(_ k: Int) -> Int { k + max(k, 8) }

    init(_ candidates: UnsafeMutablePointer<UInt64>, k: Int) { (self.candidates, self.k) = (candidates, k) }

    private static func candidate(_ similarity: Float, _ index: Int) -> UInt64 {
        let bits = (similarity + 0).bitPattern  // −0 is as near as 0
        let ordered = bits >> 31 == 0 ? bits | 1 << 31 : ~bits
        return UInt64(ordered) << 32 | UInt64(~UInt32(truncatingIfNeeded: index))
    }

    private static func neighbour(_ candidate: UInt64) -> Neighbour {
        let ordered = UInt32(truncatingIfNeeded: candidate >> 32)
        return Neighbour(
            similarity: Float(bitPattern: ordered >> 31 == 1 ? ordered & ~(1 << 31) : ~ordered), index: Int32(truncatingIfNeeded: ~UInt32(truncatingIfNeeded: candidate)))
    }

    /// Takes what is near enough of `scores`, the similarities of the training samples `first...`.
    mutating func take(_ scores: UnsafePointer<Float>, count width: Int, first: Int) {
        var i = 0
        while i + 32 <= width {
            let (low, high) = (scores.vector(i) .> limit, scores.vector(i + 16) .> limit)
            if any(low .| high) {
                var places = Self.bits(low) | Self.bits(high) << 16
                while places != 0 {
                    let j = i + places.trailingZeroBitCount
                    places &= places - 1
                    // The limit may have risen since.
                    if scores[j] > limit { add(scores[j], first + j) }
                }
            }
            i += 32
        }
        while i < width {
            if scores[i] > limit { add(scores[i], first + i) }
            i += 1
        }
    }

    /// A bit for each lane, the first of them the lowest.
    @inline(__always)
    private static func bits(_ mask: SIMDMask<SIMD16<Int32>>) -> UInt32 {
        let low: SIMD8<UInt32> = [1, 1 << 1, 1 << 2, 1 << 3, 1 << 4, 1 << 5, 1 << 6, 1 << 7]
        let ofLanes = SIMD16<UInt32>(lowHalf: low, highHalf: low &<< 8)
        return SIMD16<UInt32>(repeating: 0).replacing(with: ofLanes, where: mask).wrappedSum()
    }

    private mutating func add(_ similarity: Float, _ index: Int) {
        candidates[count] = Self.candidate(similarity, index)
        count += 1
        if count == Self.capacity(k) { choose() }
    }

    /// Brings the k nearest to the front, the farthest of them last (Hoare's selection), and forgets the others.
    private mutating func choose() {
        var (low, high) = (0, count - 1)
        while low < high {
            // The middle one of three; of so many different numbers no order that comes is a bad one for long.
            let (a, b, c) = (candidates[low], candidates[(low + high) / 2], candidates[high])
            let pivot = max(min(a, b), min(max(a, b), c))
            var (i, j) = (low, high)
            while i <= j {
                while candidates[i] > pivot { i += 1 }
                while candidates[j] < pivot { j -= 1 }
                if i <= j {
                    (candidates[i], candidates[j]) = (candidates[j], candidates[i])
                    i += 1
                    j -= 1
                }
            }
            // low … j are nearer than i … high; what lies between is the pivot.
            if k - 1 <= j { high = j } else if k - 1 >= i { low = i } else { break }
        }
        count = k
        limit = Self.neighbour(candidates[k - 1]).similarity
    }

    /// The nearest k, or as many as there are, nearest first.
    mutating func sorted() -> [Neighbour] {
        var all = UnsafeMutableBufferPointer(start: candidates, count: count)
        all.sort(by: >)
        return all.prefix(k).map(Self.neighbour)
    }
}
