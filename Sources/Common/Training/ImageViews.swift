import Networks
import Ranks
import TensorStreams

/// The views of one group of crops in a record: `images`, or `images.g` of group g ≥ 1, u8 [N, V, H, W, 3].
struct ImageViews {
    private(set) var tensor: Tensor
    private(set) var N: Int
    let views: Int
    let H: Int
    let W: Int
    /// The position of the first image in the batch, where this is only a part of the batch.
    var first = 0

    /// The name of a group's tensor, and of tensors derived from it: `images`, `images.1`; `teacher.1`.
    static func name(_ group: Int, of tensor: String = "images") -> String { group == 0 ? tensor : "\(tensor).\(group)" }

    /// Whether a tensor contains the images of a group of crops.
    static func isImages(_ tensor: String) -> Bool { tensor == "images" || tensor.hasPrefix("images.") }

    /// - Throws: ``Failure`` where the record has no images, or none that fit `network`.
    init(_ record: TensorDocument, group: Int = 0, for network: Network) throws {
        tensor = try record.tensor(ImageViews.name(group), .u8, shape: [nil, nil, nil, nil, 3])
        (N, views, H, W) = (tensor.shape[0], tensor.shape[1], tensor.shape[2], tensor.shape[3])
        let what = group == 0 ? "images" : "images of group \(group)"
        let least = network.smallestImage
        guard min(H, W) >= least else {
            throw record.failure("has \(what) of \(W)×\(H) where \(network.name) needs \(least)×\(least)")
        }
        let multiple = network.imageMultiple
        guard H % multiple == 0, W % multiple == 0 else {
            throw record.failure("has \(what) of \(W)×\(H) where \(network.name) takes sides that are multiples of \(multiple)", remedy: network.sizeRemedy(min(H, W)))
        }
        guard H == W || !network.needsSquareImages else { throw record.failure("has \(what) of \(W)×\(H) where \(network.name) takes square ones") }
    }

    /// The images of all ranks.
    func gathered(_ ranks: Ranks) throws -> ImageViews {
        let parts = try ranks.gather(unsafe tensor.withBytes { unsafe Array($0) })
        var whole = self
        whole.tensor = Tensor(u8: parts.flatMap { $0 }, shape: [parts.reduce(0) { $0 + $1.count } / max(1, views * H * W * 3), views, H, W, 3])
        (whole.N, whole.first) = (whole.tensor.shape[0], 0)
        return whole
    }

    /// The number of groups of crops in a record. Their contents are not checked.
    static func groupCount(_ record: TensorDocument) -> Int {
        var count = 1
        while record.tensors[name(count)] != nil { count += 1 }
        return count
    }

    /// The group of view `view`, counted over all groups, and its index in the group; nil where there are fewer
    /// views.
    static func place(of view: Int, among counts: [Int]) -> (group: Int, view: Int)? {
        var rest = view
        for (group, count) in counts.enumerated() {
            if rest < count { return (group, rest) }
            rest -= count
        }
        return nil
    }
}
