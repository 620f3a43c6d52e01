import Objectives
import TensorStreams

/// The rows of each pass that belong to a group of a batch.
///
/// A pass has one or more adjacent rows for each image, or the concatenated rows of other passes. In the latter case
/// the rows of a group lie in several places.
struct PassRows {
    private let cut: BatchCut
    /// The number of views of each image in each group of crops.
    let views: [Int]
    /// The groups that run through the networks here, one after the other: all groups, or those of this rank.
    let own: Range<Int>

    /// The number of images of the batch.
    var N: Int { cut.N }
    var groups: Int { cut.groups }

    /// - Parameter own: the local groups, given the total number of groups.
    init(_ cut: BatchCut, views: [Int], own: (Int) -> Range<Int>) {
        (self.cut, self.views, self.own) = (cut, views, own(cut.groups))
    }

    /// The rows of a pass that belong to a group, in the order of the pass; empty where all images of the group are
    /// broken.
    func of(_ pass: Pass, group: Int) -> [Int] {
        let images = cut.images(of: group)
        var rows: [Int] = [], start = 0
        for share in shares(pass) {
            rows.append(contentsOf: start + share * images.lowerBound..<start + share * images.upperBound)
            start += share * N
        }
        return rows
    }

    func of(_ pass: Pass, groups: Range<Int>) -> [Int] { groups.flatMap { of(pass, group: $0) } }

    /// The images of the local groups.
    var images: Range<Int> { cut.images(of: own) }

    /// The number of rows per image in each part of a pass.
    private func shares(_ pass: Pass) -> [Int] {
        switch pass.input {
        case .outputs(let sources): sources.flatMap(shares)
        case .view, .allViews, .group: [rows(pass)]
        }
    }

    /// The number of rows per image in a pass over images.
    func rows(_ pass: Pass) -> Int { pass.rows(N: 1, views: views) }
}
