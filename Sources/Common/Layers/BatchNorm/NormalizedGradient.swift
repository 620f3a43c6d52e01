import Kernels

/// A gradient that must still pass back through a ``BatchNorm``, which happens as it is read:
///
///     dx = γ / √(σ² + ε) · (g − mean(g) − x̂·mean(g·x̂))        g = dy · activation′(γ·x̂ + β)
///
/// The sums are already computed, by
/// ``BatchNorm/sumGradient(dgamma:dbeta:dy:x:mean:inverseDeviation:gamma:beta:M:sums:)``. A layer that copies its
/// output's gradient into the cache anyway computes dx there from dy and x, bit-identically.
public struct NormalizedGradient {
    /// None if dy has already been overwritten with g.
    let activation: Activation
    /// The input of the batch norm, of the shape of dy.
    let x: UnsafePointer<Float>
    let periods: Periods
    let lines: ChannelLines

    var line: ChannelLines.Line { lines[0] }

    /// Sets dx for whole rows of C channels from float `start` on, `count` floats in all. `dy` points to the first of
    /// all rows, `dx` to the first of these rows.
    func make(_ dy: UnsafePointer<Float>, start: Int, count: Int, into dx: UnsafeMutablePointer<Float>) {
        withPrologue(dy, LoadRows(source: dy + start, count: count, periods: periods, target: dx))
    }
}
