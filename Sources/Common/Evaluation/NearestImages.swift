import ToolSupport

/// The samples of a feature stream that are nearest to some queries, by cosine, exactly.
public struct NearestImages: Sendable {
    public struct Near: Sendable, Equatable {
        /// The image's number in its data set.
        public let image: Int
        /// 0 where there are no labels.
        public let label: Int32
        public let similarity: Float
    }

    /// For each query its nearest samples, the nearest first; equal ones in stream order.
    public let found: [[Near]]

    /// - Parameters:
    ///   - queries: normalised to length 1 here, in place.
    ///   - stream: read to its end; only image numbers and labels are kept.
    ///   - k: the number of samples for each query; all where there are fewer.
    /// - Throws: a ``Failure`` of kind `data` where the features have another width than the queries.
    public init(_ queries: FeatureMatrix, in stream: FeatureStream, k: Int, progress: (Int) -> Void = { _ in }) throws {
        let search = NeighbourSearch(queries: queries, k: k)
        var images: [Int] = [], labels: [Int32] = []
        while let batch = try stream.next() {
            guard stream.dimension == queries.dimension else {
                throw Failure(
                    .data, path: stream.name, "has features of \(stream.dimension) numbers, but the others have \(queries.dimension)", remedy: "make both with the same network")
            }
            search.add(batch.features)
            images += batch.images
            labels += batch.labels
            progress(batch.labels.count)
        }
        self.init(search.finish(), images, labels)
    }

    /// Finds the nearest samples within a set, without the sample itself.
    ///
    /// - Parameter rows: the samples of the set to use as queries.
    public init(_ set: FeatureSet, rows: [Int], k: Int) {
        let queries = set.features.rows(rows), search = NeighbourSearch(queries: queries, k: k + 1)
        search.add(set.features)
        let all = search.finish()
        found = rows.enumerated().map { query, row in
            let others = all[query].filter { Int($0.index) != row }.prefix(k)
            return others.map { Near(image: set.images[Int($0.index)], label: set.labels[Int($0.index)], similarity: $0.similarity) }
        }
    }

    private init(_ neighbours: Neighbours, _ images: [Int], _ labels: [Int32]) {
        found = (0..<neighbours.queries).map { query in
            neighbours[query].map { Near(image: images[Int($0.index)], label: labels[Int($0.index)], similarity: $0.similarity) }
        }
    }
}
