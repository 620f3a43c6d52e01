import Kernels

/// A gradient that has still to go back through a ``BatchNorm``, and does so where it is read:
///
///     dx = γ / √(σ² + ε) · (g − mean(g) − x̂·mean(g·x̂))        g = dy · activation′(γ·x̂ + β)
///
/// The sums are made, by ``BatchNorm/sumGradient(dgamma:dbeta:dy:x:mean:inverseDeviation:gamma:beta:M:sums:)``. A layer that copies the gradient
/// of its output into the cache in any case makes dx there from dy and x, the same to the last bit.
public struct NormalizedGradient {
    /// None where g was kept at dy already.
    let activation: Activation
    /// What the batch norm read, of the shape of dy.
    let x: UnsafePointer<Float>
    let periods: Periods
    let lines: ChannelLines

    var line: ChannelLines.Line { lines[0] }

    /// Sets dx for whole rows of C channels from the float `start` on, `count` floats in all; `dy` points to the first of all rows, `dx` to
    /// that of these.
    func make(_ dy: UnsafePointer<Float>, start: Int, count: Int, into dx: UnsafeMutablePointer<Float>) {
        withPrologue(dy, LoadRows(source: dy + start, count: count, periods: periods, target: dx))
    }
}
