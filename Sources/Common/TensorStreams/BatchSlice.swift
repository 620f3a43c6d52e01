import ToolSupport

/// The division of a batch into groups of consecutive images, as equal in size as possible.
public struct BatchCut: Sendable, Equatable {
    /// The start of each group and the end of the last one, among the images that are present.
    private let bounds: [Int]

    /// The number of images that are present.
    public var N: Int { bounds[bounds.count - 1] }
    public var groups: Int { bounds.count - 1 }
    /// The images of a group; empty where all of them are broken.
    public func images(of group: Int) -> Range<Int> { bounds[group]..<bounds[group + 1] }
    public func images(of groups: Range<Int>) -> Range<Int> { bounds[groups.lowerBound]..<bounds[groups.upperBound] }

    /// - Parameters:
    ///   - places: the positions of the batch, including those of broken images. The cuts depend only on them, so a
    ///     process that has a part of the batch need not know what is broken in other parts.
    ///   - broken: the positions of missing images, ascending.
    ///   - groups: the number of groups; limited so that each has at least two positions, because batch norm learns
    ///     nothing from one.
    public init(places: Int, broken: [Int] = [], groups: Int) {
        let groups = max(1, min(groups, places / 2))
        bounds = (0...groups).map { group in
            let place = places * group / groups
            return place - (broken.firstIndex { $0 >= place } ?? broken.count)
        }
    }
}

/// The part of every batch that one of several ranks gets: a run of consecutive groups.
///
/// The header of a stream that holds only that part records it in its metadata; `batch`, `records` and `images`
/// describe the whole.
public struct BatchSlice: Sendable, Equatable {
    /// The rank, from 0.
    public let rank: Int
    public let ranks: Int
    /// The number of groups of a whole batch.
    public let groups: Int

    /// - Precondition: every rank has at least one group.
    public init(rank: Int, of ranks: Int, groups: Int) {
        precondition(0..<ranks ~= rank && ranks <= groups)
        (self.rank, self.ranks, self.groups) = (rank, ranks, groups)
    }

    /// The groups of a rank.
    public static func groups(of rank: Int, ranks: Int, in groups: Int) -> Range<Int> { groups * rank / ranks..<groups * (rank + 1) / ranks }

    /// The positions of the rank's images in a full batch of that size.
    public func places(in batch: Int) -> Range<Int> {
        BatchCut(places: batch, groups: groups).images(of: BatchSlice.groups(of: rank, ranks: ranks, in: groups))
    }

    private static let partKey = "slice", groupsKey = "slice_groups"

    /// The metadata of a header: `slice` = `2/4`, the second of four, and `slice_groups` = `8`.
    public var metadata: [String: String] { [BatchSlice.partKey: "\(rank + 1)/\(ranks)", BatchSlice.groupsKey: "\(groups)"] }

    /// Nil where a stream has whole batches, or the metadata is invalid.
    public init?(_ header: StreamHeader) {
        guard let part = header.metadata[BatchSlice.partKey].flatMap({ PartNumber($0) }), let groups = header.metadata.count(BatchSlice.groupsKey), part.count <= groups, groups <= 1 << 20 else { return nil }
        self.init(rank: part.number - 1, of: part.count, groups: groups)
    }

    /// Whether a header says that its stream holds a part of each batch.
    public static func isTold(by header: StreamHeader) -> Bool { header.metadata[partKey] != nil }
}

extension TensorDocument {
    /// The key of a record's metadata with the batch positions of broken, and so missing, images: "3 17".
    public static let brokenKey = "broken"

    /// The batch positions of broken images, ascending.
    public var brokenPlaces: [Int] {
        guard let text = metadata[TensorDocument.brokenKey] else { return [] }
        return Set(text.split(separator: " ").compactMap { Int($0) }.filter { 0..<(1 << 30) ~= $0 }).sorted()
    }
}
