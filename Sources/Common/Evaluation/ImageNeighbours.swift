public import TensorStreams
import ToolSupport

/// Of each image the others whose features are nearest to its own by cosine.
public struct ImageNeighbours {
    /// The images' numbers, in the features' order.
    public let images: [Int]
    /// How many neighbours each has.
    public let k: Int
    /// Their numbers (images, k), the nearest first.
    public let neighbours: [Int]

    /// - Parameters:
    ///   - set: each image once; its rows are brought to unit length.
    ///   - k: how many are wanted; where there are fewer other images, these.
    ///   - name: of the stream that they come from, for messages.
    /// - Throws: ``Failure`` where an image is there twice, or alone.
    public init(_ set: FeatureSet, k: Int, of name: String) throws {
        precondition(k > 0)
        images = set.images
        guard images.count > 1 else { throw Failure(.data, path: name, "holds one image, which has no neighbours") }
        var seen: Set<Int> = []
        if let twice = images.first(where: { !seen.insert($0).inserted }) {
            throw Failure(.data, path: name, "has image \(twice) more than once", remedy: "make features of one epoch, without --epochs")
        }
        // One more, since each is its own neighbour; unless so many others are its equals that it is not among the first.
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
