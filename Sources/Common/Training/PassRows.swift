import Objectives

/// Which rows of each pass belong to a group of a batch.
///
/// A batch of N images is cut into groups of neighbours, as even as they can be. A pass has some rows of each image, neighbours too, or those of other passes one behind the other:
/// then a group's rows lie in as many places.
struct PassRows {
    /// Images of the batch.
    let N: Int
    /// Of each image in each group of crops.
    let views: [Int]
    /// Groups, of two images at least: batch norm learns nothing of one.
    let groups: Int

    init(N: Int, views: [Int], groups: Int) {
        (self.N, self.views, self.groups) = (N, views, max(1, min(groups, N / 2)))
    }

    /// The rows of a pass that a group has, in the order of the pass.
    func of(_ pass: Pass, group: Int) -> [Int] {
        let first = N * group / groups, last = N * (group + 1) / groups
        var rows: [Int] = [], start = 0
        for share in shares(pass) {
            rows.append(contentsOf: start + share * first..<start + share * last)
            start += share * N
        }
        return rows
    }

    /// Rows of each image in each part of a pass.
    private func shares(_ pass: Pass) -> [Int] {
        switch pass.input {
        case .outputs(let sources): sources.flatMap(shares)
        case .view, .allViews, .group: [pass.rows(N: 1, views: views)]
        }
    }
}
