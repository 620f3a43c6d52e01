/// A learnt tensor of a network, stored in its checkpoint.
public struct Parameter: Sendable {
    public enum Role: Sendable, Equatable {
        /// PyTorch's (K, C, R, S), where C is the number of channels of a group; stored here as (K, R, S, C).
        case convolution
        /// PyTorch's (C, 1, R, S); stored here as (R, S, C).
        case depthwise
        case matrix
        case scale
        case bias
    }

    /// The distribution of the initial values.
    public enum Initialization: Sendable, Equatable {
        /// Normal, with mean zero and this standard deviation.
        case normal(Double)
        /// Uniform between minus and plus this bound.
        case uniform(Double)
        case constant(Float)
    }

    /// torchvision's name: `layer1.0.conv1.weight`.
    public let name: String
    /// PyTorch's shape.
    public let shape: [Int]
    public let role: Role
    public let initialization: Initialization
    /// The offset among all parameters of the network, in floats.
    public let offset: Int

    public var count: Int { shape.reduce(1, *) }

    /// Reorders floats from PyTorch's order to ours.
    public func native(_ values: [Float]) -> [Float] { reordered(values, toNative: true) }
    /// Reorders floats from our order to PyTorch's.
    public func portable(_ values: [Float]) -> [Float] { reordered(values, toNative: false) }

    private func reordered(_ values: [Float], toNative: Bool) -> [Float] {
        guard role == .convolution || role == .depthwise, shape.count == 4, values.count == count else { return values }
        // Depthwise weights are treated as those of one output whose inputs are the channels.
        let (K, C) = role == .depthwise ? (1, shape[0]) : (shape[0], shape[1]), offsets = shape[2] * shape[3]
        var result = [Float](repeating: 0, count: values.count)
        for k in 0..<K {
            for c in 0..<C {
                for offset in 0..<offsets {
                    let portable = (k * C + c) * offsets + offset, native = (k * offsets + offset) * C + c
                    if toNative { result[native] = values[portable] } else { result[portable] = values[native] }
                }
            }
        }
        return result
    }
}

/// The running statistics of one batch normalisation: not learnt, but part of the checkpoint.
public struct Statistics: Sendable {
    /// `layer1.0.bn1`: has `.running_mean`, `.running_var` and `.num_batches_tracked`.
    public let name: String
    public let C: Int
    /// The offset of the mean among all statistics, in floats. The variance starts C floats later.
    public let offset: Int
}
