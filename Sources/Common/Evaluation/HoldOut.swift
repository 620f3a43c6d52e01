/// A part of the training set kept aside to choose a penalty by.
///
/// In every class the images are taken in the order of their index, and each fifth of them is held out; so a class with fewer
/// than five keeps them all. An image that comes several times (epochs, views) is held out with all its samples:
/// else the held-out part would be known already.
public struct HoldOut: Sendable {
    public let kept: [Int]
    public let heldOut: [Int]

    /// - Parameter images: which image each sample shows.
    public init(labels: [Int32], images: [Int]) {
        precondition(labels.count == images.count)
        let order = labels.indices.sorted {
            (labels[$0], images[$0], $0) < (labels[$1], images[$1], $1)
        }
        var held = [Bool](repeating: false, count: labels.count)
        var rank = -1
        var previous: Int?
        for sample in order {
            if let last = previous, labels[last] == labels[sample] {
                if images[last] != images[sample] { rank += 1 }
            } else {
                rank = 0
            }
            held[sample] = rank % 5 == 4
            previous = sample
        }
        kept = held.indices.filter { !held[$0] }
        heldOut = held.indices.filter { held[$0] }
    }
}
