import Networks
import TensorStreams

/// The tensor `images` of a record, u8 [N, V, H, W, 3].
struct ImageViews {
    let tensor: Tensor
    let N: Int
    let views: Int
    let H: Int
    let W: Int

    /// - Throws: ``Failure`` where the record has none, or none that `network` takes.
    init(_ record: TensorDocument, for network: Network) throws {
        tensor = try record.tensor("images", .u8, shape: [nil, nil, nil, nil, 3])
        (N, views, H, W) = (tensor.shape[0], tensor.shape[1], tensor.shape[2], tensor.shape[3])
        let least = network.smallestImage
        guard min(H, W) >= least else {
            throw record.failure("has images of \(W)×\(H) where \(network.name) needs \(least)×\(least)")
        }
        let multiple = network.imageMultiple
        guard H % multiple == 0, W % multiple == 0 else {
            throw record.failure("has images of \(W)×\(H) where \(network.name) takes sides that are multiples of \(multiple)", remedy: network.sizeRemedy(min(H, W)))
        }
        guard H == W || !network.needsSquareImages else { throw record.failure("has images of \(W)×\(H) where \(network.name) takes square ones") }
    }
}
