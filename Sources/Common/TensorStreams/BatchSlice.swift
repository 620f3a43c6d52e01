import ToolSupport

/// How a batch is cut into groups of neighbouring images, as even as they can be.
public struct BatchCut: Sendable, Equatable {
    /// Where each group begins, and the last one ends, among the images that are there.
    private let bounds: [Int]

    /// Images that are there.
    public var N: Int { bounds[bounds.count - 1] }
    public var groups: Int { bounds.count - 1 }
    /// The images of a group; none where all of them are broken.
    public func images(of group: Int) -> Range<Int> { bounds[group]..<bounds[group + 1] }
    public func images(of groups: Range<Int>) -> Range<Int> { bounds[groups.lowerBound]..<bounds[groups.upperBound] }

    /// - Parameters:
    ///   - places: of the batch, those of broken images among them: they say where it is cut, so that whoever has a part of it need not know what is broken in others.
    ///   - broken: the places of images that are not there, ascending.
    ///   - groups: as many, of two places at least: batch norm learns nothing of one.
    public init(places: Int, broken: [Int] = [], groups: Int) {
        let groups = max(1, min(groups, places / 2))
        bounds = (0...groups).map { group in
            let place = places * group / groups
            return place - (broken.firstIndex { $0 >= place } ?? broken.count)
        }
    }
}

/// The part of every batch that one of several ranks has: some of its groups, one behind the other.
///
/// The header of a stream that holds only that part has it in its metadata; `batch`, `records` and `images` are those of the whole.
public struct BatchSlice: Sendable, Equatable {
    /// Of the ranks, from 0.
    public let rank: Int
    public let ranks: Int
    /// Of a whole batch.
    public let groups: Int

    /// - Precondition: every rank has a group.
    public init(rank: Int, of ranks: Int, groups: Int) {
        precondition(0..<ranks ~= rank && ranks <= groups)
        (self.rank, self.ranks, self.groups) = (rank, ranks, groups)
    }

    /// The groups of a rank.
    public static func groups(of rank: Int, ranks: Int, in groups: Int) -> Range<Int> { groups * rank / ranks..<groups * (rank + 1) / ranks }

    /// The places of its images in a full batch of so many.
    public func places(in batch: Int) -> Range<Int> {
        BatchCut(places: batch, groups: groups).images(of: BatchSlice.groups(of: rank, ranks: ranks, in: groups))
    }

    private static let partKey = "slice", groupsKey = "slice_groups"

    /// As the metadata of a header tell it: `slice` = `2/4`, the second of four, and `slice_groups` = `8`.
    public var metadata: [String: String] { [BatchSlice.partKey: "\(rank + 1)/\(ranks)", BatchSlice.groupsKey: "\(groups)"] }

    /// Nil where a stream has whole batches, or says nothing that can be.
    public init?(_ header: StreamHeader) {
        guard let part = header.metadata[BatchSlice.partKey].flatMap({ PartNumber($0) }), let groups = header.metadata.count(BatchSlice.groupsKey), part.count <= groups, groups <= 1 << 20 else { return nil }
        self.init(rank: part.number - 1, of: part.count, groups: groups)
    }

    /// Whether a header says that its stream has a part of each batch.
    public static func isTold(by header: StreamHeader) -> Bool { header.metadata[partKey] != nil }
}

extension TensorDocument {
    /// The key of a record's metadata that tells the places of its batch whose images are broken, and so not there: "3 17".
    public static let brokenKey = "broken"

    /// Those places, ascending.
    public var brokenPlaces: [Int] {
        guard let text = metadata[TensorDocument.brokenKey] else { return [] }
        return Set(text.split(separator: " ").compactMap { Int($0) }.filter { 0..<(1 << 30) ~= $0 }).sorted()
    }
}
