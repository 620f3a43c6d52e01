import Kernels
import Parallel

/// Rules out training samples of a tile that cannot be among a query's nearest, by dot products of bytes.
///
/// A sample is ruled out when ``ByteRows``' bound of its similarity is at most the query's limit.
struct ByteScan: Sendable {
    private let queries: ByteRows
    private let samples: ByteRows
    private let packed: FloatBuffer
    private let floats: FeatureMatrix
    private let tile: FloatBuffer
    private let rounding: Float

    /// - Parameters:
    ///   - floats: the queries, of length 1.
    ///   - tile: the training samples; call ``pack(_:_:)`` when a panel of them is filled.
    ///   - rows: the maximum number of samples, whole panels.
    init(_ floats: FeatureMatrix, tile: FloatBuffer, rows: Int) {
        let centre = ByteRows.centre(floats)
        (self.floats, self.tile) = (floats, tile)
        queries = ByteRows(floats.samples, centre: centre, isQueries: true)
        samples = ByteRows(rows, centre: centre, isQueries: false)
        packed = FloatBuffer(Panels(k: samples.width, n: rows).floats)
        rounding = ByteRows.rounding(floats.dimension)
        let queries = queries
        Parallel.forEach((floats.samples + 255) / 256) { piece, _ in
            for query in piece * 256..<min(floats.samples, piece * 256 + 256) { queries.set(query, to: floats.row(query)) }
        }
    }

    /// Quantises the samples `rows` of the tile, which have length 1 or 0, and packs the panel `panel`.
    func pack(_ panel: Int, _ rows: Range<Int>) {
        for row in rows { samples.set(row, to: tile.pointer + row * floats.dimension) }
        // Panels are whole: rows that the tile lacks keep their previous content, and their scores are ignored.
        let panels = Panels(k: samples.width, n: (panel + 1) * Panels.width)
        panels.pack(panel, of: samples.bytes.pointer, .transposed, ldb: samples.stride, into: packed.pointer)
    }

    /// Compares samples of the tile with queries.
    ///
    /// - Parameters:
    ///   - rows: starts at the first row of a panel.
    ///   - seen: the number of training samples before the tile.
    ///   - scores: workspace for a product, with rows `stride` floats apart.
    ///   - nearest: the list of the first query of the block.
    /// - Returns: how many similarities had to be computed.
    func take(
        _ rows: Range<Int>, of block: Range<Int>, before seen: Int, _ scores: UnsafeMutablePointer<Float>, _ stride: Int, into nearest: UnsafeMutablePointer<TopK>
    ) -> Int {
        let panels = Panels(k: samples.width, n: (rows.count + Panels.width - 1) / Panels.width * Panels.width)
        ByteProduct.multiply(
            queries.bytes.pointer + block.lowerBound * queries.stride, lda: queries.stride, m: block.count, packed.pointer + rows.lowerBound * samples.width, panels, into: scores, ldc: stride)
        var near = 0
        for query in block { near += take(rows, of: query, before: seen, scores + (query - block.lowerBound) * stride, into: &nearest[query - block.lowerBound]) }
        return near
    }

    private func take(_ rows: Range<Int>, of query: Int, before seen: Int, _ scores: UnsafePointer<Float>, into nearest: inout TopK) -> Int {
        // All terms are divided by the query's s.
        let inverse = queries.scale.pointer[query], offset = queries.offset.pointer[query], byteLength = queries.byteLength.pointer[query]
        let missing = queries.missing.pointer[query] * inverse, besides = rounding + queries.alongCentre.pointer[query], row = floats.row(query)
        let scale = UnsafePointer(samples.scale.pointer + rows.lowerBound), along = UnsafePointer(samples.alongCentre.pointer + rows.lowerBound)
        let length = UnsafePointer(samples.length.pointer + rows.lowerBound), lacking = UnsafePointer(samples.missing.pointer + rows.lowerBound)
        var (limit, near) = ((nearest.limit - besides) * inverse, 0)
        var i = 0
        while i < rows.count {
            var bound = (scores.vector(i) - offset) * scale.vector(i)
            bound = bound.addingProduct(along.vector(i), Vector(repeating: inverse))
            bound = bound.addingProduct(length.vector(i), Vector(repeating: missing))
            bound = bound.addingProduct(lacking.vector(i), Vector(repeating: byteLength))
            var places = bound.lanes(above: limit)
            while places != 0 {
                let j = i + places.trailingZeroBitCount
                places &= places - 1
                guard j < rows.count else { break }
                near += 1
                let sample = rows.lowerBound + j
                if nearest.take(VectorAlgebra.similarity(row, tile.pointer + sample * floats.dimension, floats.dimension), seen + sample) {
                    limit = (nearest.limit - besides) * inverse
                }
            }
            i += 16
        }
        return near
    }
}
