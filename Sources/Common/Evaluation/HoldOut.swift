/// A part of the training set kept aside to choose a penalty by.
///
/// In every class the pictures are taken in the order of their index, and each fifth of them is held out; so a class with fewer
/// than five keeps them all. A picture that comes several times (epochs, views) is held out with all its samples:
/// else the held-out part would be known already.
public struct HoldOut: Sendable {
    public let kept: [Int]
    public let heldOut: [Int]

    /// - Parameter pictures: which picture each sample shows.
    public init(labels: [Int32], pictures: [Int]) {
        precondition(labels.count == pictures.count)
        let order = labels.indices.sorted {
            (labels[$0], pictures[$0], $0) < (labels[$1], pictures[$1], $1)
        }
        var held = [Bool](repeating: false, count: labels.count)
        var place = -1
        var previous: Int?
        for sample in order {
            if let last = previous, labels[last] == labels[sample] {
                if pictures[last] != pictures[sample] { place += 1 }
            } else {
                place = 0
            }
            held[sample] = place % 5 == 4
            previous = sample
        }
        kept = held.indices.filter { !held[$0] }
        heldOut = held.indices.filter { held[$0] }
    }
}
