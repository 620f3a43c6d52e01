/// A split of the training set that holds out a part to choose a penalty.
///
/// In every class the images are ordered by their index, and every fifth is held out. So a class with fewer than five
/// images keeps them all. An image that occurs several times (epochs, views) is held out with all its samples;
/// otherwise the classifier would already know the held-out part.
public struct HoldOut: Sendable {
    public let kept: [Int]
    public let heldOut: [Int]

    /// - Parameter images: the number of the image that each sample shows.
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
