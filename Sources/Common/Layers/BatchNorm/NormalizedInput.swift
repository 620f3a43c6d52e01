import Kernels

/// An input that is normalised as it is read: y = activation(γ·x̂ + β) of a ``BatchNorm`` that stored only its moments.
///
/// y would be as large as x, written once and read once in the forward pass, and read again in the backward pass. A
/// layer that copies its input into the cache anyway computes y there instead, bit-identically, so y is never in
/// memory.
public struct NormalizedInput {
    let activation: Activation
    private let periods: Periods
    private let lines: ChannelLines

    /// - Parameters:
    ///   - layer: the layer on which
    ///     ``BatchNorm/measure(mean:inverseDeviation:runningMean:runningVariance:x:M:groups:batchesSeen:measured:sums:)``
    ///     was called, with one group.
    ///   - mean: (C), like the other arrays.
    public init(
        _ layer: BatchNorm, mean: UnsafePointer<Float>, inverseDeviation: UnsafePointer<Float>, gamma: UnsafePointer<Float>, beta: UnsafePointer<Float>
    ) {
        activation = layer.activation
        periods = Periods(C: layer.C)
        lines = ChannelLines(periods, mean: mean, inverseDeviation: inverseDeviation, gamma: gamma, beta: beta, groups: 1)
    }

    var line: ChannelLines.Line { lines[0] }

    /// Sets y to the normalised x, for whole rows of C channels, `count` floats in all.
    func normalize(_ x: UnsafePointer<Float>, count: Int, into y: UnsafeMutablePointer<Float>) {
        withPrologue(LoadRows(source: x, count: count, periods: periods, target: y))
    }

    /// Stores the rows `range` of x, normalised, in `memory`. Returns the row stride in floats.
    func normalizeRows(_ x: UnsafePointer<Float>, _ range: Range<Int>, into memory: UnsafeMutablePointer<Float>) -> Int {
        let C = periods.C, x = x + range.lowerBound * C, stride = RowStride.padded(C)
        guard !RowStride.spreadsBothWays(C) else {
            normalize(x, count: range.count * C, into: memory)
            return C
        }
        for row in 0..<range.count { normalize(x + row * C, count: C, into: memory + row * stride) }
        return stride
    }
}
