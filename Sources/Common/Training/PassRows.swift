import Objectives
import TensorStreams

/// Which rows of each pass belong to a group of a batch.
///
/// A pass has some rows of each image, neighbours too, or those of other passes one behind the other: then a group's rows lie in as many places.
struct PassRows {
    private let cut: BatchCut
    /// Of each image in each group of crops.
    let views: [Int]
    /// The groups that go through the networks here, one after the other: all, or those of this rank.
    let own: Range<Int>

    /// Images of the batch.
    var N: Int { cut.N }
    var groups: Int { cut.groups }

    /// - Parameter own: the groups that are here, of how many there are.
    init(_ cut: BatchCut, views: [Int], own: (Int) -> Range<Int>) {
        (self.cut, self.views, self.own) = (cut, views, own(cut.groups))
    }

    /// The rows of a pass that a group has, in the order of the pass; none where all its images are broken.
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

    /// The images of the groups that are here.
    var images: Range<Int> { cut.images(of: own) }

    /// Rows of each image in each part of a pass.
    private func shares(_ pass: Pass) -> [Int] {
        switch pass.input {
        case .outputs(let sources): sources.flatMap(shares)
        case .view, .allViews, .group: [rows(pass)]
        }
    }

    /// Rows of each image in a pass over images.
    func rows(_ pass: Pass) -> Int { pass.rows(N: 1, views: views) }
}
