public import TensorStreams
import ToolSupport

/// For each image, the other images whose features are nearest to its own by cosine.
public struct ImageNeighbours {
    /// The image numbers, in the order of the features.
    public let images: [Int]
    /// The number of neighbours of each image.
    public let k: Int
    /// The image numbers of the neighbours (images, k), the nearest first.
    public let neighbours: [Int]

    /// - Parameters:
    ///   - set: each image once; its rows are normalised to length 1.
    ///   - k: the wanted number of neighbours; all other images where there are fewer.
    ///   - name: the name of the source stream, for messages.
    /// - Throws: a ``Failure`` where an image occurs twice, or there is only one.
    public init(_ set: FeatureSet, k: Int, of name: String) throws {
        precondition(k > 0)
        images = set.images
        guard images.count > 1 else { throw Failure(.data, path: name, "has only one image, which has no neighbours") }
        var seen: Set<Int> = []
        if let twice = images.first(where: { !seen.insert($0).inserted }) {
            throw Failure(.data, path: name, "has image \(twice) more than once", remedy: "make the features from one epoch, without --epochs")
        }
        // One more, since each image is its own neighbour, unless it has so many equals that it is not among the first.
        let search = NeighbourSearch(queries: set.features, k: k + 1)
        search.add(set.features)
        let found = search.finish()
        self.k = found.k - 1
        var list: [Int] = []
        list.reserveCapacity(images.count * self.k)
        for query in images.indices { list += found[query].lazy.map { Int($0.index) }.filter { $0 != query }.prefix(self.k).map { set.images[$0] } }
        neighbours = list
    }

    /// `index` i64 [n] and `neighbours` i64 [n, k].
    public var tensors: [String: Tensor] {
        ["index": Tensor(i64: images.map(Int64.init), shape: [images.count]), "neighbours": Tensor(i64: neighbours.map(Int64.init), shape: [images.count, k])]
    }
}
