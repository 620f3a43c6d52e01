import Kernels
import Parallel

/// Exact nearest neighbours by cosine, for a training set of any size.
///
/// The queries stay in memory, and the training samples are streamed. A tile of training samples is packed and
/// multiplied with all queries. Samples that are nearer than a query's k-th neighbour so far go from the product
/// straight to the query's ``TopK``, so no table of similarities is kept.
///
/// Memory: the queries, two tiles, and for each query 32 bytes and 16 for each neighbour (at least 8 are counted), plus
/// 8 for each neighbour at the end. Time: queries · training samples · dimension multiply-adds make up nearly all of it
/// (docs/performance.md).
///
/// Where the processor has a fast byte product, both sides are also kept as bytes (``ByteRows``), which takes a quarter
/// more memory and 24 bytes per query. The byte product quickly rules out samples that cannot be near enough, and only
/// the others' cosines are computed (``ByteScan``). Where it rules out too few, all are multiplied. The neighbours and
/// the bits of their cosines are the same either way.
///
/// Equal similarities are ordered by the training sample's number, so the result is uniquely defined. Equal samples
/// have equal similarities, since ``VectorAlgebra/similarity(_:_:_:)`` computes each, identically on every machine; the
/// products only select the candidates. The result depends neither on the number of threads nor on how the samples are
/// split into portions.
public final class NeighbourSearch {
    /// The number of training samples of a tile; of queries in one work item; of training samples of one product, whose
    /// similarities stay in the cache.
    private static let tileRows = 4096
    private static let blockRows = 126
    private static let productRows = 512
    /// A byte product does not pay where more than one in `mostNear` samples must be examined: the rest of the tile
    /// then uses the float product. Nor does it pay with fewer than `fewQueries` queries.
    private static let mostNear = 8, fewQueries = 32

    private let queries: FeatureMatrix
    private let k: Int
    private let candidates: UnsafeMutablePointer<UInt64>
    private var nearest: [TopK]
    private let tile: FloatBuffer
    private let packed: FloatBuffer
    private let bytes: ByteScan?
    /// For each worker: a block of queries, and its similarities to the samples of a product.
    private var scratch = FloatBuffer(0)
    private var tileCount = 0
    private var seen = 0
    /// The number of pairs whose similarity was computed one by one, because no product ruled them out.
    public private(set) var looked = 0

    /// - Parameters:
    ///   - queries: finite; normalised to length 1 here, in place.
    ///   - k: the number of neighbours.
    ///   - byBytes: whether to rule out samples by a byte product; nil: where that is fast.
    public init(queries: FeatureMatrix, k: Int, byBytes: Bool? = nil) {
        precondition(k > 0)
        self.queries = queries
        self.k = k
        queries.normalizeRows()
        candidates = .allocate(capacity: max(1, queries.samples * TopK.capacity(k)))
        nearest = (0..<queries.samples).map { [candidates] in TopK(candidates + $0 * TopK.capacity(k), k: k) }
        tile = FloatBuffer(Self.tileRows * queries.dimension)
        packed = FloatBuffer(Panels(k: queries.dimension, n: Self.tileRows).floats)
        bytes = (byBytes ?? (ByteProduct.isFast && queries.samples >= Self.fewQueries)) && queries.dimension <= ByteProduct.longest ? ByteScan(queries, tile: tile, rows: Self.tileRows) : nil
    }

    deinit { candidates.deallocate() }

    /// The largest difference between a sum in the order of the dimensions and ``VectorAlgebra/similarity(_:_:_:)``,
    /// for rows of length 1.
    private static func rounding(_ dimension: Int) -> Float { Float(dimension + dimension / 64 + 64) * 0x1p-24 }

    /// Adds training samples, (rows, dimension), of any length, all finite.
    public func add(_ rows: [Float]) {
        precondition(rows.count.isMultiple(of: max(1, queries.dimension)))
        rows.withUnsafeBufferPointer { add($0) }
    }

    /// Adds training samples, of any length.
    func add(_ rows: FeatureMatrix) {
        precondition(rows.dimension == queries.dimension)
        withExtendedLifetime(rows) { add(rows.all) }
    }

    /// Adds training samples, (rows, dimension), of any length.
    private func add(_ rows: UnsafeBufferPointer<Float>) {
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
                        // A similarity of NaN is never taken.
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
        let (queries, tile, packed, bytes) = (queries, tile.pointer, packed.pointer, bytes)
        let (block, product) = (Self.blockRows, Self.productRows)
        let panels = Panels(k: D, n: N), rounding = Self.rounding(D)
        Parallel.forEach(panels.count) { panel, _ in
            for n in panels.columns(panel) { VectorAlgebra.normalize(tile + n * D, D) }
            panels.pack(panel, of: tile, .transposed, ldb: D, into: packed)
            bytes?.pack(panel, panels.columns(panel))
        }
        let workers = Parallel.threads
        let (rowStride, scoreStride) = (RowStride.padded(D), RowStride.padded(product))
        let scratchFloats = workers * block * (rowStride + scoreStride)
        if scratch.count < scratchFloats { scratch = FloatBuffer(scratchFloats) }
        let scratch = scratch
        var looked = [Int](repeating: 0, count: (Q + block - 1) / block)
        nearest.withUnsafeMutableBufferPointer { nearest in
            looked.withUnsafeMutableBufferPointer { looked in
                guard let first = nearest.baseAddress else { return }
                nonisolated(unsafe) let (all, looked) = (first, looked)
                Parallel.forEach(looked.count, workers: workers) { piece, worker in
                    let rows = scratch.pointer + worker * block * (rowStride + scoreStride), scores = rows + block * rowStride
                    let start = piece * block, count = min(block, Q - start)
                    Rows.copy(queries.row(start), stride: D, rows: count, columns: D, into: rows, stride: rowStride)
                    /// Whether the byte product rules out too few samples of this tile.
                    var byFloats = false
                    for first in stride(from: 0, to: N, by: product) {
                        let width = min(product, N - first)
                        if let bytes, !byFloats, seen + first >= TopK.capacity(k) {
                            let near = bytes.take(first..<first + width, of: start..<start + count, before: seen, scores, scoreStride, into: all + start)
                            byFloats = near > count * width / Self.mostNear
                            looked[piece] += near
                            continue
                        }
                        GEMM.multiply(
                            rows, lda: rowStride, m: count, packed + panels.offset(first / Panels.width), Panels(k: D, n: width), into: scores, ldc: scoreStride)
                        for q in 0..<count {
                            looked[piece] += all[start + q].take(scores + q * scoreStride, count: width, first: seen + first, rounding: rounding) {
                                VectorAlgebra.similarity(rows + q * rowStride, tile + (first + $0) * D, D)
                            }
                        }
                    }
                }
            }
        }
        self.looked += looked.reduce(0, +)
        self.seen += tileCount
        tileCount = 0
    }
}

/// A training sample and its cosine similarity to a query.
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
    /// The number of neighbours of each query.
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
